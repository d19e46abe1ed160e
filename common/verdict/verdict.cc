// verdict.cc - see verdict.h.
#include "common/verdict/verdict.h"

#include <algorithm>
#include <utility>

#include "common/mta_sts/mx_match.h"

namespace strictmx::verdict {
namespace {

using dane::DaneAnswer;
using dane::HostState;
using dane::MxState;
using mta_sts::PolicyMode;

// How many MX hosts of each kind.
struct HostCount {
  std::size_t resolving = 0;  // all but kNoAddress
  std::size_t usable = 0;
  std::size_t unusable = 0;
  std::size_t unknown = 0;
};

HostCount count_hosts(const DaneAnswer& answer) {
  HostCount count;
  for (const dane::MxHost& host : answer.hosts) {
    const HostState state = host.dane->state;
    count.resolving += state == HostState::kNoAddress ? 0 : 1;
    count.usable += state == HostState::kUsable ? 1 : 0;
    count.unusable += state == HostState::kUnusable ? 1 : 0;
    count.unknown += dane::is_unknown(state) ? 1 : 0;
  }
  return count;
}

// RFC 7672 §2.2.1: where anybody can forge the MX records, TLSA of the hosts protects nothing.
bool is_trusted(MxState state) {
  return state == MxState::kSecure || state == MxState::kConfigured;
}

bool is_error(MxState state) { return state == MxState::kBogus || state == MxState::kFailed; }

std::string first_reason(const DaneAnswer& answer) {
  if (is_error(answer.mx_state)) return answer.reason;
  for (const dane::MxHost& host : answer.hosts) {
    if (dane::is_unknown(host.dane->state)) return host.dane->reason;
  }
  return {};
}

Rule sts_rule(const Verdict& verdict) {
  if (!verdict.has_policy()) return Rule::kNoPolicy;
  switch (verdict.mode) {
    case PolicyMode::kEnforce:
      return Rule::kStsEnforce;
    case PolicyMode::kTesting:
      return Rule::kStsTesting;
    case PolicyMode::kNone:
      return Rule::kStsNone;
  }
  return Rule::kNoPolicy;
}

Rule override_rule(const Verdict& verdict, const Override& set) {
  switch (set.mode) {
    case PolicyMode::kEnforce:
      return verdict.mx.empty() ? Rule::kOverrideUnmet : Rule::kOverrideEnforce;
    case PolicyMode::kTesting:
      return Rule::kOverrideTesting;
    case PolicyMode::kNone:
      return Rule::kOverrideNone;
  }
  return Rule::kOverrideNone;
}

// The precedence below the overrides, rule by rule.
Rule rule_without_override(const Verdict& verdict) {
  const Rule sts = sts_rule(verdict);
  if (verdict.dane == nullptr) return sts;
  const DaneAnswer& answer = *verdict.dane;
  const HostCount hosts = count_hosts(answer);
  const bool is_enforced = sts == Rule::kStsEnforce;
  if (is_trusted(answer.mx_state) && hosts.usable > 0) {
    if (hosts.usable == hosts.resolving) return Rule::kDaneAll;
    // Both RFCs hold: hosts with TLSA pass DANE, which no MTA-STS check may stand in for (RFC 8461
    // §2), the others are skipped by a server that can't be told host by host.
    if (is_enforced) return Rule::kDaneSomeEnforce;
  }
  // Also for an unsigned MX RRset, where `dane` would hide the policy. And where DNS gives no valid
  // answer about TLSA: the host must still pass PKIX under a name that the policy allows, and mail
  // flows. Whoever can keep TLSA answers away can so move a delivery from DANE to MTA-STS, not
  // below it.
  if (is_enforced) return Rule::kStsEnforce;
  // RFC 7672 §2.1.2: a lookup error is never "no TLSA"; with no other host left, the mail waits.
  if (is_error(answer.mx_state)) return Rule::kDaneUnknown;
  if (hosts.unknown > 0 && hosts.unknown == hosts.resolving) return Rule::kDaneUnknown;
  if (hosts.usable + hosts.unusable + hosts.unknown > 0) return Rule::kDaneSome;
  return sts;
}

PolicyType policy_type(Rule rule) {
  switch (rule) {
    case Rule::kDaneAll:
    case Rule::kDaneSomeEnforce:
    case Rule::kDaneSome:
      return PolicyType::kTlsa;
    case Rule::kOverrideEnforce:
    case Rule::kOverrideUnmet:
    case Rule::kOverrideTesting:
    case Rule::kStsEnforce:
    case Rule::kStsTesting:
    case Rule::kStsNone:
      return PolicyType::kSts;
    case Rule::kOverrideNone:
    case Rule::kDaneUnknown:
    case Rule::kNoPolicy:
      return PolicyType::kNone;
  }
  return PolicyType::kNone;
}

void take_policy(Verdict& verdict, const mta_sts::CachedPolicy& cached) {
  mta_sts::Policy policy = cached.parsed();
  verdict.mode = policy.mode;
  verdict.id = cached.id;
  verdict.mx = std::move(policy.mx);
  verdict.policy_lines = std::move(policy.lines);
  verdict.max_age = policy.max_age;
  verdict.fetched = cached.fetched;
  verdict.expires = cached.expires;
}

// The lines as the policy host would have served them, for reports of what was applied.
std::vector<std::string> lines_of(const Verdict& verdict) {
  std::vector<std::string> lines = {
      "version: STSv1", "mode: " + std::string(mta_sts::policy_mode_name(verdict.mode))};
  for (const std::string& pattern : verdict.mx) lines.push_back("mx: " + pattern);
  if (verdict.has_policy()) {
    lines.push_back("max_age: " + std::to_string(verdict.max_age.count()));
  }
  return lines;
}

void apply(Verdict& verdict, const Override& set) {
  verdict.override_in_force = set;
  verdict.source = Source::kOverride;
  verdict.mode = set.mode;
  if (!set.mx.empty()) verdict.mx = set.mx;
  verdict.policy_lines = lines_of(verdict);
  if (set.until.has_value()) verdict.valid_until = std::min(verdict.valid_until, *set.until);
}

MxDecision decide_by_patterns(const Verdict& verdict, std::string_view mx_host) {
  const bool matches = mta_sts::mx_matches(verdict.mx, mx_host);
  if (verdict.mode == PolicyMode::kTesting) {
    return {true, Requirement::kNone,
            matches ? "matches the policy"
                    : "matches no mx pattern of the policy, which is in testing"};
  }
  if (matches) return {true, Requirement::kSts, "matches the policy"};
  return {false, Requirement::kSts, "matches no mx pattern of the policy"};
}

MxDecision decide_by_sts(const Verdict& verdict, std::string_view mx_host) {
  const bool has_say = verdict.override_in_force.has_value() || verdict.has_policy();
  if (!has_say || verdict.mode == PolicyMode::kNone) {
    return {true, Requirement::kNone, "no policy restricts it"};
  }
  return decide_by_patterns(verdict, mx_host);
}

}  // namespace

StsState StsState::of(const mta_sts::PolicyAnswer& answer) {
  StsState state;
  if (answer.policy != nullptr) state.policy = *answer.policy;
  if (answer.trouble != nullptr) {
    const mta_sts::Trouble& trouble = *answer.trouble;
    state.trouble = PolicyTrouble{trouble.type, trouble.reason, trouble.since, trouble.retry_at};
  }
  state.valid_until = answer.valid_until;
  state.is_from_network = answer.is_from_network;
  return state;
}

Verdict decide(const base::DomainName& domain, const Evidence& evidence, base::WallTime now) {
  Verdict verdict;
  verdict.domain = domain.text();
  verdict.valid_until = evidence.sts.valid_until;
  verdict.source = evidence.sts.is_from_network ? Source::kNetwork : Source::kCache;
  verdict.trouble = evidence.sts.trouble;
  verdict.dane = evidence.dane.answer;
  if (verdict.dane != nullptr) {
    verdict.valid_until = std::min(verdict.valid_until, now + evidence.dane.valid_for);
  }
  if (evidence.sts.policy.has_value()) take_policy(verdict, *evidence.sts.policy);
  if (evidence.operator_says != nullptr) {
    apply(verdict, *evidence.operator_says);
    verdict.rule = override_rule(verdict, *evidence.operator_says);
  } else {
    verdict.rule = rule_without_override(verdict);
  }
  verdict.policy = policy_type(verdict.rule);
  if (verdict.rule == Rule::kDaneUnknown) {
    verdict.temp_reason = "DANE of " + verdict.domain + ": " + first_reason(*verdict.dane);
  } else if (verdict.rule == Rule::kOverrideUnmet) {
    verdict.temp_reason = "override of " + verdict.domain +
                          ": mode enforce without mx patterns, and the domain publishes none";
  }
  return verdict;
}

std::string_view rule_sentence(Rule rule) {
  switch (rule) {
    case Rule::kOverrideEnforce:
      return "operator's override, mode enforce: only verified TLS to an MX host that its patterns "
             "or the policy's allow";
    case Rule::kOverrideUnmet:
      return "operator's override, mode enforce, but neither it nor a published policy says which "
             "MX hosts are right: mail waits";
    case Rule::kOverrideTesting:
      return "operator's override, mode testing: delivered as usual, failures are reported";
    case Rule::kOverrideNone:
      return "operator's override, mode none: delivered by the site's own settings";
    case Rule::kDaneAll:
      return "DANE: every MX host has TLSA records, a match with them is required (RFC 7672 2.2)";
    case Rule::kDaneSomeEnforce:
      return "DANE for the MX hosts with TLSA records, and MTA-STS mode enforce for the others "
             "(RFC "
             "7672 2.2, RFC 8461 2)";
    case Rule::kStsEnforce:
      return "MTA-STS mode enforce: only verified TLS to an MX host that the policy allows "
             "(RFC 8461 5)";
    case Rule::kDaneUnknown:
      return "DANE: no MX host can be used now, because DNS gives no valid answer about it (RFC "
             "7672 2.1.2): mail waits";
    case Rule::kDaneSome:
      return "DANE for the MX hosts with TLSA records, the others by the site's own settings (RFC "
             "7672 2.2)";
    case Rule::kStsTesting:
      return "MTA-STS mode testing: delivered as usual, failures are reported (RFC 8461 5)";
    case Rule::kStsNone:
      return "MTA-STS mode none: as though the domain had no policy (RFC 8461 5)";
    case Rule::kNoPolicy:
      return "no MTA-STS policy is in force: delivered by the site's own settings (RFC 8461 3.3)";
  }
  return "";
}

Level level_of(Rule rule) {
  switch (rule) {
    case Rule::kOverrideEnforce:
    case Rule::kStsEnforce:
      return Level::kSecure;
    case Rule::kOverrideUnmet:
    case Rule::kDaneUnknown:
      return Level::kTemp;
    case Rule::kDaneAll:
    case Rule::kDaneSomeEnforce:
      return Level::kDaneOnly;
    case Rule::kDaneSome:
      return Level::kDane;
    case Rule::kOverrideTesting:
    case Rule::kOverrideNone:
    case Rule::kStsTesting:
    case Rule::kStsNone:
    case Rule::kNoPolicy:
      return Level::kSite;
  }
  return Level::kTemp;
}

std::string_view requirement_name(Requirement requirement) {
  switch (requirement) {
    case Requirement::kNone:
      return "none";
    case Requirement::kEncrypt:
      return "encrypt";
    case Requirement::kSts:
      return "sts";
    case Requirement::kDane:
      return "dane";
  }
  return "";
}

MxDecision decide_mx(const Verdict& verdict, std::string_view mx_host,
                     const dane::HostDane* state) {
  MxDecision by_sts = decide_by_sts(verdict, mx_host);
  if (verdict.override_in_force.has_value() || state == nullptr) return by_sts;
  const bool is_enforced = by_sts.requirement == Requirement::kSts;
  switch (state->state) {
    case HostState::kUsable:
      // An unsigned MX RRset may be forged: there the policy's patterns must hold.
      if (is_enforced && !is_trusted(verdict.dane->mx_state)) return by_sts;
      return {true, Requirement::kDane, "must match its TLSA records"};
    case HostState::kUnusable:
      if (is_enforced) return by_sts;
      return {true, Requirement::kEncrypt, "has TLSA records, none usable: TLS is required"};
    case HostState::kBogus:
    case HostState::kFailed:
      return {false, Requirement::kDane, "can't be used now: " + state->reason};
    case HostState::kNoAddress:
      return {false, by_sts.requirement, by_sts.why + ", but has no address"};
    case HostState::kAbsent:
    case HostState::kInsecure:
      return by_sts;
  }
  return by_sts;
}

}  // namespace strictmx::verdict
