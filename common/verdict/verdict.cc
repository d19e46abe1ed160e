// verdict.cc - see verdict.h.
#include "common/verdict/verdict.h"

#include "common/mta_sts/mx_match.h"

namespace strictmx::verdict {

using mta_sts::PolicyMode;

Verdict decide(const base::DomainName& domain, const mta_sts::PolicyAnswer& answer) {
  Verdict verdict;
  verdict.domain = domain.text();
  verdict.valid_until = answer.valid_until;
  verdict.source = answer.is_from_network ? Source::kNetwork : Source::kCache;
  if (answer.trouble != nullptr) {
    const mta_sts::Trouble& trouble = *answer.trouble;
    verdict.trouble = PolicyTrouble{trouble.type, trouble.reason, trouble.since, trouble.retry_at};
  }
  // RFC 8461 §3.3: without a live policy, delivery goes on as though there were no MTA-STS.
  if (answer.policy == nullptr) return verdict;

  const mta_sts::Policy policy = answer.policy->parsed();
  verdict.policy = PolicyType::kSts;
  verdict.mode = policy.mode;
  verdict.id = answer.policy->id;
  verdict.mx = policy.mx;
  verdict.policy_lines = policy.lines;
  verdict.max_age = policy.max_age;
  verdict.fetched = answer.policy->fetched;
  verdict.expires = answer.policy->expires;
  switch (policy.mode) {
    case PolicyMode::kEnforce:
      verdict.rule = Rule::kStsEnforce;
      break;
    case PolicyMode::kTesting:
      verdict.rule = Rule::kStsTesting;
      break;
    case PolicyMode::kNone:
      verdict.rule = Rule::kStsNone;
      break;
  }
  return verdict;
}

std::string_view rule_sentence(Rule rule) {
  switch (rule) {
    case Rule::kStsEnforce:
      return "MTA-STS mode enforce: only verified TLS to an MX host that the policy allows "
             "(RFC 8461 5)";
    case Rule::kStsTesting:
      return "MTA-STS mode testing: delivered as usual, failures are reported (RFC 8461 5)";
    case Rule::kStsNone:
      return "MTA-STS mode none: as though the domain had no policy (RFC 8461 5)";
    case Rule::kNoPolicy:
      return "no MTA-STS policy is in force: delivered by the site's own settings (RFC 8461 3.3)";
  }
  return "";
}

MxDecision decide_mx(const Verdict& verdict, std::string_view mx_host) {
  if (verdict.policy == PolicyType::kNone || verdict.mode == PolicyMode::kNone) {
    return {true, "no policy restricts it"};
  }
  if (mta_sts::mx_matches(verdict.mx, mx_host)) return {true, "matches the policy"};
  if (verdict.mode == PolicyMode::kTesting) {
    return {true, "matches no mx pattern of the policy, which is in testing"};
  }
  return {false, "matches no mx pattern of the policy"};
}

}  // namespace strictmx::verdict
