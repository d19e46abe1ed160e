// mta_sts_mx_match_test.cc - MX host against mx pattern, RFC 8461 §4.1.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/mta_sts/mx_match.h"

namespace strictmx::mta_sts {
namespace {

TEST(Rfc8461Sec41MxMatch, PatternAgainstHost) {
  struct Case {
    const char* name;
    const char* rule;
    const char* pattern;
    const char* host;
    bool want;
  };
  const std::vector<Case> cases = {
      {"same", "literal", "mail.example.com", "mail.example.com", true},
      {"another", "literal", "mail.example.com", "mail2.example.com", false},
      {"prefix of it", "literal", "mail.example.com", "mail.example.co", false},
      {"deeper", "literal", "example.com", "mail.example.com", false},
      {"upper-case host", "no letter case", "mail.example.com", "MAIL.Example.Com", true},
      {"only ASCII folds", "ASCII letters only", "a@.example", "a`.example", false},
      {"bracket is no letter", "ASCII letters only", "a{.example", "a[.example", false},
      {"final dot", "one is ignored", "mail.example.com", "mail.example.com.", true},
      {"two final dots", "one is ignored", "mail.example.com", "mail.example.com..", false},
      {"wildcard", "RFC's example", "*.example.com", "mail.example.com", true},
      {"wildcard, bare domain", "RFC's example", "*.example.com", "example.com", false},
      {"wildcard, two labels", "RFC's example", "*.example.com", "foo.bar.example.com", false},
      {"wildcard, upper case", "no letter case", "*.example.com", "Mail.EXAMPLE.com", true},
      {"wildcard, final dot", "one is ignored", "*.example.com", "mail.example.com.", true},
      {"wildcard, glued", "a whole label", "*.example.com", "mailexample.com", false},
      {"wildcard, empty label", "a label is not empty", "*.example.com", ".example.com", false},
      {"wildcard, suffix", "the rest is equal", "*.example.com", "mail.xexample.com", false},
      {"wildcard, longer", "the rest is equal", "*.example.com", "mail.example.com.au", false},
      {"wildcard over a TLD", "one label", "*.com", "example.com", true},
      {"wildcard over a TLD, deeper", "one label", "*.com", "mail.example.com", false},
      {"hyphenated label", "one label", "*.example.com", "mail-1.example.com", true},
      {"A-label", "one label", "*.example.com", "xn--bcher-kva.example.com", true},
      {"empty host", "never", "mail.example.com", "", false},
      {"root as host", "never", "*.example.com", ".", false},
      {"one label for wildcard", "needs two", "*.example.com", "mail", false},
      {"empty pattern", "never", "", "mail.example.com", false},
      {"empty both", "never", "", "", false},
      {"empty pattern, root", "never", "", ".", false},
      {"star and dot only", "no pattern", "*.", "mail.", false},
      {"star and dot only", "no pattern", "*.", "mail..", false},
      {"star alone", "no wildcard", "*", "mail", false},
      {"inner star", "no wildcard", "mail.*.com", "mail.example.com", false},
      {"partial label", "no wildcard", "m*.example.com", "mail.example.com", false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    EXPECT_EQ(mx_matches(std::string_view(c.pattern), c.host), c.want);
  }
}

TEST(Rfc8461Sec41MxMatch, OnePatternOfSeveralIsEnough) {
  const std::vector<std::string> patterns = {"mail.example.com", "*.example.net"};
  EXPECT_TRUE(mx_matches(patterns, "mail.example.com"));
  EXPECT_TRUE(mx_matches(patterns, "any.example.net"));
  EXPECT_FALSE(mx_matches(patterns, "any.example.com"));
  EXPECT_FALSE(mx_matches(patterns, "example.net"));
}

TEST(Rfc8461Sec41MxMatch, NoPatternMatchesNothing) {
  EXPECT_FALSE(mx_matches(std::vector<std::string>{}, "mail.example.com"));
}

}  // namespace
}  // namespace strictmx::mta_sts
