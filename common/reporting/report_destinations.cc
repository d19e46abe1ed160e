// report_destinations.cc - see report_destinations.h.
#include "common/reporting/report_destinations.h"

#include <utility>

#include "common/reporting/report_target.h"
#include "common/tlsrpt/record.h"

namespace strictmx::reporting {
namespace {

Destinations nobody(std::string why) { return {Destinations::Kind::kNobody, std::move(why), {}}; }

// Where the record names the same place, the operator's word goes before what holds for records.
void add_own(std::vector<RecipientRow>& recipients, const std::vector<std::string>& uris) {
  for (const std::string& uri : uris) {
    std::erase_if(recipients, [&uri](const RecipientRow& row) { return row.uri == uri; });
    RecipientRow row;
    row.uri = uri;
    row.origin = Origin::kRule;
    recipients.push_back(std::move(row));
  }
}

}  // namespace

Destinations destinations_of(const std::vector<std::string>& records, std::size_t max_recipients) {
  const auto record = tlsrpt::find_record(records);
  if (!record.ok()) return nobody("the TLSRPT record: " + record.error().detail);
  if (!record.value().has_value()) return nobody("no TLSRPT record");
  Destinations found;
  found.kind = Destinations::Kind::kFound;
  const TargetList list = read_targets(record.value()->rua, max_recipients);
  for (const ReportTarget& target : list.targets) {
    RecipientRow row;
    row.uri = target.uri;
    found.recipients.push_back(std::move(row));
  }
  for (const RefusedUri& refused : list.refused) {
    RecipientRow row;
    row.uri = refused.uri;
    row.state = RecipientState::kRefused;
    row.why = refused.why;
    found.recipients.push_back(std::move(row));
  }
  return found;
}

void find_destinations(dns::Resolver& resolver, const ReportRules& rules,
                       std::size_t max_recipients, const base::DomainName& domain,
                       std::function<void(Destinations)> callback) {
  const ReportRule* rule = rules.find(domain.text());
  if (rule != nullptr && rule->is_skipped) {
    callback(nobody("a rule skips it"));
    return;
  }
  std::vector<std::string> copies;
  if (rule != nullptr) copies = rule->copies;
  if (rule != nullptr && !rule->recipients.empty()) {
    Destinations found;
    found.kind = Destinations::Kind::kFound;
    add_own(found.recipients, rule->recipients);
    add_own(found.recipients, copies);
    callback(std::move(found));
    return;
  }
  const std::string name = "_smtp._tls." + domain.text();
  resolver.txt(name, [name, copies, max_recipients,
                      callback = std::move(callback)](const dns::DnsResult<std::string>& answer) {
    if (!answer.ok()) {
      const std::string why = name + ": " + answer.error().detail;
      if (answer.error().code == dns::DnsError::kName) {
        callback(nobody(why));
      } else {
        callback({Destinations::Kind::kNoAnswer, why, {}});
      }
      return;
    }
    Destinations found = destinations_of(answer.value().records, max_recipients);
    if (found.kind == Destinations::Kind::kFound) add_own(found.recipients, copies);
    callback(std::move(found));
  });
}

}  // namespace strictmx::reporting
