// mta_sts_policy_test.cc - the policy body of RFC 8461 §3.2.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/mta_sts/policy.h"

namespace strictmx::mta_sts {
namespace {

using std::chrono::seconds;
using std::string_literals::operator""s;
using enum PolicyError;

constexpr std::nullopt_t kAccepted = std::nullopt;

// The three fields before `rest`, so that a row shows one thing.
std::string enforce(const std::string& rest) {
  return "version: STSv1\nmode: enforce\nmax_age: 86400\n" + rest;
}

std::string with_mx(const std::string& rest) { return enforce("mx: a.example\n" + rest); }

struct Case {
  const char* name;
  const char* rule;
  std::string input;
  std::optional<PolicyError> want;
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    const auto policy = parse_policy(c.input);
    EXPECT_EQ(policy.ok(), !c.want.has_value()) << (policy.ok() ? "" : policy.error().detail);
    if (!policy.ok() && c.want.has_value()) {
      EXPECT_EQ(policy.error().code, *c.want) << policy.error().detail;
      if (*c.want != kTooLarge) {
        EXPECT_TRUE(policy.error().detail.ends_with(" (RFC 8461 §3.2)")) << policy.error().detail;
      }
    }
  }
}

TEST(Rfc8461Sec32Policy, ExampleOfTheRfcIsRead) {
  const auto policy = parse_policy(
      "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n"
      "mx: backupmx.example.com\r\nmax_age: 604800\r\n");
  ASSERT_TRUE(policy.ok());
  const Policy want = {PolicyMode::kEnforce,
                       seconds(604800),
                       {"mail.example.com", "*.example.net", "backupmx.example.com"},
                       {"version: STSv1", "mode: enforce", "mx: mail.example.com",
                        "mx: *.example.net", "mx: backupmx.example.com", "max_age: 604800"}};
  EXPECT_EQ(policy.value(), want);
}

TEST(Rfc8461Sec32Policy, FieldsComeInAnyOrder) {
  check({
      {"version last", "no order in the grammar",
       "mx: a.example\nmax_age: 1\nmode: testing\nversion: STSv1\n", kAccepted},
      {"mx first", "no order in the grammar",
       "mx: a.example\nversion: STSv1\nmode: enforce\nmax_age: 1", kAccepted},
      {"extension first", "no order in the grammar", "x: y\n" + with_mx(""), kAccepted},
  });
}

TEST(Rfc8461Sec32Policy, RequiredFieldsAreThere) {
  check({
      {"empty body", "version is required", "", kMissing},
      {"only empty lines", "version is required", "\n\r\n\n", kMissing},
      {"no version", "required once", "mode: enforce\nmx: a.example\nmax_age: 1\n", kMissing},
      {"no mode", "required once", "version: STSv1\nmx: a.example\nmax_age: 1\n", kMissing},
      {"no max_age", "required once", "version: STSv1\nmode: enforce\nmx: a.example\n", kMissing},
      {"no mx, enforce", "at least once", enforce(""), kMissing},
      {"no mx, testing", "at least once", "version: STSv1\nmode: testing\nmax_age: 1\n", kMissing},
      {"no mx, none", "except when mode is none", "version: STSv1\nmode: none\nmax_age: 1\n",
       kAccepted},
      {"mx with none", "legal, opt-out of a whole policy",
       "version: STSv1\nmode: none\nmax_age: 1\nmx: a.example\n", kAccepted},
      {"bad mx with none", "still by the grammar",
       "version: STSv1\nmode: none\nmax_age: 1\nmx: *\n", kMxPattern},
  });
}

TEST(Rfc8461Sec32Policy, UnknownVersionIsRejected) {
  const std::string rest = "\nmode: enforce\nmax_age: 1\nmx: a.example\n";
  check({
      {"STSv1", "only STSv1", "version: STSv1" + rest, kAccepted},
      {"STSv2", "only STSv1", "version: STSv2" + rest, kVersion},
      {"lower case", "%s: case-sensitive", "version: stsv1" + rest, kVersion},
      {"empty", "only STSv1", "version:" + rest, kVersion},
      {"quoted", "only STSv1", "version: \"STSv1\"" + rest, kVersion},
      {"longer", "only STSv1", "version: STSv1;" + rest, kVersion},
      {"upper-case key", "%s: another field", "Version: STSv1" + rest, kMissing},
      {"as in the TXT record", "the key is version", "v: STSv1" + rest, kMissing},
  });
}

TEST(Rfc8461Sec32Policy, UnknownModeIsRejected) {
  const auto body = [](const std::string& mode) {
    return "version: STSv1\nmode:" + mode + "\nmax_age: 1\nmx: a.example\n";
  };
  check({
      {"enforce", "sts-policy-mode-value", body(" enforce"), kAccepted},
      {"testing", "sts-policy-mode-value", body(" testing"), kAccepted},
      {"none", "sts-policy-mode-value", body(" none"), kAccepted},
      {"report", "a draft's name", body(" report"), kMode},
      {"upper case", "%s: case-sensitive", body(" Enforce"), kMode},
      {"prefix", "whole value", body(" enforced"), kMode},
      {"two", "one value", body(" enforce testing"), kMode},
      {"empty", "sts-policy-mode-value", body(""), kMode},
      {"white space only", "sts-policy-mode-value", body(" \t "), kMode},
      {"upper-case key", "%s: another field",
       "version: STSv1\nMode: enforce\nmax_age: 1\nmx: a.example\n", kMissing},
  });
}

TEST(Rfc8461Sec32Policy, MaxAgeIsOneToTenDigits) {
  struct AgeCase {
    const char* name;
    const char* rule;
    const char* input;
    std::optional<seconds> want;
  };
  const std::vector<AgeCase> cases = {
      {"zero", "non-negative", "0", seconds(0)},
      {"one", "seconds", "1", seconds(1)},
      {"leading zeros", "1*10DIGIT", "0000000060", seconds(60)},
      {"below the maximum", "31557600", "31557599", seconds(31557599)},
      {"the maximum", "31557600", "31557600", seconds(31557600)},
      {"above the maximum", "counts as the maximum", "31557601", seconds(31557600)},
      {"ten digits", "erratum 7282", "9999999999", seconds(31557600)},
      {"eleven digits", "1*10DIGIT", "10000000000", std::nullopt},
      {"eleven with zeros", "1*10DIGIT", "00000000060", std::nullopt},
      {"empty", "1*10DIGIT", "", std::nullopt},
      {"minus", "DIGIT", "-1", std::nullopt},
      {"plus", "DIGIT", "+1", std::nullopt},
      {"fraction", "DIGIT", "1.5", std::nullopt},
      {"hexadecimal", "DIGIT", "0x10", std::nullopt},
      {"exponent", "DIGIT", "1e6", std::nullopt},
      {"unit", "DIGIT", "7d", std::nullopt},
      {"grouped", "DIGIT", "604 800", std::nullopt},
      {"comma", "DIGIT", "604,800", std::nullopt},
      {"fullwidth digit", "DIGIT", "\xEF\xBC\x91", std::nullopt},
  };
  for (const AgeCase& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    const auto policy = parse_policy("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: " +
                                     std::string(c.input));
    EXPECT_EQ(policy.ok(), c.want.has_value());
    if (policy.ok() && c.want.has_value()) {
      EXPECT_EQ(policy.value().max_age, *c.want);
    }
    if (!policy.ok()) {
      EXPECT_EQ(policy.error().code, kMaxAge);
    }
  }
}

TEST(Rfc8461Sec32Policy, MxIsDomainOrWildcardAndDomain) {
  const std::string label63(63, 'a');
  const std::string name253 = label63 + "." + label63 + "." + label63 + "." + std::string(61, 'b');
  ASSERT_EQ(name253.size(), 253U);
  const auto mx = [](const std::string& pattern) { return enforce("mx: " + pattern + "\n"); };
  check({
      {"host", "Domain", mx("mail.example.com"), kAccepted},
      {"wildcard", "[\"*.\"] Domain", mx("*.example.com"), kAccepted},
      {"one label", "Domain of one sub-domain", mx("mail"), kAccepted},
      {"wildcard and one label", "[\"*.\"] Domain", mx("*.com"), kAccepted},
      {"upper case", "names have no letter case", mx("MAIL.Example.COM"), kAccepted},
      {"digits and hyphens", "Let-dig [Ldh-str]", mx("1-a--b.2.example"), kAccepted},
      {"A-label", "IDN as A-label", mx("xn--bcher-kva.example"), kAccepted},
      {"U-label", "MUST be the A-label",
       mx("b\xC3\xBC"
          "cher.example"),
       kMxPattern},
      {"label of 63", "RFC 1035 §2.3.4", mx(label63 + ".example"), kAccepted},
      {"label of 64", "RFC 1035 §2.3.4", mx("a" + label63 + ".example"), kMxPattern},
      {"name of 253", "RFC 1035 §2.3.4", mx(name253), kAccepted},
      {"name of 254", "RFC 1035 §2.3.4", mx(name253 + "b"), kMxPattern},
      {"empty", "Domain", mx(""), kMxPattern},
      {"star alone", "needs a Domain", mx("*"), kMxPattern},
      {"star and dot", "needs a Domain", mx("*."), kMxPattern},
      {"two stars", "one, left-most", mx("*.*.example.com"), kMxPattern},
      {"star inside", "left-most only", mx("mail.*.example.com"), kMxPattern},
      {"star last", "left-most only", mx("mail.*"), kMxPattern},
      {"partial label", "entire label only", mx("mx*.example.com"), kMxPattern},
      {"partial label before", "entire label only", mx("*mx.example.com"), kMxPattern},
      {"leading dot", "Domain", mx(".example.com"), kMxPattern},
      {"trailing dot", "Domain has none", mx("mail.example.com."), kMxPattern},
      {"wildcard, trailing dot", "Domain has none", mx("*.example.com."), kMxPattern},
      {"empty label", "Domain", mx("mail..example.com"), kMxPattern},
      {"underscore", "Let-dig [Ldh-str]", mx("_mail.example.com"), kMxPattern},
      {"hyphen first", "Let-dig first", mx("-mail.example.com"), kMxPattern},
      {"hyphen last", "Let-dig last", mx("mail-.example.com"), kMxPattern},
      {"address", "last label of digits only", mx("192.0.2.1"), kMxPattern},
      {"wildcard and digits", "last label of digits only", mx("*.2.1"), kMxPattern},
      {"digits and a letter", "last label has a letter", mx("192.0.2.1a"), kAccepted},
      {"address literal", "no part of Domain", mx("[192.0.2.1]"), kMxPattern},
      {"IPv6 literal", "no part of Domain", mx("[IPv6:2001:db8::1]"), kMxPattern},
      {"IPv6 address", "Domain", mx("2001:db8::1"), kMxPattern},
      {"port", "Domain", mx("mail.example.com:25"), kMxPattern},
      {"preference", "Domain", mx("10 mail.example.com"), kMxPattern},
      {"list", "each MX its own line", mx("a.example, b.example"), kMxPattern},
      {"two hosts", "each MX its own line", mx("a.example b.example"), kMxPattern},
      {"comment", "no comments", mx("a.example # primary"), kMxPattern},
      {"URL", "Domain", mx("https://a.example"), kMxPattern},
  });
}

TEST(Rfc8461Sec32Policy, MxPatternsAreLowerCaseAndUnrepeated) {
  const auto policy = parse_policy(
      enforce("mx: B.Example\nmx: *.a.example\nmx: b.example\nmx: a.example\nmx: *.A.example"));
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy.value().mx, (std::vector<std::string>{"b.example", "*.a.example", "a.example"}));
  EXPECT_EQ(policy.value().lines,
            (std::vector<std::string>{"version: STSv1", "mode: enforce", "max_age: 86400",
                                      "mx: B.Example", "mx: *.a.example", "mx: b.example",
                                      "mx: a.example", "mx: *.A.example"}));
}

