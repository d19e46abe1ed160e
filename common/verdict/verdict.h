// verdict.h - what holds for a next hop, and which rule said so.
//
// Use: decide() on all that is known of it; decide_mx() for one of its MX hosts.
// Ownership: values; DANE answers are shared. Threads: pure.
//
// The order of precedence lives in verdict.cc alone. What decides it:
//   an operator's override      beats what was fetched
//   DANE                        must not be overridden by a passing MTA-STS check (RFC 8461 §2),
//   and
//                               its lookup errors are never "no TLSA" (RFC 7672 §2.1)
//   MTA-STS                     deliver as usual when no policy can be had (RFC 8461 §3.3)
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/domain_name.h"
#include "common/dane/dane_resolver.h"
#include "common/mta_sts/policy.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/tlsrpt/result_type.h"
#include "common/verdict/override.h"

namespace strictmx::verdict {

enum class PolicyType { kSts, kTlsa, kNone };
enum class Source { kCache, kNetwork, kOverride };

// One value a rule, in the order of precedence; explain shows its sentence.
enum class Rule {
  kOverrideEnforce,
  kOverrideUnmet,  // enforce was set, and neither patterns nor a policy say which hosts are right
  kOverrideTesting,
  kOverrideNone,
  kDaneAll,          // every MX host that resolves has usable TLSA (RFC 7672 §2.2)
  kDaneSomeEnforce,  // some have, and the policy forbids the others anything less than its own
  kStsEnforce,       // RFC 8461 §5: only verified TLS to an MX host that the policy allows
  kDaneUnknown,      // no MX host can be used now: DNS errors (RFC 7672 §2.1.2)
  kDaneSome,         // some MX host has TLSA, or can't be shown to have none
  kStsTesting,       // RFC 8461 §5: delivered as usual, failures are reported
  kStsNone,          // RFC 8461 §5: as though the domain had no policy
  kNoPolicy,         // nothing published, or nothing that could be had (§3.3)
};
inline constexpr int kRuleCount = 12;

// What a mail server that knows no more than levels must be told.
enum class Level {
  kSite,      // its own settings
  kTemp,      // do not deliver now
  kSecure,    // TLS with a certificate for an allowed MX host
  kDane,      // DANE where there is TLSA
  kDaneOnly,  // DANE, and hosts without it not at all
};

struct PolicyTrouble {
  std::optional<tlsrpt::ResultType> type;  // none for a DNS failure
  std::string reason;
  base::WallTime since{};
  base::WallTime retry_at{};
};

// What MTA-STS says of the domain: a PolicyAnswer to keep.
struct StsState {
  std::optional<mta_sts::CachedPolicy> policy;
  std::optional<PolicyTrouble> trouble;
  base::WallTime valid_until{};
  bool is_from_network = false;

  static StsState of(const mta_sts::PolicyAnswer& answer);
};

struct Evidence {
  StsState sts;
  dane::DaneResult dane;                    // without an answer: the asker does no DANE
  const Override* operator_says = nullptr;  // that holds now
};

struct Verdict {
  std::string domain;
  PolicyType policy = PolicyType::kNone;
  Rule rule = Rule::kNoPolicy;
  // The MTA-STS policy in force, after an override.
  mta_sts::PolicyMode mode = mta_sts::PolicyMode::kNone;
  std::string id;
  std::vector<std::string> mx;            // patterns
  std::vector<std::string> policy_lines;  // for reports and TLSRPT-aware servers
  std::chrono::seconds max_age{0};
  base::WallTime fetched{};
  base::WallTime expires{};
  Source source = Source::kCache;
  std::shared_ptr<const dane::DaneAnswer> dane;  // null: not looked at
  std::optional<PolicyTrouble> trouble;
  std::optional<Override> override_in_force;
  std::string temp_reason;       // of Level::kTemp
  base::WallTime valid_until{};  // ask again after this

  bool has_policy() const { return fetched != base::WallTime{}; }
};

Verdict decide(const base::DomainName& domain, const Evidence& evidence, base::WallTime now);

std::string_view rule_sentence(Rule rule);
Level level_of(Rule rule);

// May mail go to this MX host, what is asked of the session, and why (not)?
enum class Requirement {
  kNone,     // the site's own settings
  kEncrypt,  // STARTTLS, the certificate is not looked at (RFC 7672 §2.2: TLSA, none usable)
  kSts,      // a PKIX certificate for the MX host (RFC 8461 §4)
  kDane,     // a match with its TLSA records (RFC 7672 §3)
};
std::string_view requirement_name(Requirement requirement);

struct MxDecision {
  bool is_allowed = true;
  Requirement requirement = Requirement::kNone;
  std::string why;
};
// `state`: of this host in verdict.dane, null where DANE was not looked at.
MxDecision decide_mx(const Verdict& verdict, std::string_view mx_host, const dane::HostDane* state);

}  // namespace strictmx::verdict
