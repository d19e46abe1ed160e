// report_rules_test.cc - [[report_rule]]: what is read, what is refused, which rule holds.
#include "common/reporting/report_rules.h"

#include <gtest/gtest.h>

namespace strictmx::reporting {
namespace {

TEST(ReportRules, AreReadAsTheyMean) {
  const auto skip = read_rule({"Example.ORG.", "true", {}, {}});
  ASSERT_TRUE(skip.ok()) << skip.error().detail;
  EXPECT_EQ(skip.value().domain, "example.org");
  EXPECT_TRUE(skip.value().is_skipped);
  const auto own = read_rule({"bücher.example",
                              "false",
                              {"mailto:TLS@Example.ORG?subject=x", "file:/var/lib/reports"},
                              {"https://collect.example/in"}});
  ASSERT_TRUE(own.ok()) << own.error().detail;
  EXPECT_EQ(own.value().domain, "xn--bcher-kva.example");
  EXPECT_EQ(own.value().recipients,
            (std::vector<std::string>{"mailto:TLS@example.org", "file:/var/lib/reports"}));
  EXPECT_EQ(own.value().copies, std::vector<std::string>{"https://collect.example/in"});
  EXPECT_TRUE(read_rule({"*", "true", {}, {}}).ok());
}

TEST(ReportRules, SayWhatIsWrong) {
  const struct {
    RuleTexts texts;
    RuleError error;
    const char* words;
  } cases[] = {
      {{"", "true", {}, {}}, RuleError::kDomain, "domain: "},
      {{"192.0.2.1", "true", {}, {}}, RuleError::kDomain, "domain: "},
      {{"a.test", "yes", {}, {}}, RuleError::kSkip, "not yes"},
      {{"a.test", "", {}, {}}, RuleError::kNothing, "skip = true"},
      {{"a.test", "false", {}, {}}, RuleError::kNothing, "skip = true"},
      {{"a.test", "true", {"mailto:a@b.test"}, {}}, RuleError::kNothing, "skip = true"},
      {{"a.test", "", {"ftp://b.test/"}, {}}, RuleError::kUri, "recipients: "},
      {{"a.test", "", {}, {"mailto:a@b.test,c@d.test"}}, RuleError::kUri, "copies: "},
      {{"a.test", "", {}, {"file:reports"}}, RuleError::kUri, "file:/FOLDER"},
      {{"a.test", "", {}, std::vector<std::string>(kMaxRuleUris + 1, "file:/a")},
       RuleError::kUri,
       "more than 16"},
  };
  for (const auto& c : cases) {
    const auto rule = read_rule(c.texts);
    ASSERT_FALSE(rule.ok()) << c.words;
    EXPECT_EQ(rule.error().code, c.error) << rule.error().detail;
    EXPECT_NE(rule.error().detail.find(c.words), std::string::npos) << rule.error().detail;
  }
}

TEST(ReportRules, TheDomainsOwnGoesBeforeThatOfAll) {
  ReportRules rules;
  EXPECT_EQ(rules.find("a.test"), nullptr);
  ASSERT_TRUE(rules.add(read_rule({"*", "true", {}, {}}).value()).ok());
  ASSERT_TRUE(rules.add(read_rule({"a.test", "", {}, {"file:/a"}}).value()).ok());
  EXPECT_FALSE(rules.find("a.test")->is_skipped);
  EXPECT_TRUE(rules.find("b.a.test")->is_skipped);
  const auto second = rules.add(read_rule({"A.test", "true", {}, {}}).value());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, RuleError::kSecond);
}

}  // namespace
}  // namespace strictmx::reporting
