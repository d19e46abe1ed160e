// mx_list.cc - see mx_list.h.
#include "common/verdict/mx_list.h"

#include "common/mta_sts/mx_match.h"

namespace strictmx::verdict {

MxList mx_list(const Verdict& verdict) {
  MxList list;
  if (verdict.dane == nullptr) {
    list.error = "the MX hosts were not looked up";
    return list;
  }
  const dane::DaneAnswer& answer = *verdict.dane;
  list.is_implicit = answer.is_implicit;
  list.is_null = answer.is_null;
  if (!answer.reason.empty()) list.error = "DNS: " + answer.reason;
  for (const dane::MxHost& host : answer.hosts) {
    list.hosts.push_back(
        {host.preference, host.name, decide_mx(verdict, host.name, host.dane.get())});
  }
  return list;
}

std::vector<std::string> hosts_outside_policy(const Verdict& verdict) {
  std::vector<std::string> outside;
  const bool is_judged = verdict.dane != nullptr && verdict.has_policy() &&
                         verdict.mode != mta_sts::PolicyMode::kNone &&
                         !verdict.override_in_force.has_value() &&
                         verdict.dane->mx_state != dane::MxState::kConfigured;
  if (!is_judged) return outside;
  for (const dane::MxHost& host : verdict.dane->hosts) {
    if (mta_sts::mx_matches(verdict.mx, host.name)) continue;
    // Where the MX RRset is not signed, whoever forges it has TLSA records of his own.
    const bool has_dane = verdict.dane->mx_state == dane::MxState::kSecure &&
                          host.dane->state == dane::HostState::kUsable;
    if (!has_dane) outside.push_back(host.name);
  }
  return outside;
}

}  // namespace strictmx::verdict
