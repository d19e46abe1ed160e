// result_batch_test.cc - what one batch of results costs, however its texts are made.
#include "common/reporting/result_batch.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <string>
#include <vector>

namespace strictmx::reporting {
namespace {

constexpr base::WallTime kReceived{std::chrono::seconds(1795000000)};

// Near kMaxDatagramBytes: one policy of as many bytes as there is room for, and many failures.
std::string large_result(int number) {
  const std::string line(2000, static_cast<char>('a' + number % 26));
  std::string text = R"({"d":"a)" + std::to_string(number) +
                     R"(.test","policies":[{"policy-type":2,"f":1,"policy-string":[)";
  for (int i = 0; i < 28; ++i) text += (i == 0 ? "\"" : ",\"") + line + "\"";
  text += "],\"failure-details\":[";
  for (int i = 0; i < 128; ++i) {
    text += std::string(i == 0 ? "" : ",") + R"({"c":205,"f":")" + std::to_string(i) + "\"}";
  }
  return text + "]}]}";
}

TEST(ResultBatchMemory, APolicyWithManyFailuresIsHeldOnce) {
  std::vector<std::string> texts;
  std::vector<SpoolRecord> records;
  std::size_t bytes = 0;
  for (int i = 0; i < 64; ++i) {
    texts.push_back(large_result(i));
    ASSERT_LE(texts.back().size(), tlsrpt::kMaxDatagramBytes);
    bytes += texts.back().size();
  }
  for (const std::string& text : texts) records.push_back({text, kReceived});
  const auto before = mallinfo2().uordblks + mallinfo2().hblkhd;
  const ResultBatch batch(records, 0, {1, 2});
  const auto after = mallinfo2().uordblks + mallinfo2().hblkhd;
  EXPECT_EQ(batch.counters().results, texts.size());
  EXPECT_EQ(batch.rows().size(), texts.size());
  // Rows and their keys cost something too; a policy text in each row would be a hundred times it.
  EXPECT_LT(after - before, 4 * bytes);
}

}  // namespace
}  // namespace strictmx::reporting
