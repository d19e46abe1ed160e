// base64_test.cc - base64 by RFC 4648 §4.
#include "common/base/base64.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace strictmx::base {
namespace {

// RFC 4648 §10.
TEST(Rfc4648Sec10Base64, TestVectors) {
  struct Case {
    std::string bytes;
    std::string text;
  };
  const std::vector<Case> cases = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xFB\xFF\xFE", "+//+"},
      {std::string("\0\0", 2), "AAA="},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(base64_encode(c.bytes), c.text);
    EXPECT_EQ(base64_decode(c.text), c.bytes);
  }
}

TEST(Rfc4648Sec4Base64, OnlyWholeGroupsAreDecoded) {
  struct Case {
    const char* name;
    std::string text;
  };
  const std::vector<Case> cases = {
      {"one character", "Z"},         {"no padding", "Zg"},
      {"half the padding", "Zg="},    {"too much padding", "Zm9v="},
      {"a group of padding", "===="}, {"three of padding", "Z==="},
      {"padding inside", "Zg==Zm9v"}, {"unused bits, one byte", "Zh=="},
      {"unused bits, two", "Zm9="},   {"space", "Zm 9v"},
      {"line end", "Zm9v\n"},         {"other alphabet", "-__-"},
      {"8-bit", "Zm9\xC3"},           {"NUL", std::string("Zm9\0", 4)},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_FALSE(base64_decode(c.text).has_value());
  }
}

TEST(Rfc4648Sec4Base64, AllBytesComeBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    bytes.push_back(static_cast<char>(i));
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
  }
}

}  // namespace
}  // namespace strictmx::base
