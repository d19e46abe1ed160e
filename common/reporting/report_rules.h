// report_rules.h - what the operator says about the reports to a domain, beside its own record.
//
// Use: read_rule() for each [[report_rule]], ReportRules::add(), then find() for a policy domain.
// Ownership: values. Threads: read-only once filled.
// Errors: RuleError with the member that is wrong.
// Limits: kMaxRuleUris.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace strictmx::reporting {

inline constexpr std::size_t kMaxRuleUris = 16;
// The rule of all domains that have none of their own.
inline constexpr std::string_view kAllDomains = "*";
// A report is written into that folder: "file:/var/lib/strictmx/reports".
inline constexpr std::string_view kFileScheme = "file:";

enum class RuleError {
  kDomain,   // neither a domain nor "*"
  kSkip,     // neither "true" nor "false"
  kUri,      // no mailto:, https: or file: URI
  kNothing,  // the rule changes nothing, or skips and sends at once
  kSecond,   // another rule of the same domain
};

struct ReportRule {
  std::string domain;                   // lower-case A-labels, or kAllDomains
  bool is_skipped = false;              // no report at all
  std::vector<std::string> recipients;  // in place of the record, which is not looked up
  std::vector<std::string> copies;      // beside whoever gets the report
};

// As the configuration has them, not checked.
struct RuleTexts {
  std::string domain;
  std::string skip;
  std::vector<std::string> recipients;
  std::vector<std::string> copies;
};

base::Result<ReportRule, RuleError> read_rule(const RuleTexts& texts);

class ReportRules {
 public:
  base::Outcome<RuleError> add(ReportRule rule);
  // The domain's own rule, else that of all domains, else null.
  const ReportRule* find(const std::string& domain) const;

 private:
  std::map<std::string, ReportRule> rules_;
};

}  // namespace strictmx::reporting
