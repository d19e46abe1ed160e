// mx_list.cc - the current MX hosts of a domain, each judged by the verdict (see answer_format.h).
#include "common/service/answer_format.h"

namespace strictmx::service {

MxList mx_list(const verdict::Verdict& verdict, const QuestionKey& key,
               const dns::DnsResult<dns::MxRecord>& found) {
  MxList list;
  const auto add = [&](unsigned preference, const std::string& host) {
    const auto decision = verdict::decide_mx(verdict, host);
    list.hosts.push_back({preference, host, decision.is_allowed, std::string(decision.why)});
  };
  if (key.is_bracketed) {
    add(0, key.domain.text());  // no MX lookup: the host is its own only MX
    return list;
  }
  if (!found.ok()) {
    list.error = "DNS: " + found.error().detail;
    return list;
  }
  if (found.value().records.empty()) {
    list.is_implicit = true;
    add(0, key.domain.text());
    return list;
  }
  for (const dns::MxRecord& record : found.value().records) {
    if (record.host.empty()) {
      list.is_null = true;
    } else {
      add(record.preference, record.host);
    }
  }
  return list;
}

}  // namespace strictmx::service
