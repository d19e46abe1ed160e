// domain_name_test.cc - names at the boundary: RFC 1035 limits, IDNA2008, RFC 5321 domains.
#include "common/base/domain_name.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace strictmx::base {
namespace {

using std::string_literals::operator""s;
using enum NameError;

const std::string kLabel63(63, 'a');
const std::string kName253 =
    kLabel63 + "." + kLabel63 + "." + kLabel63 + "." + std::string(61, 'b');

struct GoodCase {
  const char* name;
  const char* rule;
  std::string input;
  std::string want;
};

struct BadCase {
  const char* name;
  const char* rule;
  std::string input;
  NameError want;
};

void check(const std::vector<GoodCase>& good, const std::vector<BadCase>& bad) {
  for (const GoodCase& c : good) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    const auto name = DomainName::parse(c.input);
    EXPECT_TRUE(name.ok()) << (name.ok() ? "" : name.error().detail);
    if (name.ok()) {
      EXPECT_EQ(name.value().text(), c.want);
    }
  }
  for (const BadCase& c : bad) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    const auto name = DomainName::parse(c.input);
    EXPECT_FALSE(name.ok()) << (name.ok() ? name.value().text() : "");
    if (!name.ok()) {
      EXPECT_EQ(name.error().code, c.want) << name.error().detail;
    }
  }
}

TEST(Rfc1035Sec234DomainName, LabelsAndLengths) {
  check(
      {
          {"plain", "unchanged", "mail.example.com", "mail.example.com"},
          {"letter case", "lower case", "Mail.EXAMPLE.Com", "mail.example.com"},
          {"one label", "a name", "localhost", "localhost"},
          {"final dot", "dropped", "example.com.", "example.com"},
          {"underscore", "DNS names have it", "_mta-sts.example.com", "_mta-sts.example.com"},
          {"digits", "labels may be digits", "1.2.example", "1.2.example"},
          {"inner hyphens", "allowed", "a-b--c.example", "a-b--c.example"},
          {"label of 63", "63 or less", kLabel63 + ".example", kLabel63 + ".example"},
          {"name of 253", "253 or less", kName253, kName253},
          {"name of 253 and dot", "the dot is dropped", kName253 + ".", kName253},
      },
      {
          {"empty", "a name", "", kEmpty},
          {"root", "a label", ".", kEmpty},
          {"two dots", "a label", "..", kEmpty},
          {"leading dot", "a label", ".example.com", kEmpty},
          {"two final dots", "one is dropped", "example.com..", kEmpty},
          {"empty label", "a label", "mail..example.com", kEmpty},
          {"label of 64", "63 or less", kLabel63 + "a.example", kTooLong},
          {"name of 254", "253 or less", kName253 + "b", kTooLong},
          {"megabyte", "253 or less", std::string(1 << 20, 'a'), kTooLong},
          {"hyphen first", "letter or digit", "-a.example", kCharacter},
          {"hyphen last", "letter or digit", "a-.example", kCharacter},
          {"space", "letter or digit", "a b.example", kCharacter},
          {"space around", "not trimmed", " example.com", kCharacter},
          {"newline last", "not trimmed", "example.com\n", kCharacter},
          {"NUL", "letter or digit", "example.com\0.org"s, kCharacter},
          {"NUL beside U-label", "letter or digit", "\xC3\xBC\0.example"s, kCharacter},
          {"wildcard", "letter or digit", "*.example.com", kCharacter},
          {"at sign", "letter or digit", "user@example.com", kCharacter},
          {"colon", "letter or digit", "example.com:25", kCharacter},
          {"slash", "letter or digit", "example.com/x", kCharacter},
          {"backslash", "letter or digit", "a\\.b.example", kCharacter},
          {"control", "letter or digit", "a\x01.example", kCharacter},
          {"DEL", "letter or digit", "a\x7F.example", kCharacter},
      });
}

TEST(DomainName, AddressesAreNoDomains) {
  check(
      {
          {"digits before a name", "last label has a letter", "192.0.2.1.example",
           "192.0.2.1.example"},
          {"digits and a letter", "last label has a letter", "1.2.3a", "1.2.3a"},
      },
      {
          {"IPv4", "an address", "192.0.2.1", kAddress},
          {"IPv4 and dot", "an address", "192.0.2.1.", kAddress},
          {"one number", "an address in some APIs", "2130706433", kAddress},
          {"digits last", "last label of digits", "example.1", kAddress},
          {"fullwidth IPv4", "folded, then an address",
           "\xEF\xBC\x91\xEF\xBC\x99\xEF\xBC\x92.0.2.1", kAddress},
          {"IPv4 literal", "not in brackets", "[192.0.2.1]", kCharacter},
          {"IPv6", "not a name", "2001:db8::1", kCharacter},
          {"IPv6 literal", "not in brackets", "[IPv6:2001:db8::1]", kCharacter},
      });
}