TEST(Rfc8461Sec32Policy, LineEndIsLfOrCrlf) {
  check({
      {"LF", "sts-policy-term", with_mx(""), kAccepted},
      {"CRLF", "erratum 6253", "version: STSv1\r\nmode: enforce\r\nmax_age: 1\r\nmx: a.example\r\n",
       kAccepted},
      {"mixed", "each line for itself",
       "version: STSv1\nmode: enforce\r\nmax_age: 1\nmx: a.example\r\n", kAccepted},
      {"none after the last", "[sts-policy-term]", enforce("mx: a.example"), kAccepted},
      {"bare CR", "no line end", "version: STSv1\rmode: enforce\rmax_age: 1\rmx: a.example",
       kSyntax},
      {"CR after the last", "no line end", enforce("mx: a.example\r"), kSyntax},
      {"two CR", "the first is bare", enforce("mx: a.example\r\r\n"), kSyntax},
      {"CR before white space", "bare", enforce("mx: a.example\r \n"), kSyntax},
      {"LF CR", "the CR begins the next line", enforce("mx: a.example\n\rx: y"), kSyntax},
      {"form feed", "no line end", enforce("mx: a.example\f"), kSyntax},
      {"line separator", "U+2028 is no line end", enforce("mx: a.example\xE2\x80\xA8x: y"),
       kMxPattern},
      {"empty lines", "departure: skipped", "\n" + enforce("\r\n\nmx: a.example\n\n\n"), kAccepted},
      {"lone CR as a line", "no empty line", enforce("mx: a.example\n\r"), kSyntax},
      {"white space as a line", "not empty, and no field", with_mx(" \n"), kSyntax},
  });
}

