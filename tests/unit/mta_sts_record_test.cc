// mta_sts_record_test.cc - the TXT record of RFC 8461 §3.1, by grammar and by discard rule.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/mta_sts/record.h"

namespace strictmx::mta_sts {
namespace {

using std::string_literals::operator""s;

const std::string kLetters32 = "abcdefghijklmnopqrstuvwxyzABCDEF";

struct GrammarCase {
  const char* name;
  const char* rule;
  std::string input;
  std::optional<std::string> want;  // the id, or kSyntax
};

void check_grammar(const std::vector<GrammarCase>& cases) {
  for (const GrammarCase& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    const auto record = parse_record(c.input);
    EXPECT_EQ(record.ok(), c.want.has_value());
    if (record.ok() && c.want.has_value()) {
      EXPECT_EQ(record.value().id, *c.want);
    }
    if (record.ok()) continue;
    EXPECT_EQ(record.error().code, RecordError::kSyntax);
    EXPECT_NE(record.error().detail.find("(RFC 8461 §3.1)"), std::string::npos);
    EXPECT_EQ(record.error().detail.find("byte "), 0U);
  }
}

TEST(Rfc8461Sec31Record, VersionComesFirst) {
  check_grammar({
      {"example", "the RFC's own example", "v=STSv1; id=20160831085700Z;", "20160831085700Z"},
      {"empty", "sts-version is required", "", std::nullopt},
      {"version only", "1*(sts-field-delim sts-field)", "v=STSv1", std::nullopt},
      {"version and delimiter", "1*(sts-field-delim sts-field)", "v=STSv1;", std::nullopt},
      {"lower case", "%s: case-sensitive", "v=stsv1; id=1", std::nullopt},
      {"upper case key", "%s: case-sensitive", "V=STSv1; id=1", std::nullopt},
      {"other version", "only STSv1", "v=STSv2; id=1", std::nullopt},
      {"longer version", "a delimiter follows", "v=STSv10; id=1", std::nullopt},
      {"leading space", "MUST begin with sts-version", " v=STSv1; id=1", std::nullopt},
      {"space in version", "no space around =", "v = STSv1; id=1", std::nullopt},
      {"id before version", "MUST begin with sts-version", "id=1; v=STSv1", std::nullopt},
      {"quotes", "MUST begin with sts-version", "\"v=STSv1; id=1\"", std::nullopt},
      {"second version", "a repeat is ignored (§3.2)", "v=STSv1; v=STSv2; id=1", "1"},
  });
}

TEST(Rfc8461Sec31Record, IdHasOneTo32LettersAndDigits) {
  check_grammar({
      {"one", "1*32", "v=STSv1; id=a", "a"},
      {"thirty-two", "1*32", "v=STSv1; id=" + kLetters32, kLetters32},
      {"thirty-three", "1*32", "v=STSv1; id=" + kLetters32 + "G", std::nullopt},
      {"none", "1*32", "v=STSv1; id=", std::nullopt},
      {"none before delimiter", "1*32", "v=STSv1; id=;", std::nullopt},
      {"letter case kept", "ALPHA / DIGIT", "v=STSv1; id=aZ09", "aZ09"},
      {"hyphen", "ALPHA / DIGIT", "v=STSv1; id=2016-08-31", std::nullopt},
      {"underscore", "ALPHA / DIGIT", "v=STSv1; id=a_b", std::nullopt},
      {"dot", "ALPHA / DIGIT", "v=STSv1; id=1.0", std::nullopt},
      {"equals sign", "ALPHA / DIGIT", "v=STSv1; id=a=b", std::nullopt},
      {"inner space", "ALPHA / DIGIT", "v=STSv1; id=a b", std::nullopt},
      {"space after =", "ALPHA / DIGIT", "v=STSv1; id= a", std::nullopt},
      {"space before =", "%s\"id=\"", "v=STSv1; id =a", std::nullopt},
      {"not ASCII", "MUST be US-ASCII", "v=STSv1; id=\xC3\xA9", std::nullopt},
      {"NUL", "ALPHA / DIGIT", "v=STSv1; id=a\0b"s, std::nullopt},
      {"missing", "required", "v=STSv1; x=1", std::nullopt},
      {"upper-case key", "%s: case-sensitive", "v=STSv1; ID=1", std::nullopt},
      {"mixed-case key", "%s: case-sensitive", "v=STSv1; Id=1", std::nullopt},
      {"upper-case key beside it", "ID is an extension", "v=STSv1; ID=9; id=1", "1"},
  });
}

TEST(Rfc8461Sec32Record, FirstOfRepeatedFieldsWins) {
  check_grammar({
      {"two ids", "all but the first ignored", "v=STSv1; id=1; id=2", "1"},
      {"same id", "all but the first ignored", "v=STSv1; id=1; id=1;", "1"},
      {"garbage later", "ignored, an sts-extension", "v=STSv1; id=1; id=a-b!", "1"},
      {"too long later", "ignored, an sts-extension", "v=STSv1; id=1; id=x" + kLetters32, "1"},
      {"garbage first", "the first counts", "v=STSv1; id=a-b; id=1", std::nullopt},
      {"empty later", "no field of the grammar", "v=STSv1; id=1; id=", std::nullopt},
      {"repeated extension", "all but the first ignored", "v=STSv1; id=1; x=1; x=2", "1"},
  });
}

TEST(Rfc8461Sec31Record, DelimiterIsOneSemicolonInWhiteSpace) {
  check_grammar({
      {"no space", "*WSP", "v=STSv1;id=1", "1"},
      {"spaces both sides", "*WSP", "v=STSv1  ;   id=1 ; ", "1"},
      {"tabs", "WSP is SP / HTAB", "v=STSv1\t;\tid=1", "1"},
      {"trailing delimiter", "[sts-field-delim]", "v=STSv1; id=1;", "1"},
      {"trailing delimiter and space", "[sts-field-delim]", "v=STSv1; id=1; \t", "1"},
      {"space before it", "[sts-field-delim]", "v=STSv1; id=1 ;", "1"},
      {"trailing space alone", "*WSP needs the semicolon", "v=STSv1; id=1 ", std::nullopt},
      {"trailing tab alone", "*WSP needs the semicolon", "v=STSv1; id=1\t", std::nullopt},
      {"two trailing delimiters", "[sts-field-delim]", "v=STSv1; id=1;;", std::nullopt},
      {"two with a space", "[sts-field-delim]", "v=STSv1; id=1; ;", std::nullopt},
      {"empty field", "sts-field is not empty", "v=STSv1;; id=1", std::nullopt},
      {"space for delimiter", "sts-field-delim", "v=STSv1 id=1", std::nullopt},
      {"comma for delimiter", "sts-field-delim", "v=STSv1, id=1", std::nullopt},
      {"line feed", "WSP is SP / HTAB", "v=STSv1;\nid=1", std::nullopt},
      {"carriage return at the end", "WSP is SP / HTAB", "v=STSv1; id=1;\r", std::nullopt},
      {"vertical tab", "WSP is SP / HTAB", "v=STSv1;\vid=1", std::nullopt},
      {"no-break space", "MUST be US-ASCII", "v=STSv1;\xC2\xA0id=1", std::nullopt},
  });
}

TEST(Rfc8461Sec31Record, ExtensionsAreCheckedAndIgnored) {
  const std::string name32 = "n" + kLetters32.substr(1);
  check_grammar({
      {"before the id", "order is not significant", "v=STSv1; x=y; id=1", "1"},
      {"after the id", "unknown fields are ignored", "v=STSv1; id=1; x=y;", "1"},
      {"digit first", "ALPHA / DIGIT first", "v=STSv1; id=1; 1x=y", "1"},
      {"all name characters", "sts-ext-name", "v=STSv1; id=1; a_b-c.D9=y", "1"},
      {"ends of the ranges", "ALPHA / DIGIT", "v=STSv1; id=1; azAZ09=y", "1"},
      {"underscore first", "ALPHA / DIGIT first", "v=STSv1; id=1; _x=y", std::nullopt},
      {"hyphen first", "ALPHA / DIGIT first", "v=STSv1; id=1; -x=y", std::nullopt},
      {"dot first", "ALPHA / DIGIT first", "v=STSv1; id=1; .x=y", std::nullopt},
      {"name of 32", "*31", "v=STSv1; id=1; " + name32 + "=y", "1"},
      {"name of 33", "*31", "v=STSv1; id=1; " + name32 + "x=y", std::nullopt},
      {"no name", "sts-ext-name", "v=STSv1; id=1; =y", std::nullopt},
      {"no value", "1*", "v=STSv1; id=1; x=", std::nullopt},
      {"no equals sign", "name=value", "v=STSv1; id=1; x", std::nullopt},
      {"plus in name", "sts-ext-name", "v=STSv1; id=1; a+b=y", std::nullopt},
      {"lowest value character", "%x21", "v=STSv1; id=1; x=!", "1"},
      {"highest value character", "%x7E", "v=STSv1; id=1; x=~", "1"},
      {"around the excluded ones", "%x3A %x3C %x3E", "v=STSv1; id=1; x=:<>", "1"},
      {"equals sign in value", "%x3D is excluded", "v=STSv1; id=1; x=a=b", std::nullopt},
      {"space in value", "%x20 is excluded", "v=STSv1; id=1; x=a b", std::nullopt},
      {"DEL in value", "%x7F is excluded", "v=STSv1; id=1; x=a\x7F", std::nullopt},
      {"control in value", "CTLs are excluded", "v=STSv1; id=1; x=a\x01", std::nullopt},
      {"not ASCII", "MUST be US-ASCII", "v=STSv1; id=1; x=\xC3\xA9", std::nullopt},
      {"garbage before the id", "syntactically invalid", "v=STSv1; ?; id=1", std::nullopt},
  });
}

TEST(Rfc8461Sec31Record, SizeIsBounded) {
  const std::string start = "v=STSv1; id=1; x=";
  const std::string largest = start + std::string(kMaxRecordBytes - start.size(), 'y');
  EXPECT_TRUE(parse_record(largest).ok());
  const auto refused = parse_record(largest + "y");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, RecordError::kTooLarge);
}

TEST(Rfc8461Sec31Record, FailureShowsHostileTextEscapedAndCut) {
  const auto refused = parse_record("v=STSv1; id=" + std::string(5000, '\x1B'));
  ASSERT_FALSE(refused.ok());
  const std::string& detail = refused.error().detail;
  EXPECT_LT(detail.size(), 160U);
  EXPECT_EQ(detail.find('\x1B'), std::string::npos);
  EXPECT_NE(detail.find("\\x1b"), std::string::npos);
  EXPECT_EQ(detail.find("byte 10: id: "), 0U);
}

enum class Found { kNothing, kRecord, kMultiple, kSyntax, kTooLarge };

Found outcome_of(const std::vector<std::string>& texts) {
  const auto record = find_record(texts);
  if (record.ok()) return record.value().has_value() ? Found::kRecord : Found::kNothing;
  switch (record.error().code) {
    case RecordError::kMultiple:
      return Found::kMultiple;
    case RecordError::kSyntax:
      return Found::kSyntax;
    case RecordError::kTooLarge:
      return Found::kTooLarge;
  }
  return Found::kNothing;
}

TEST(Rfc8461Sec31Discovery, ExactlyOneRecordIsLeft) {
  const std::string good = "v=STSv1; id=1";
  const std::string spf = "v=spf1 -all";
  struct Case {
    const char* name;
    const char* rule;
    std::vector<std::string> input;
    Found want;
  };
  const std::vector<Case> cases = {
      {"no record", "nothing published", {}, Found::kNothing},
      {"one", "exactly one", {good}, Found::kRecord},
      {"one among others", "the others are discarded", {spf, good, "x"}, Found::kRecord},
      {"one unrelated", "a wildcard's record, not an error", {spf}, Found::kNothing},
      {"two unrelated", "both discarded", {spf, "google-site=1"}, Found::kNothing},
      {"one empty", "an empty string is unrelated", {""}, Found::kNothing},
      {"another version alone", "does not begin with v=STSv1", {"v=STSv2; id=1"}, Found::kNothing},
      {"another version beside it", "discarded", {"v=STSv2; id=2", good}, Found::kRecord},
      {"two good", "not exactly one", {good, "v=STSv1; id=2"}, Found::kMultiple},
      {"the same twice", "not exactly one", {good, good}, Found::kMultiple},
      {"good and malformed", "both are left", {good, "v=STSv1;"}, Found::kMultiple},
      {"one malformed", "syntactically invalid", {"v=STSv1; id="}, Found::kSyntax},
      {"malformed among others", "syntactically invalid", {spf, "v=STSv1;;id=1"}, Found::kSyntax},
      {"single with space", "erratum 6285: grammar", {"v=STSv1 ; id=1"}, Found::kRecord},
      {"with space beside other",
       "erratum 6285: discarded",
       {"v=STSv1 ; id=1", spf},
       Found::kNothing},
      {"with space beside good",
       "erratum 6285: discarded",
       {"v=STSv1 ; id=2", good},
       Found::kRecord},
      {"lower case beside good", "case-sensitive", {"v=stsv1; id=2", good}, Found::kRecord},
      {"large unrelated", "discarded unread", {std::string(60000, 'x'), good}, Found::kRecord},
      {"large",
       "kMaxRecordBytes",
       {"v=STSv1; id=1; x=" + std::string(kMaxRecordBytes, 'y')},
       Found::kTooLarge},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    EXPECT_EQ(outcome_of(c.input), c.want);
  }
}

TEST(Rfc8461Sec31Discovery, NumberOfRecordsIsBounded) {
  std::vector<std::string> texts(kMaxRecords - 1, "unrelated");
  texts.emplace_back("v=STSv1; id=1");
  EXPECT_EQ(outcome_of(texts), Found::kRecord);
  texts.emplace_back("unrelated");
  EXPECT_EQ(outcome_of(texts), Found::kTooLarge);
}

}  // namespace
}  // namespace strictmx::mta_sts