TEST(Rfc5891DomainName, UnicodeBecomesALabels) {
  check(
      {
          {"umlaut", "A-label",
           "b\xC3\xBC"
           "cher.example",
           "xn--bcher-kva.example"},
          {"upper-case umlaut", "folded",
           "B\xC3\x9C"
           "CHER.example",
           "xn--bcher-kva.example"},
          {"sharp s", "IDNA2008, not mapped to ss", "fa\xC3\x9F.de", "xn--fa-hia.de"},
          {"A-label", "kept", "xn--bcher-kva.example", "xn--bcher-kva.example"},
          {"upper-case A-label", "lower case", "XN--BCHER-KVA.Example", "xn--bcher-kva.example"},
          {"ideographic stop", "a dot",
           "b\xC3\xBC"
           "cher\xE3\x80\x82"
           "example",
           "xn--bcher-kva.example"},
          {"fullwidth letter", "folded to ASCII", "\xEF\xBD\x81.example", "a.example"},
          {"final dot", "dropped",
           "b\xC3\xBC"
           "cher.example.",
           "xn--bcher-kva.example"},
      },
      {
          {"snowman", "disallowed", "\xE2\x98\x83.example", kIdn},
          {"emoji", "disallowed", "\xF0\x9F\xA4\xA1.example", kIdn},
          {"zero width joiner", "context rule", "\xE2\x80\x8D.example", kIdn},
          {"hyphen first", "not a U-label", "-\xC3\xBC.example", kIdn},
          {"Latin-1", "not UTF-8",
           "b\xFC"
           "cher.example",
           kIdn},
          {"cut sequence", "not UTF-8", "b\xC3", kIdn},
          {"overlong dot", "not UTF-8",
           "a\xC0\xAE"
           "example",
           kIdn},
          {"empty label", "a label", ".\xC3\xBC.example", kEmpty},
          {"soft hyphen alone", "mapped to nothing", "\xC2\xAD.example", kEmpty},
          {"long", "refused before IDNA", std::string(1100, '\xC3'), kTooLong},
      });
}

TEST(DomainName, ParsedNameParsesToItself) {
  for (const char* text : {"Example.COM.",
                           "b\xC3\xBC"
                           "cher.example",
                           "_smtp._tls.a.example"}) {
    SCOPED_TRACE(text);
    const auto once = DomainName::parse(text);
    ASSERT_TRUE(once.ok());
    const auto twice = DomainName::parse(once.value().text());
    ASSERT_TRUE(twice.ok());
    EXPECT_EQ(once.value(), twice.value());
  }
}

TEST(DomainName, ComparesByText) {
  const auto a = DomainName::parse("A.example");
  const auto same = DomainName::parse("a.example.");
  const auto b = DomainName::parse("b.example");
  ASSERT_TRUE(a.ok() && same.ok() && b.ok());
  EXPECT_EQ(a.value(), same.value());
  EXPECT_NE(a.value(), b.value());
  EXPECT_LT(a.value(), b.value());
}

TEST(Rfc1035Sec234DomainName, PrefixKeepsTheLimit) {
  const std::string prefix = "_mta-sts.";
  const std::string name244 = kName253.substr(9);
  struct Case {
    const char* name;
    std::string input;
    std::string want;
  };
  const std::vector<Case> cases = {
      {"short", "example.com", "_mta-sts.example.com"},
      {"253 with it", name244, prefix + name244},
      {"254 with it", "a" + name244, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto name = DomainName::parse(c.input);
    ASSERT_TRUE(name.ok());
    EXPECT_EQ(name.value().with_prefix(prefix), c.want);
  }
}

TEST(Rfc5321Sec412Domain, LettersDigitsAndInnerHyphens) {
  struct Case {
    const char* name;
    std::string input;
    bool want;
  };
  const std::vector<Case> cases = {
      {"host", "mail.example.com", true},
      {"one label", "mail", true},
      {"digits", "1.2.3", true},
      {"inner hyphens", "a-b--c.example", true},
      {"A-label", "xn--bcher-kva.example", true},
      {"label of 63", kLabel63, true},
      {"label of 64", kLabel63 + "a", false},
      {"name of 253", kName253, true},
      {"name of 254", kName253 + "b", false},
      {"empty", "", false},
      {"dot", ".", false},
      {"final dot", "mail.example.com.", false},
      {"leading dot", ".example.com", false},
      {"empty label", "mail..example.com", false},
      {"underscore", "_mail.example.com", false},
      {"hyphen first", "-mail.example.com", false},
      {"hyphen last", "mail.example-", false},
      {"star", "*.example.com", false},
      {"space", "a b", false},
      {"NUL", "a\0b"s, false},
      {"U-label",
       "b\xC3\xBC"
       "cher.example",
       false},
      {"brackets", "[192.0.2.1]", false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(is_rfc5321_domain(c.input), c.want);
  }
}

TEST(AsciiLower, OnlyAsciiLettersChange) {
  EXPECT_EQ(ascii_lower("AZaz09-_.@[`{"), "azaz09-_.@[`{");
  EXPECT_EQ(ascii_lower("B\xC3\x9C"), "b\xC3\x9C");
  EXPECT_EQ(ascii_lower(""), "");
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool is_upper = byte >= 'A' && byte <= 'Z';
    EXPECT_EQ(ascii_lower(c), is_upper ? static_cast<char>(byte + 32) : c) << byte;
  }
}

}  // namespace
}  // namespace strictmx::base