TEST(Rfc8461Sec32Policy, WhiteSpaceStandsAfterColonAndAfterValue) {
  check({
      {"none after colon", "\":\" *WSP", "version:STSv1\nmode:enforce\nmax_age:1\nmx:a.example\n",
       kAccepted},
      {"much after colon", "\":\" *WSP", enforce("mx: \t \ta.example\n"), kAccepted},
      {"after value", "field *WSP", enforce("mx: a.example \t \n"), kAccepted},
      {"after value, CRLF", "field *WSP", enforce("mx: a.example \r\n"), kAccepted},
      {"after value, end", "field *WSP", enforce("mx: a.example "), kAccepted},
      {"before colon", "key right before \":\"", enforce("mx : a.example\n"), kSyntax},
      {"tab before colon", "key right before \":\"", enforce("mx\t: a.example\n"), kSyntax},
      {"before key", "no indent", enforce(" mx: a.example\n"), kSyntax},
      {"tab before key", "no indent", enforce("\tmx: a.example\n"), kSyntax},
      {"folded", "no continuation lines", enforce("mx:\n a.example\n"), kMxPattern},
      {"no-break space", "WSP is SP / HTAB", enforce("mx: a.example\xC2\xA0\n"), kMxPattern},
  });
}

TEST(Rfc8461Sec32Policy, ByteOrderMarkIsRejected) {
  check({
      {"first in the body", "not in the grammar", "\xEF\xBB\xBF" + with_mx(""), kSyntax},
      {"UTF-16", "not in the grammar", "\xFF\xFEv\0e\0"s, kSyntax},
      {"in an extension's value", "U+FEFF is UTF8-3", with_mx("x: \xEF\xBB\xBFy\n"), kAccepted},
  });
}

