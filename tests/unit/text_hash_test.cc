// text_hash_test.cc - SipHash-2-4 against the values of its authors.
#include "common/base/text_hash.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace strictmx::base {
namespace {

// Key 00 01 ... 0f, text 00 01 ... (length - 1): the vectors that the authors publish.
constexpr HashKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::string counted(std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += static_cast<char>(i);
  return text;
}

TEST(TextHash, IsSipHash24) {
  struct Case {
    std::size_t length;
    std::uint64_t hash;
  };
  const std::vector<Case> cases = {
      {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
      {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.length);
    EXPECT_EQ(text_hash(kKey, counted(c.length)), c.hash);
  }
}

TEST(TextHash, EachHalfOfTheKeyMatters) {
  const std::uint64_t hash = text_hash(kKey, "text");
  EXPECT_NE(text_hash({kKey.first + 1, kKey.second}, "text"), hash);
  EXPECT_NE(text_hash({kKey.first, kKey.second + 1}, "text"), hash);
}

}  // namespace
}  // namespace strictmx::base
