// base_text_test.cc - texts of others: UTF-8 and what may be shown, extent of JSON, mail addresses.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/json_extent.h"
#include "common/base/mail_address.h"
#include "common/base/printable.h"

namespace strictmx::base {
namespace {

using std::string_literals::operator""s;

const std::string kLongAddress = std::string(64, 'a') + "@" + std::string(63, 'b') + "." +
                                 std::string(63, 'c') + "." + std::string(61, 'd');

TEST(Rfc3629Sec4Utf8, FirstCodePoint) {
  struct Case {
    const char* name;
    std::string input;
    char32_t value;
    std::size_t bytes;
  };
  const std::vector<Case> cases = {
      {"ASCII", "a", 'a', 1},
      {"NUL", "\0"s, 0, 1},
      {"two bytes, least", "\xC2\x80", 0x80, 2},
      {"two bytes, overlong", "\xC1\xBF", 0, 0},
      {"three bytes, least", "\xE0\xA0\x80", 0x800, 3},
      {"three bytes, overlong", "\xE0\x9F\xBF", 0, 0},
      {"before the surrogates", "\xED\x9F\xBF", 0xD7FF, 3},
      {"surrogate", "\xED\xA0\x80", 0, 0},
      {"four bytes, least", "\xF0\x90\x80\x80", 0x10000, 4},
      {"four bytes, overlong", "\xF0\x8F\xBF\xBF", 0, 0},
      {"last", "\xF4\x8F\xBF\xBF", 0x10FFFF, 4},
      {"beyond the last", "\xF4\x90\x80\x80", 0, 0},
      {"continuation alone", "\x80", 0, 0},
      {"cut", "\xE2\x82", 0, 0},
      {"no continuation", "\xE2\x82(", 0, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const CodePoint point = first_code_point(c.input);
    EXPECT_EQ(point.bytes, c.bytes);
    EXPECT_EQ(point.value, c.value);
  }
}

TEST(Shown, NothingMovesTheCursorOrTurnsTheText) {
  struct Case {
    std::string input;
    std::string want;
  };
  for (const Case& c : std::vector<Case>{{"plain \xC3\xA4", "plain \xC3\xA4"},
                                         {"\x1b[31m", "\\x1b[31m"},
                                         {"a\r\nb\t", "a\\x0d\\x0ab\\x09"},
                                         {"\xC2\x9B", "\\xc2\\x9b"},           // CSI
                                         {"\xE2\x80\xAE", "\\xe2\\x80\\xae"},  // right to left
                                         {"\xFF\xC3", "\\xff\\xc3"}}) {
    EXPECT_EQ(shown(c.input), c.want);
  }
}

TEST(Shown, CutKeepsWholeCharacters) {
  EXPECT_EQ(shown("abc", 3), "abc");
  EXPECT_EQ(shown("abcd", 3), "abc...");
  EXPECT_EQ(shown("a\xC3\xA4z", 2), "a...");
  EXPECT_EQ(shown("a\n", 4), "a...");
  EXPECT_EQ(shown("a\n", 5), "a\\x0a");
}

TEST(JsonExtent, DepthAndValuesAreNeverTooSmall) {
  struct Case {
    const char* input;
    std::size_t depth;
    std::size_t least_values;
  };
  for (const Case& c : std::vector<Case>{{"1", 0, 1},
                                         {"[]", 1, 1},
                                         {"[1,2]", 1, 3},
                                         {"{\"a\":[1,{\"b\":2}]}", 3, 5},
                                         {"[[[[]]]]", 4, 4},
                                         {"\"[[[,,,\"", 0, 1},
                                         {"[\"\\\"[[\",1]", 1, 3},
                                         {"]]]][", 1, 1}}) {
    SCOPED_TRACE(c.input);
    const JsonExtent extent = json_extent(c.input);
    EXPECT_EQ(extent.depth, c.depth);
    EXPECT_GE(extent.values, c.least_values);
    EXPECT_LE(extent.values, 2 * c.least_values + 1);
  }
}

TEST(Rfc5321Sec4Address, PlainAddressHasOneDomain) {
  struct Case {
    const char* name;
    std::string input;
    const char* domain;  // or empty: no plain address
  };
  const std::vector<Case> cases = {
      {"plain", "a.b+c@Example.ORG", "example.org"},
      {"marks of an atom", "!#$%&'*+-/=?^_`{|}~@a.example", "a.example"},
      {"local part of 64", std::string(64, 'a') + "@a.example", "a.example"},
      {"local part of 65", std::string(65, 'a') + "@a.example", ""},
      {"255 bytes", kLongAddress + "d", ""},
      {"no @", "a.example", ""},
      {"nothing before it", "@a.example", ""},
      {"nothing behind it", "a@", ""},
      {"two @", "a@b@a.example", ""},
      {"two dots", "a..b@a.example", ""},
      {"dot first", ".a@a.example", ""},
      {"dot last", "a.@a.example", ""},
      {"blank", "a b@a.example", ""},
      {"line end", "a@a.example\r\nBcc: b@b.example", ""},
      {"line end in the local part", "a\r\n@a.example", ""},
      {"NUL", "a\0@a.example"s, ""},
      {"list", "a@a.example,b@b.example", ""},
      {"display name", "A <a@a.example>", ""},
      {"comment", "a@a.example (x)", ""},
      {"quoted", "\"a b\"@a.example", ""},
      {"address literal", "a@[192.0.2.1]", ""},
      {"address", "a@192.0.2.1", ""},
      {"not ASCII", "\xC3\xA4@a.example", ""},
      {"underscore in the domain", "a@_b.example", ""},
      {"empty", "", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto domain = domain_of_mail_address(c.input);
    EXPECT_EQ(domain.has_value() ? domain->text() : "", c.domain);
  }
  ASSERT_EQ(kLongAddress.size(), 254U);
  EXPECT_TRUE(domain_of_mail_address(kLongAddress).has_value());
}

}  // namespace
}  // namespace strictmx::base
