// verdict.h - what holds for a domain, and which rule said so.
//
// Use: decide() on what the policy resolver knows. The order of precedence (DESIGN: an operator's
// override, then DANE, then MTA-STS) lives in verdict.cc alone.
// Ownership: values. Threads: pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/domain_name.h"
#include "common/mta_sts/policy.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/tlsrpt/result_type.h"

namespace strictmx::verdict {

enum class PolicyType { kSts, kNone };
enum class Source { kCache, kNetwork };

// One value a rule; explain shows its sentence.
enum class Rule {
  kStsEnforce,  // RFC 8461 §5: only verified TLS to an MX host that the policy allows
  kStsTesting,  // RFC 8461 §5: delivered as usual, failures are reported
  kStsNone,     // RFC 8461 §5: as though the domain had no policy
  kNoPolicy,    // nothing published, or nothing that could be had (§3.3)
};

struct PolicyTrouble {
  std::optional<tlsrpt::ResultType> type;  // none for a DNS failure
  std::string reason;
  base::WallTime since{};
  base::WallTime retry_at{};
};

struct Verdict {
  std::string domain;
  PolicyType policy = PolicyType::kNone;
  Rule rule = Rule::kNoPolicy;
  mta_sts::PolicyMode mode = mta_sts::PolicyMode::kNone;
  std::string id;
  std::vector<std::string> mx;            // patterns
  std::vector<std::string> policy_lines;  // for reports and TLSRPT-aware servers
  std::chrono::seconds max_age{0};
  base::WallTime fetched{};
  base::WallTime expires{};
  Source source = Source::kCache;
  std::optional<PolicyTrouble> trouble;
  base::WallTime valid_until{};  // ask again after this

  bool is_enforced() const { return rule == Rule::kStsEnforce; }
};

Verdict decide(const base::DomainName& domain, const mta_sts::PolicyAnswer& answer);

std::string_view rule_sentence(Rule rule);

// May mail go to this MX host, and why (not)? RFC 8461 §4.1.
struct MxDecision {
  bool is_allowed = true;
  std::string_view why;
};
MxDecision decide_mx(const Verdict& verdict, std::string_view mx_host);

}  // namespace strictmx::verdict
