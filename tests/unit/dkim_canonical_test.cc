// dkim_canonical_test.cc - canonical forms of header fields and bodies (RFC 6376 §3.4) and their
// hashes.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/base64.h"
#include "common/dkim/canonical.h"
#include "common/dkim/message.h"
#include "common/dkim/sha256.h"

namespace strictmx::dkim {
namespace {

using enum Canonicalization;

std::string field_form(Canonicalization form, const std::string& field) {
  std::string out;
  append_canonical_field(form, field, out);
  return out;
}

std::string body_form(Canonicalization form, const std::string& body) {
  std::string out;
  write_canonical_body(form, body, [&out](std::string_view piece) { out.append(piece); });
  return out;
}

// The message of RFC 6376 §3.4.6.
const std::string kExample =
    "A: X\r\n"
    "B : Y\t\r\n"
    "\tZ  \r\n"
    "\r\n"
    " C \r\n"
    "D \t E\r\n"
    "\r\n"
    "\r\n";

TEST(Rfc6376Sec346Example, BothForms) {
  const auto message = split_message(kExample);
  ASSERT_TRUE(message.ok());
  ASSERT_EQ(message.value().fields.size(), 2U);
  const std::string a(message.value().fields[0].text);
  const std::string b(message.value().fields[1].text);
  const std::string body(message.value().body);
  EXPECT_EQ(field_form(kRelaxed, a), "a:X");
  EXPECT_EQ(field_form(kRelaxed, b), "b:Y Z");
  EXPECT_EQ(body_form(kRelaxed, body), " C\r\nD E\r\n");
  EXPECT_EQ(field_form(kSimple, a), "A: X");
  EXPECT_EQ(field_form(kSimple, b), "B : Y\t\r\n\tZ  ");
  EXPECT_EQ(body_form(kSimple, body), " C \r\nD \t E\r\n");
}

struct Case {
  const char* name;
  std::string input;
  std::string simple;
  std::string relaxed;
};

TEST(Rfc6376Sec34Canonical, Fields) {
  const std::vector<Case> cases = {
      {"letter case of the name", "SuBJect: AbC", "SuBJect: AbC", "subject:AbC"},
      {"space after the colon", "A:  b", "A:  b", "a:b"},
      {"space before the colon", "A \t: b", "A \t: b", "a:b"},
      {"space at the end", "A: b \t", "A: b \t", "a:b"},
      {"runs of space", "A: b \t\t c", "A: b \t\t c", "a:b c"},
      {"fold of CRLF", "A: b\r\n c", "A: b\r\n c", "a:b c"},
      {"fold of LF", "A: b\n c", "A: b\r\n c", "a:b c"},
      {"fold first", "A:\r\n b", "A:\r\n b", "a:b"},
      {"fold last", "A: b\r\n ", "A: b\r\n ", "a:b"},
      {"several folds", "A: b \r\n\t\r\n c", "A: b \r\n\t\r\n c", "a:b c"},
      {"no value", "A:", "A:", "a:"},
      {"space for value", "A: \t", "A: \t", "a:"},
      {"colons in the value", "A: b : c", "A: b : c", "a:b : c"},
      {"8-bit", "A: \xC3\xA9\x80", "A: \xC3\xA9\x80", "a:\xC3\xA9\x80"},
      {"bare CR is no space", "A: b\rc\r", "A: b\rc\r", "a:b\rc\r"},
      {"form feed is no space", "A: \fb\v", "A: \fb\v", "a:\fb\v"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(field_form(kSimple, c.input), c.simple);
    EXPECT_EQ(field_form(kRelaxed, c.input), c.relaxed);
  }
}

TEST(Rfc6376Sec34Canonical, Bodies) {
  const std::string long_line(70000, 'x');
  const std::string spaced = "a" + std::string(70000, ' ') + "b";
  std::string many_empty;
  for (int i = 0; i < 20000; ++i) many_empty += "\r\n";
  const std::vector<Case> cases = {
      {"none", "", "\r\n", ""},
      {"one empty line", "\r\n", "\r\n", ""},
      {"empty lines", "\r\n\r\n\r\n", "\r\n", ""},
      {"empty lines of LF", "\n\n", "\r\n", ""},
      {"line of space", " \t\r\n", " \t\r\n", ""},
      {"line of space, then empty", "\t\r\n\r\n", "\t\r\n", ""},
      {"space without line end", "  ", "  \r\n", ""},
      {"no last line end", "a", "a\r\n", "a\r\n"},
      {"last line end", "a\r\n", "a\r\n", "a\r\n"},
      {"lines of LF", "a\nb\n", "a\r\nb\r\n", "a\r\nb\r\n"},
      {"both line ends", "a\nb\r\nc\n", "a\r\nb\r\nc\r\n", "a\r\nb\r\nc\r\n"},
      {"empty lines between", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
      {"empty lines first", "\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n"},
      {"empty lines last", "a\r\n\r\n\r\n", "a\r\n", "a\r\n"},
      {"lines of space last", "a\r\n \r\n\r\n", "a\r\n \r\n", "a\r\n"},
      {"space at the ends", " a \t\r\nb\t\r\n", " a \t\r\nb\t\r\n", " a\r\nb\r\n"},
      {"runs of space", "a \t b\t\tc\r\n", "a \t b\t\tc\r\n", "a b c\r\n"},
      {"space first", "\t\ta\r\n", "\t\ta\r\n", " a\r\n"},
      {"dots", ".\r\n..\r\n", ".\r\n..\r\n", ".\r\n..\r\n"},
      {"bare CR", "a\rb\r\r\n", "a\rb\r\r\n", "a\rb\r\r\n"},
      {"CR last", "a\r", "a\r\r\n", "a\r\r\n"},
      {"8-bit", "\xC3\xA9\xFF\r\n", "\xC3\xA9\xFF\r\n", "\xC3\xA9\xFF\r\n"},
      {"long line", long_line, long_line + "\r\n", long_line + "\r\n"},
      {"long run of space", spaced, spaced + "\r\n", "a b\r\n"},
      {"many empty lines", many_empty + "a", many_empty + "a\r\n", many_empty + "a\r\n"},
      {"many empty lines last", "a\r\n" + many_empty, "a\r\n", "a\r\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(body_form(kSimple, c.input), c.simple);
    EXPECT_EQ(body_form(kRelaxed, c.input), c.relaxed);
  }
}

// The hashes of no body that RFC 6376 §3.4.3 and §3.4.4 give.
TEST(Rfc6376Sec34Canonical, HashOfNoBody) {
  const auto simple = body_hash(kSimple, "");
  const auto relaxed = body_hash(kRelaxed, "");
  ASSERT_TRUE(simple.has_value() && relaxed.has_value());
  EXPECT_EQ(base::base64_encode(*simple), "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
  EXPECT_EQ(base::base64_encode(*relaxed), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST(Rfc6376Sec35Canonical, Names) {
  EXPECT_EQ(canonicalization_from_name("simple"), kSimple);
  EXPECT_EQ(canonicalization_from_name("relaxed"), kRelaxed);
  for (const char* name : {"", "Simple", "RELAXED", "nofws", "simple "}) {
    EXPECT_FALSE(canonicalization_from_name(name).has_value()) << name;
  }
}

}  // namespace
}  // namespace strictmx::dkim
