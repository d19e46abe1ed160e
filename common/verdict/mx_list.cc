// mx_list.cc - see mx_list.h.
#include "common/verdict/mx_list.h"

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

}  // namespace strictmx::verdict
