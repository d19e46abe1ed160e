// tlsrpt_record_test.cc - the TXT record of RFC 8460 §3.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/tlsrpt/record.h"

namespace strictmx::tlsrpt {
namespace {

using std::string_literals::operator""s;
using Rua = std::vector<std::string>;

const std::string kMail = "mailto:r@a.example";
const std::string kWeb = "https://a.example/v1";

struct Case {
  const char* name;
  const char* rule;
  std::string input;
  std::optional<Rua> want;  // or kSyntax
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    const auto record = parse_record(c.input);
    EXPECT_EQ(record.ok(), c.want.has_value()) << (record.ok() ? "" : record.error().detail);
    if (record.ok() && c.want.has_value()) {
      EXPECT_EQ(record.value().rua, *c.want);
    }
    if (record.ok()) continue;
    EXPECT_EQ(record.error().code, TlsrptRecordError::kSyntax);
    EXPECT_EQ(record.error().detail.find("byte "), 0U);
    EXPECT_TRUE(record.error().detail.ends_with("(RFC 8460 §3)")) << record.error().detail;
  }
}

TEST(Rfc8460Sec3Record, ExamplesOfTheRfcAreRead) {
  check({
      {"mailto", "§3.1.1", "v=TLSRPTv1;rua=mailto:reports@example.com",
       Rua{"mailto:reports@example.com"}},
      {"https", "§3.1.2", "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt",
       Rua{"https://reporting.example.com/v1/tlsrpt"}},
  });
}

TEST(Rfc8460Sec3Record, VersionComesFirst) {
  check({
      {"empty", "tlsrpt-version", "", std::nullopt},
      {"version only", "1*(field-delim tlsrpt-field)", "v=TLSRPTv1", std::nullopt},
      {"version and delimiter", "1*(field-delim tlsrpt-field)", "v=TLSRPTv1;", std::nullopt},
      {"lower case", "%s: case-sensitive", "v=tlsrptv1; rua=" + kMail, std::nullopt},
      {"other version", "MUST equal TLSRPTv1", "v=TLSRPTv2; rua=" + kMail, std::nullopt},
      {"longer version", "a delimiter follows", "v=TLSRPTv10; rua=" + kMail, std::nullopt},
      {"leading space", "begins with it", " v=TLSRPTv1; rua=" + kMail, std::nullopt},
      {"later", "begins with it", "rua=" + kMail + "; v=TLSRPTv1", std::nullopt},
  });
}

TEST(Rfc8460Sec3Record, DelimiterIsOneSemicolonInWhiteSpace) {
  const std::string v = "v=TLSRPTv1";
  const std::string rua = "rua=" + kMail;
  check({
      {"no space", "*WSP", v + ";" + rua, Rua{kMail}},
      {"space and tab", "*WSP", v + " \t; \t" + rua, Rua{kMail}},
      {"trailing delimiter", "[field-delim]", v + ";" + rua + ";", Rua{kMail}},
      {"trailing, in white space", "[field-delim]", v + ";" + rua + " ; \t", Rua{kMail}},
      {"trailing space alone", "needs the semicolon", v + ";" + rua + " ", std::nullopt},
      {"two trailing", "[field-delim]", v + ";" + rua + ";;", std::nullopt},
      {"two trailing, space", "[field-delim]", v + ";" + rua + "; ;", std::nullopt},
      {"empty field", "tlsrpt-field", v + ";;" + rua, std::nullopt},
      {"space for delimiter", "field-delim", v + " " + rua, std::nullopt},
      {"line feed", "WSP is SP / HTAB", v + ";\n" + rua, std::nullopt},
      {"carriage return last", "WSP is SP / HTAB", v + ";" + rua + "\r", std::nullopt},
  });
}

TEST(Rfc8460Sec3Record, RuaIsListOfUris) {
  const auto rua = [](const std::string& list) { return "v=TLSRPTv1; rua=" + list; };
  check({
      {"two", "\",\"", rua(kMail + "," + kWeb), Rua{kMail, kWeb}},
      {"in white space", "*WSP \",\" *WSP", rua(kWeb + " \t,\t " + kMail), Rua{kWeb, kMail}},
      {"three, then delimiter", "\",\"", rua(kMail + "," + kWeb + ",mailto:b@b.example ;"),
       Rua{kMail, kWeb, "mailto:b@b.example"}},
      {"repeated", "kept as published", rua(kMail + "," + kMail), Rua{kMail, kMail}},
      {"missing", "required", "v=TLSRPTv1; x=y", std::nullopt},
      {"empty", "tlsrpt-uri", rua(""), std::nullopt},
      {"empty, delimiter", "tlsrpt-uri", rua(";"), std::nullopt},
      {"space first", "no WSP before the first", rua(" " + kMail), std::nullopt},
      {"comma first", "tlsrpt-uri", rua("," + kMail), std::nullopt},
      {"comma last", "tlsrpt-uri", rua(kMail + ","), std::nullopt},
      {"comma and space last", "tlsrpt-uri", rua(kMail + ", ;"), std::nullopt},
      {"two commas", "tlsrpt-uri", rua(kMail + ",," + kWeb), std::nullopt},
      {"space for comma", "\",\"", rua(kMail + " " + kWeb), std::nullopt},
      {"upper-case key", "%s: an extension", "v=TLSRPTv1; RUA=" + kMail, std::nullopt},
      {"space before =", "%s\"rua=\"", "v=TLSRPTv1; rua =" + kMail, std::nullopt},
      {"quoted", "URI", rua("\"" + kMail + "\""), std::nullopt},
      {"in angle brackets", "URI", rua("<" + kMail + ">"), std::nullopt},
  });
}

TEST(Rfc8460Sec3Record, UriIsThatOfRfc3986) {
  const auto rua = [](const std::string& list) { return "v=TLSRPTv1; rua=" + list; };
  check({
      {"encoded comma", "MUST be encoded", rua("mailto:a%2Cb@a.example"),
       Rua{"mailto:a%2Cb@a.example"}},
      {"encoded exclamation", "MUST be encoded", rua("https://a.example/%21"),
       Rua{"https://a.example/%21"}},
      {"encoded semicolon", "MUST be encoded", rua("https://a.example/a%3Bb"),
       Rua{"https://a.example/a%3Bb"}},
      {"raw exclamation", "MUST be encoded", rua("mailto:r@a.example!10m"), std::nullopt},
      {"raw comma", "ends the URI", rua("mailto:a,b@a.example"), std::nullopt},
      {"raw semicolon", "ends the field", rua("https://a.example/a;b"), std::nullopt},
      {"query", "URI", rua("mailto:r@a.example?subject=tls%20report"),
       Rua{"mailto:r@a.example?subject=tls%20report"}},
      {"query with = and &", "URI", rua("https://a.example/?a=b&c=d"),
       Rua{"https://a.example/?a=b&c=d"}},
      {"fragment", "URI", rua("https://a.example/#x"), Rua{"https://a.example/#x"}},
      {"two fragments", "URI", rua("https://a.example/#x#y"), std::nullopt},
      {"port", "URI", rua("https://a.example:8443/r"), Rua{"https://a.example:8443/r"}},
      {"port no number", "port = *DIGIT", rua("https://a.example:x/r"), std::nullopt},
      {"IPv6 host", "IP-literal", rua("https://[2001:db8::1]/r"), Rua{"https://[2001:db8::1]/r"}},
      {"IPv6 host, port", "IP-literal", rua("https://[::1]:443"), Rua{"https://[::1]:443"}},
      {"open bracket", "IP-literal", rua("https://[2001:db8::1/r"), std::nullopt},
      {"after bracket", "IP-literal", rua("https://[::1]x/r"), std::nullopt},
      {"IPv4 in brackets", "IP-literal", rua("https://[192.0.2.1]/r"), std::nullopt},
      {"empty brackets", "IP-literal", rua("https://[]/r"), std::nullopt},
      {"bracket in path", "pchar", rua("https://a.example/[x]"), std::nullopt},
      {"two @ in authority", "userinfo has none", rua("https://a@b@c.example/"), std::nullopt},
      {"percent, all digits", "pct-encoded", rua("https://a.example/%09%aA%fF"),
       Rua{"https://a.example/%09%aA%fF"}},
      {"percent, before A", "pct-encoded", rua("https://a.example/%2@"), std::nullopt},
      {"percent, before a", "pct-encoded", rua("https://a.example/%2`"), std::nullopt},
      {"percent, before 0", "pct-encoded", rua("https://a.example/%2/"), std::nullopt},
      {"percent, after 9", "pct-encoded", rua("https://a.example/%2:"), std::nullopt},
      {"percent, after f", "pct-encoded", rua("https://a.example/%2g"), std::nullopt},
      {"unreserved and sub-delims", "URI", rua("https://azAZ09-._~$&'()*+=@h.example:09/:@?/#?"),
       Rua{"https://azAZ09-._~$&'()*+=@h.example:09/:@?/#?"}},
      {"percent alone", "pct-encoded", rua("https://a.example/%"), std::nullopt},
      {"percent, one digit", "pct-encoded", rua("https://a.example/%2"), std::nullopt},
      {"percent, no digit", "pct-encoded", rua("https://a.example/%2G"), std::nullopt},
      {"inner space", "URI", rua("mailto:r@a. example"), std::nullopt},
      {"backslash", "URI", rua("https:\\\\a.example"), std::nullopt},
      {"caret", "URI", rua("https://a.example/^"), std::nullopt},
      {"control", "URI", rua("https://a.example/\x01"), std::nullopt},
      {"NUL", "URI", rua("https://a.example/\0"s), std::nullopt},
      {"not ASCII", "URI", rua("mailto:\xC3\xA9@a.example"), std::nullopt},
      {"no scheme", "scheme \":\"", rua(kMail + ",r@a.example"), std::nullopt},
      {"empty scheme", "ALPHA first", rua(kMail + ",:r@a.example"), std::nullopt},
      {"digit first in scheme", "ALPHA first", rua(kMail + ",1x:y"), std::nullopt},
      {"underscore in scheme", "scheme", rua(kMail + ",x_y:z"), std::nullopt},
      {"broken one beside a good", "tlsrpt-uri", rua(kMail + ",a.example"), std::nullopt},
  });
}

TEST(Rfc8460Sec3Record, UnsupportedUrisAreLeftOut) {
  const auto rua = [](const std::string& list) { return "v=TLSRPTv1; rua=" + list; };
  check({
      {"http beside", "two schemes are supported", rua("http://a.example/," + kMail), Rua{kMail}},
      {"unknown beside", "two schemes are supported", rua(kWeb + ",x-y+z.1:q"), Rua{kWeb}},
      {"http alone", "no destination", rua("http://a.example/"), std::nullopt},
      {"tel alone", "no destination", rua("tel:+1-201-555-0123"), std::nullopt},
      {"upper-case scheme", "RFC 3986 §3.1: no letter case", rua("MailTo:R@A.example"),
       Rua{"mailto:R@A.example"}},
      {"upper-case https", "RFC 3986 §3.1: no letter case", rua("HTTPS://a.example"),
       Rua{"https://a.example"}},
      {"longer scheme", "not mailto", rua("mailtos:r@a.example"), std::nullopt},
      {"mailto without address", "no destination", rua("mailto:"), std::nullopt},
      {"mailto with query only", "no destination", rua("mailto:?to=r@a.example"), std::nullopt},
      {"mailto without domain", "no destination", rua("mailto:r@"), std::nullopt},
      {"mailto without local part", "no destination", rua("mailto:@a.example"), std::nullopt},
      {"mailto without @", "no destination", rua("mailto:a.example"), std::nullopt},
      {"mailto with slashes", "an authority, no address", rua("mailto://r@a.example"),
       std::nullopt},
      {"https without host", "no destination", rua("https:///v1"), std::nullopt},
      {"https without authority", "no destination", rua("https:a.example"), std::nullopt},
      {"https with port only", "no destination", rua("https://:443/"), std::nullopt},
      {"empty ones beside", "left out", rua("mailto:," + kWeb + ",https:/x"), Rua{kWeb}},
  });
}

TEST(Rfc8460Sec3Record, ExtensionsAreCheckedAndIgnored) {
  const std::string start = "v=TLSRPTv1; rua=" + kMail + "; ";
  const std::string name32 = "a" + std::string(31, '_');
  check({
      {"after", "SHALL be ignored", start + "ruf=mailto:x@a.example", Rua{kMail}},
      {"before", "any order", "v=TLSRPTv1; x=y; rua=" + kMail, Rua{kMail}},
      {"name of 32", "*31", start + name32 + "=y", Rua{kMail}},
      {"name of 33", "*31", start + name32 + "_=y", std::nullopt},
      {"all name characters", "tlsrpt-ext-name", start + "azAZ09_-.=y", Rua{kMail}},
      {"9 first", "ALPHA / DIGIT first", start + "9=y", Rua{kMail}},
      {"hyphen first", "ALPHA / DIGIT first", start + "-x=y", std::nullopt},
      {"dot first", "ALPHA / DIGIT first", start + ".x=y", std::nullopt},
      {"plus in name", "tlsrpt-ext-name", start + "x+y=z", std::nullopt},
      {"underscore first", "ALPHA / DIGIT first", start + "_x=y", std::nullopt},
      {"no name", "tlsrpt-ext-name", start + "=y", std::nullopt},
      {"no value", "1*", start + "x=", std::nullopt},
      {"no equals sign", "name=value", start + "x", std::nullopt},
      {"around the excluded", "%x21-3A / %x3C / %x3E-7E", start + "x=!:<>~", Rua{kMail}},
      {"equals sign in value", "%x3D is excluded", start + "x=a=b", std::nullopt},
      {"space in value", "%x20 is excluded", start + "x=a b", std::nullopt},
      {"DEL in value", "%x7F is excluded", start + "x=\x7F", std::nullopt},
  });
}

TEST(Rfc8460Sec3Record, FirstRuaWins) {
  const std::string start = "v=TLSRPTv1; rua=" + kMail + "; rua=";
  check({
      {"second", "as RFC 8461 §3.2", start + kWeb, Rua{kMail}},
      {"second is a list", "as RFC 8461 §3.2", start + kWeb + " , " + kMail + ";", Rua{kMail}},
      {"second is garbage", "ignored", start + "?=!", Rua{kMail}},
      {"second has all printables", "ignored", start + " \t~", Rua{kMail}},
      {"second has DEL", "no field of the grammar", start + "a\x7F", std::nullopt},
      {"second is empty", "no field of the grammar", start, std::nullopt},
      {"second has a control", "no field of the grammar", start + "\x01", std::nullopt},
      {"first is garbage", "the first counts", "v=TLSRPTv1; rua=?; rua=" + kMail, std::nullopt},
  });
}

TEST(Rfc8460Sec3Record, SizeIsBounded) {
  std::string list = "v=TLSRPTv1; rua=" + kMail;
  for (std::size_t i = 1; i < kMaxRuaUris; ++i) list += "," + kMail;
  const auto most = parse_record(list);
  ASSERT_TRUE(most.ok());
  EXPECT_EQ(most.value().rua.size(), kMaxRuaUris);
  EXPECT_TRUE(parse_record(list + ",tel:1").ok());
  const auto more = parse_record(list + "," + kWeb);
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error().code, TlsrptRecordError::kTooLarge);