TEST(Rfc8461Sec32Policy, ExtensionsAreCheckedAndIgnored) {
  const std::string name32 = "a" + std::string(31, '_');
  check({
      {"unknown key", "SHALL be ignored", with_mx("contact: postmaster@a.example\n"), kAccepted},
      {"key of all kinds", "sts-policy-ext-name", with_mx("9a_B-c.d: y\n"), kAccepted},
      {"ends of the ranges", "alphanum", with_mx("azAZ09: y\n"), kAccepted},
      {"a first", "alphanum", with_mx("a: y\n"), kAccepted},
      {"z first", "alphanum", with_mx("z: y\n"), kAccepted},
      {"A first", "alphanum", with_mx("A: y\n"), kAccepted},
      {"Z first", "alphanum", with_mx("Z: y\n"), kAccepted},
      {"before A", "alphanum", with_mx("@a: y\n"), kSyntax},
      {"after Z", "alphanum", with_mx("[a: y\n"), kSyntax},
      {"before a", "alphanum", with_mx("`a: y\n"), kSyntax},
      {"after z", "alphanum", with_mx("{a: y\n"), kSyntax},
      {"key of 32", "*31", with_mx(name32 + ": y\n"), kAccepted},
      {"key of 33", "*31", with_mx(name32 + "_: y\n"), kSyntax},
      {"underscore first", "alphanum first", with_mx("_x: y\n"), kSyntax},
      {"hyphen first", "alphanum first", with_mx("-x: y\n"), kSyntax},
      {"no key", "sts-policy-ext-name", with_mx(": y\n"), kSyntax},
      {"no colon", "sts-policy-field-delim", with_mx("hello\n"), kSyntax},
      {"equals for colon", "sts-policy-field-delim", with_mx("x=y\n"), kSyntax},
      {"comment", "no comments", with_mx("# mx: b.example\n"), kSyntax},
      {"key not ASCII", "sts-policy-alphanum", with_mx("\xC3\xA9: y\n"), kSyntax},
      {"no value", "sts-policy-vchar once", with_mx("x:\n"), kSyntax},
      {"white space for a value", "sts-policy-vchar once", with_mx("x: \t\n"), kSyntax},
      {"inner spaces", "*(%x20 / vchar)", with_mx("x: a  b c\n"), kAccepted},
      {"inner tab", "%x20 only", with_mx("x: a\tb\n"), kSyntax},
      {"colons in value", "%x21-7E", with_mx("x: a:b: c\n"), kAccepted},
      {"HTML", "no policy", "<!DOCTYPE html>\n<html></html>\n", kSyntax},
      {"JSON", "no policy", R"({"version": "STSv1"})", kSyntax},
      {"two fields in a line", "one a line", "version: STSv1; mode: enforce", kVersion},
  });
}

