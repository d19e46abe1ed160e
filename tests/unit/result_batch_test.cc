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
  records.reserve(32);
  std::size_t bytes = 0;
  for (int i = 0; i < 32; ++i) {
    texts.push_back(large_result(i));
    ASSERT_LE(texts.back().size(), tlsrpt::kMaxDatagramBytes);
    bytes += texts.back().size();
  }
  for (const std::string& text : texts) records.push_back({text, kReceived, 0, 0});
  const auto before = mallinfo2().uordblks + mallinfo2().hblkhd;
  const ResultBatch batch(records, 0, {1, 2});
  const auto after = mallinfo2().uordblks + mallinfo2().hblkhd;
  EXPECT_EQ(batch.counters().results, texts.size());
  EXPECT_EQ(batch.rows().size(), texts.size());
  // Rows and their keys cost something too; a policy text in each row would be a hundred times it.
  EXPECT_LT(after - before, 4 * bytes);
}

// A result of many failures; each text is another.
std::string many_failures(int number, int failures) {
  std::string text = R"({"d":"a)" + std::to_string(number) +
                     R"(.test","policies":[{"policy-type":9,"f":1,"failure-details":[)";
  for (int i = 0; i < failures; ++i) {
    text += std::string(i == 0 ? "" : ",") + R"({"c":205,"f":")" + std::to_string(i) + "\"}";
  }
  return text + "]}]}";
}

TEST(ResultBatchRows, RecordsBehindTheLimitAreLeft) {
  struct Case {
    const char* name;
    std::vector<std::string> texts;
    std::size_t used;
  };
  const std::string braces(kMaxRowsABatch + 10, '{');
  std::vector<std::string> different;
  different.reserve(100);
  for (int i = 0; i < 100; ++i) different.push_back(many_failures(i, 99));
  const std::vector<Case> cases = {
      {"none", {}, 0},
      {"each has a hundred rows", different, 50},
      {"repeats cost nothing", std::vector<std::string>(100, different[0]), 100},
      {"more than the limit, first", {braces, "{}"}, 1},
      {"more than the limit, second", {"{}", braces}, 1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<SpoolRecord> records;
    records.reserve(c.texts.size());
    for (const std::string& text : c.texts) records.push_back({text, kReceived, 0, 0});
    const ResultBatch batch(records, 0, {1, 2});
    EXPECT_EQ(batch.used(), c.used);
    const BatchCounters& counters = batch.counters();
    std::uint64_t counted = counters.results;
    for (const std::uint64_t broken : counters.broken) counted += broken;
    EXPECT_EQ(counted, c.used);
    std::size_t rows = 0;
    for (const auto& [place, policies] : batch.rows()) {
      for (const auto& [policy, failures] : policies) rows += failures.size();
    }
    EXPECT_LE(rows, kMaxRowsABatch);
  }
}

}  // namespace
}  // namespace strictmx::reporting