  const std::string start = "v=TLSRPTv1; rua=" + kMail + "; x=";
  const std::string largest = start + std::string(kMaxRecordBytes - start.size(), 'y');
  EXPECT_TRUE(parse_record(largest).ok());
  const auto larger = parse_record(largest + "y");
  ASSERT_FALSE(larger.ok());
  EXPECT_EQ(larger.error().code, TlsrptRecordError::kTooLarge);
}

TEST(Rfc8460Sec3Record, FailureShowsHostileTextEscapedAndCut) {
  const auto refused = parse_record("v=TLSRPTv1; rua=" + std::string(5000, '\xFE'));
  ASSERT_FALSE(refused.ok());
  const std::string& detail = refused.error().detail;
  EXPECT_LT(detail.size(), 200U);
  EXPECT_EQ(detail.find('\xFE'), std::string::npos);
  EXPECT_EQ(detail.find("byte 17: rua: found "), 0U) << detail;
}

enum class Found { kNothing, kRecord, kMultiple, kSyntax, kTooLarge };

Found outcome_of(const std::vector<std::string>& texts) {
  const auto record = find_record(texts);
  if (record.ok()) return record.value().has_value() ? Found::kRecord : Found::kNothing;
  switch (record.error().code) {
    case TlsrptRecordError::kMultiple:
      return Found::kMultiple;
    case TlsrptRecordError::kSyntax:
      return Found::kSyntax;
    case TlsrptRecordError::kTooLarge:
      return Found::kTooLarge;
  }
  return Found::kNothing;
}