TEST(Rfc8461Sec32Policy, ValuesAreUtf8WithoutControls) {
  const auto x = [](const std::string& value) { return with_mx("x: a" + value + "b\n"); };
  check({
      {"lowest printable", "%x21", x("!"), kAccepted},
      {"highest printable", "%x7E", x("~"), kAccepted},
      {"NUL", "CTL", x("\0"s), kSyntax},
      {"unit separator", "CTL, below the space", x("\x1F"), kSyntax},
      {"DEL", "CTL", x("\x7F"), kSyntax},
      {"escape", "CTL", x("\x1B[31m"), kSyntax},
      {"U+0080", "lowest UTF8-2", x("\xC2\x80"), kAccepted},
      {"U+07FF", "highest UTF8-2", x("\xDF\xBF"), kAccepted},
      {"U+0800", "lowest UTF8-3", x("\xE0\xA0\x80"), kAccepted},
      {"U+D7FF", "below the surrogates", x("\xED\x9F\xBF"), kAccepted},
      {"U+D800", "surrogate", x("\xED\xA0\x80"), kSyntax},
      {"U+DFFF", "surrogate", x("\xED\xBF\xBF"), kSyntax},
      {"U+E000", "above the surrogates", x("\xEE\x80\x80"), kAccepted},
      {"U+FFFF", "highest UTF8-3", x("\xEF\xBF\xBF"), kAccepted},
      {"U+10000", "lowest UTF8-4", x("\xF0\x90\x80\x80"), kAccepted},
      {"U+10FFFF", "highest UTF8-4", x("\xF4\x8F\xBF\xBF"), kAccepted},
      {"U+110000", "above Unicode", x("\xF4\x90\x80\x80"), kSyntax},
      {"F5", "above Unicode", x("\xF5\x80\x80\x80"), kSyntax},
      {"FF", "never in UTF-8", x("\xFF"), kSyntax},
      {"overlong slash C0", "overlong", x("\xC0\xAF"), kSyntax},
      {"overlong C1", "overlong", x("\xC1\xBF"), kSyntax},
      {"overlong E0", "overlong", x("\xE0\x9F\xBF"), kSyntax},
      {"overlong F0", "overlong", x("\xF0\x8F\xBF\xBF"), kSyntax},
      {"tail alone", "no first byte", x("\x80"), kSyntax},
      {"two-byte cut", "tail missing", x("\xC3"), kSyntax},
      {"three-byte cut", "tail missing", x("\xE2\x82"), kSyntax},
      {"four-byte cut", "tail missing", x("\xF0\x9F\x98"), kSyntax},
      {"second byte C0", "above a tail", x("\xC3\xC0"), kSyntax},
      {"second byte 7F", "below a tail", x("\xC3\x7F"), kSyntax},
      {"third byte C0", "above a tail", x("\xE2\x82\xC0"), kSyntax},
      {"third byte 7E", "below a tail", x("\xE2\x82~"), kSyntax},
      {"fourth byte C0", "above a tail", x("\xF0\x9F\x98\xC0"), kSyntax},
      {"cut by the end", "tail missing", with_mx("x: \xE2\x82"), kSyntax},
      {"Latin-1", "tail missing", x("\xFC"), kSyntax},
      {"in a known field", "UTF-8 there too", enforce("mx: a\xFF.example\n"), kSyntax},
  });
}

