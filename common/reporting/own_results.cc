// own_results.cc - see own_results.h.
#include "common/reporting/own_results.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/domain_name.h"
#include "common/base/printable.h"
#include "common/tlsrpt/result_writer.h"
#include "common/verdict/mx_list.h"

namespace strictmx::reporting {
namespace {

using tlsrpt::AppliedPolicy;
using tlsrpt::FailureDetails;
using tlsrpt::PolicyType;
using tlsrpt::ResultType;

constexpr std::chrono::hours kWindow{1};

}  // namespace

void OwnResults::note_fetch_failure(const mta_sts::FetchFailure& failure) {
  AppliedPolicy policy{PolicyType::kSts, failure.domain.text(), {}, {}};
  if (failure.in_force != nullptr) {
    mta_sts::Policy parsed = failure.in_force->parsed();
    policy.strings = std::move(parsed.lines);
    policy.mx_hosts = std::move(parsed.mx);
  }
  FailureDetails details;
  details.type = failure.type;
  details.reason_code = base::shown(failure.reason, kMaxReasonBytes);
  if (!tell(failure.domain, std::move(policy), std::move(details))) return;
  if (failure.type == ResultType::kStsPolicyFetchError) ++counters_.fetch_errors;
  if (failure.type == ResultType::kStsPolicyInvalid) ++counters_.policies_invalid;
  if (failure.type == ResultType::kStsWebpkiInvalid) ++counters_.webpki_invalid;
}

void OwnResults::note_mx_hosts(const verdict::Verdict& verdict) {
  const std::vector<std::string> hosts = verdict::hosts_outside_policy(verdict);
  if (hosts.empty()) return;
  const auto domain = base::DomainName::parse(verdict.domain);
  if (!domain.ok()) return;  // never: it is one
  for (const std::string& host : hosts) {
    if (is_counted(verdict.domain, host, verdict.dane->mx_ttl)) continue;
    FailureDetails details;
    details.type = ResultType::kValidationFailure;
    details.receiving_mx_hostname = host;
    details.reason_code = kMxMismatch;
    const AppliedPolicy policy{PolicyType::kSts, verdict.domain, verdict.policy_lines, verdict.mx};
    if (tell(domain.value(), policy, std::move(details))) ++counters_.mx_mismatches;
  }
}

// Else it is from now on.
bool OwnResults::is_counted(const std::string& domain, const std::string& host,
                            std::chrono::seconds ttl) {
  const base::SteadyTime now = clock_.steady();
  std::string key = domain;
  key.append(" ").append(host);
  const auto found = hosts_.find(key);
  if (found != hosts_.end() && now < found->second) return true;
  if (found == hosts_.end() && !has_room(now)) {
    ++counters_.hosts_full;
    return true;
  }
  hosts_[std::move(key)] = now + std::clamp(ttl, dane::kMinLife, dane::kMaxLife);
  return false;
}

bool OwnResults::has_room(base::SteadyTime now) {
  if (hosts_.size() < kMaxHosts) return true;
  if (now < next_sweep_) return false;
  next_sweep_ = now + dane::kMinLife;
  std::erase_if(hosts_, [now](const auto& item) { return item.second <= now; });
  return hosts_.size() < kMaxHosts;
}

bool OwnResults::tell(const base::DomainName& domain, AppliedPolicy policy,
                      FailureDetails failure) {
  const base::SteadyTime now = clock_.steady();
  if (now - hour_begin_ >= kWindow) {
    hour_begin_ = now;
    told_this_hour_ = 0;
  }
  if (told_this_hour_ >= kMaxResultsAnHour) {
    ++counters_.too_many;
    return false;
  }
  ++told_this_hour_;
  tlsrpt::ResultDatagram datagram{domain, {}, {}, {}, false};
  datagram.outcomes.push_back({std::move(policy), true, {std::move(failure)}});
  sink_(tlsrpt::write_result_datagram(datagram));
  return true;
}

}  // namespace strictmx::reporting