TEST(Rfc8460Sec3Discovery, ExactlyOneRecordIsLeft) {
  const std::string good = "v=TLSRPTv1; rua=" + kMail;
  const std::string spaced = "v=TLSRPTv1 ; rua=" + kMail;
  const std::string spf = "v=spf1 -all";
  struct DiscoveryCase {
    const char* name;
    const char* rule;
    std::vector<std::string> input;
    Found want;
  };
  const std::vector<DiscoveryCase> cases = {
      {"no record", "nothing published", {}, Found::kNothing},
      {"one", "exactly one", {good}, Found::kRecord},
      {"one among others", "the others are discarded", {spf, good, ""}, Found::kRecord},
      {"one unrelated", "a wildcard's record, not an error", {spf}, Found::kNothing},
      {"two unrelated", "both discarded", {spf, "v=TLSRPTv2; rua=" + kMail}, Found::kNothing},
      {"two good", "not exactly one", {good, "v=TLSRPTv1; rua=" + kWeb}, Found::kMultiple},
      {"the same twice", "not exactly one", {good, good}, Found::kMultiple},
      {"good and malformed", "both are left", {"v=TLSRPTv1;", good}, Found::kMultiple},
      {"one malformed", "the grammar", {"v=TLSRPTv1; rua=r@a.example"}, Found::kSyntax},
      {"version alone", "the grammar", {"v=TLSRPTv1"}, Found::kSyntax},
      {"single with space", "valid by the grammar", {spaced}, Found::kRecord},
      {"with space beside other", "discarded", {spaced, spf}, Found::kNothing},
      {"with space beside good", "discarded", {spaced, good}, Found::kRecord},
      {"large",
       "kMaxRecordBytes",
       {good + "; x=" + std::string(kMaxRecordBytes, 'y')},
       Found::kTooLarge},
  };
  for (const DiscoveryCase& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    EXPECT_EQ(outcome_of(c.input), c.want);
  }
}

}  // namespace
}  // namespace strictmx::tlsrpt