TEST(Rfc8461Sec32Policy, FirstOfRepeatedFieldsWins) {
  const auto policy = parse_policy(
      "version: STSv1\nversion: STSv9\nmode: testing\nmode: enforce\nmode: ???\n"
      "max_age: 100\nmax_age: soon\nmax_age: 200\nx: 1\nx: 2\nmx: a.example\nX: 3\n");
  ASSERT_TRUE(policy.ok()) << policy.error().detail;
  const Policy want = {
      PolicyMode::kTesting,
      seconds(100),
      {"a.example"},
      {"version: STSv1", "mode: testing", "max_age: 100", "x: 1", "mx: a.example", "X: 3"}};
  EXPECT_EQ(policy.value(), want);
  check({
      {"garbage first", "the first counts", "mode: ???\n" + with_mx(""), kMode},
      {"repeat without value", "no field of the grammar", with_mx("mode:\n"), kSyntax},
      {"repeat with a control", "no field of the grammar", with_mx("mode: \x01\n"), kSyntax},
      {"later mx is bad", "mx is not a repeated field", with_mx("mx: *\n"), kMxPattern},
  });
}

TEST(Rfc8461Sec32Policy, LinesAreKeyColonSpaceValue) {
  const auto policy = parse_policy(
      "version:STSv1\r\n\r\nmode:\t enforce \t\r\nmax_age:007\nmx:   MX.Example  \nx: a  \xC3\xA9");
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy.value().lines,
            (std::vector<std::string>{"version: STSv1", "mode: enforce", "max_age: 007",
                                      "mx: MX.Example", "x: a  \xC3\xA9"}));
}

// Our own form of a line has a blank that the published one may lack: what was accepted is read
// back.
TEST(Rfc8461Sec33Policy, AcceptedPolicyOfTheLargestSizeIsReadBack) {
  std::string body = "version:STSv1\nmode:enforce\nmax_age:604800\n";
  for (int i = 0; body.size() + 64 < kMaxPolicyBytes && i < 500; ++i) {
    std::string host = "h" + std::to_string(i);
    while (host.size() < 115) host += (host.size() % 40 == 39) ? ".x" : "x";
    body += "mx:" + host + ".example\n";
  }
  while (body.size() + 8 < kMaxPolicyBytes) body += "x:y\n";
  const auto published = parse_policy(body);
  ASSERT_TRUE(published.ok()) << published.error().detail;
  std::string stored;
  for (const std::string& line : published.value().lines) stored += line + "\n";
  const auto back = parse_accepted_policy(stored);
  ASSERT_TRUE(back.ok()) << back.error().detail;
  EXPECT_EQ(back.value(), published.value());
}

TEST(Rfc8461Sec33Policy, SizeIsBounded) {
  const std::string start = with_mx("x: ");
  const std::string largest = start + std::string(kMaxPolicyBytes - start.size(), 'y');
  const std::string empty_lines(kMaxPolicyLines - 4, '\n');
  std::string patterns;
  for (std::size_t i = 0; i < kMaxMxPatterns; ++i) {
    patterns += "mx: h" + std::to_string(i) + ".example\n";
  }
  check({
      {"64 KiB", "suggested maximum", largest, kAccepted},
      {"a byte more", "suggested maximum", largest + "y", kTooLarge},
      {"2048 lines", "kMaxPolicyLines", with_mx(empty_lines), kAccepted},
      {"2049 lines", "kMaxPolicyLines", with_mx(empty_lines + "\n"), kTooLarge},
      {"2049 lines, no LF", "kMaxPolicyLines", with_mx(empty_lines + "x: y"), kTooLarge},
      {"512 patterns", "kMaxMxPatterns", enforce(patterns), kAccepted},
      {"512 and a repeat", "repeats are one", enforce(patterns + "mx: H0.example\n"), kAccepted},
      {"513 patterns", "kMaxMxPatterns", enforce(patterns + "mx: z.example\n"), kTooLarge},
  });
}

