// changes.cc - see changes.h.
#include "common/verdict/changes.h"

#include "common/mta_sts/mx_match.h"

namespace strictmx::verdict {
namespace {

using dane::HostState;
using dane::MxState;
using mta_sts::PolicyMode;

// Hosts told one by one; a domain with more of them says enough with these.
constexpr std::size_t kMaxHostsTold = 8;

std::string end_of(const Override& set) {
  return set.until.has_value() ? "ends by itself at " + base::format_utc(*set.until)
                               : "has no end date";
}

void add_host_change(const dane::MxHost& host, std::vector<std::string>& out) {
  switch (host.dane->state) {
    case HostState::kUnusable:
      out.push_back(host.name +
                    " would be authenticated by DANE with TLSA records of usage 3 or 2 (" +
                    host.dane->reason + ")");
      return;
    case HostState::kAbsent:
      out.push_back(host.name +
                    " would be authenticated by DANE if its owner published TLSA "
                    "records; its addresses are signed");
      return;
    case HostState::kBogus:
    case HostState::kFailed:
      out.push_back(host.name + " is used again when DNS answers validly: " + host.dane->reason);
      return;
    case HostState::kUsable:
    case HostState::kInsecure:
    case HostState::kNoAddress:
      return;
  }
}

void add_dane_changes(const dane::DaneAnswer& answer, std::vector<std::string>& out) {
  if (!answer.reason.empty()) {
    out.push_back("the MX records must be had: " + answer.reason);
    return;
  }
  bool has_usable = false;
  for (const dane::MxHost& host : answer.hosts) {
    has_usable = has_usable || host.dane->state == HostState::kUsable;
  }
  if (has_usable && answer.mx_state == MxState::kInsecure) {
    out.emplace_back("DANE would hold if the zone of the MX records were signed (DNSSEC)");
  }
  for (std::size_t i = 0; i < answer.hosts.size() && i < kMaxHostsTold; ++i) {
    add_host_change(answer.hosts[i], out);
  }
}

void add_sts_changes(const Verdict& verdict, std::vector<std::string>& out) {
  if (verdict.trouble.has_value()) {
    out.push_back("the policy is tried again at " + base::format_utc(verdict.trouble->retry_at) +
                  "; last time: " + verdict.trouble->reason);
  }
  if (!verdict.has_policy()) {
    if (!verdict.trouble.has_value()) {
      out.emplace_back("MTA-STS would hold if the owner published a record and a policy");
    }
    return;
  }
  switch (verdict.mode) {
    case PolicyMode::kEnforce:
      out.push_back("the policy holds until " + base::format_utc(verdict.expires) +
                    ", or until the owner publishes another id");
      return;
    case PolicyMode::kTesting:
    case PolicyMode::kNone:
      out.emplace_back("MTA-STS would be enforced if the owner published mode enforce");
      return;
  }
}

}  // namespace

std::vector<std::string> what_would_change(const Verdict& verdict) {
  std::vector<std::string> out;
  if (verdict.override_in_force.has_value()) {
    out.push_back("the override goes before everything else; it " +
                  end_of(*verdict.override_in_force));
    return out;
  }
  add_sts_changes(verdict, out);
  if (verdict.dane != nullptr) add_dane_changes(*verdict.dane, out);
  return out;
}

}  // namespace strictmx::verdict