TEST(Rfc8461Sec32Policy, FailureNamesLineAndFind) {
  struct DetailCase {
    const char* name;
    std::string input;
    const char* want;
  };
  const std::vector<DetailCase> cases = {
      {"mx", "version: STSv1\nmode: enforce\nmx: *\n", "line 3: mx: found *, want a domain"},
      {"empty lines count", "\n\nversion: STSv1\nmode: on\n", "line 4: mode: found on, want"},
      {"version", "version: 1\n", "line 1: version: found 1, want STSv1"},
      {"max_age", "max_age: 1d\n", "line 1: max_age: found 1d, want 1 to 10 digits"},
      {"no colon", "a b\n", "line 1: found \"a b\", want key: value"},
      {"missing", "version: STSv1\nmode: none\n", "max_age is missing (RFC 8461 §3.2)"},
      {"mx missing", enforce(""), "mx is missing"},
      {"escaped", "x: \x1B[2J\n", R"(line 1: x: control character in "\x1b[2J")"},
      {"byte order mark", "\xEF\xBB\xBFversion: STSv1", "line 1: UTF-8 byte order mark"},
  };
  for (const DetailCase& c : cases) {
    SCOPED_TRACE(c.name);
    const auto policy = parse_policy(c.input);
    ASSERT_FALSE(policy.ok());
    EXPECT_EQ(policy.error().detail.find(c.want), 0U) << policy.error().detail;
  }
}

TEST(Rfc8461Sec32Policy, FailureCutsHostileText) {
  for (const char byte : {'\x1B', '\xFF', '"', 'a', '\\'}) {
    SCOPED_TRACE(static_cast<int>(byte));
    for (const char* key : {"", "mode: ", "mx: ", "x: \xFF"}) {
      const auto policy = parse_policy(key + std::string(9000, byte));
      ASSERT_FALSE(policy.ok());
      const std::string& detail = policy.error().detail;
      EXPECT_LT(detail.size(), 200U);
      EXPECT_EQ(detail.find('\x1B'), std::string::npos);
      EXPECT_EQ(detail.find('\xFF'), std::string::npos);
    }
  }
}

TEST(Rfc8461Sec32Policy, FailureShowsSixtyCharactersAtMost) {
  const std::string a55(55, 'a');
  std::string umlauts;
  std::string escapes;
  for (int i = 0; i < 30; ++i) umlauts += "\xC3\xBC";
  for (int i = 0; i < 6; ++i) escapes += R"(\xc3\xbc)";
  struct ShownCase {
    const char* name;
    std::string input;
    std::string want;
  };
  const std::vector<ShownCase> cases = {
      {"plain word", "shout", "shout"},
      {"no plain word", "a=b", "\"a=b\""},
      {"55 plain", a55, a55},
      {"56 plain", a55 + "a", "\"" + a55 + "...\""},
      {"umlauts", umlauts, "\"" + escapes + "\\xc3...\""},
  };
  for (const ShownCase& c : cases) {
    SCOPED_TRACE(c.name);
    const auto policy = parse_policy("mode: " + c.input);
    ASSERT_FALSE(policy.ok());
    EXPECT_EQ(policy.error().detail,
              "line 1: mode: found " + c.want + ", want enforce, testing or none (RFC 8461 §3.2)");
    EXPECT_LE(c.want.size(), 60U);
  }
}

TEST(Rfc8461Sec32PolicyMode, NamesAreThoseOfTheRfc) {
  EXPECT_EQ(policy_mode_name(PolicyMode::kEnforce), "enforce");
  EXPECT_EQ(policy_mode_name(PolicyMode::kTesting), "testing");
  EXPECT_EQ(policy_mode_name(PolicyMode::kNone), "none");
  for (const auto mode : {PolicyMode::kEnforce, PolicyMode::kTesting, PolicyMode::kNone}) {
    EXPECT_EQ(policy_mode_from_name(policy_mode_name(mode)), mode);
  }
  for (const char* name : {"", "Enforce", "NONE", "report", "none ", "test"}) {
    SCOPED_TRACE(name);
    EXPECT_FALSE(policy_mode_from_name(name).has_value());
  }
}

}  // namespace
}  // namespace strictmx::mta_sts
