// report_destinations.h - to whom a domain's report goes: its record, when it is due, and the
// rules.
//
// Use: find_destinations() for one policy domain; the callback comes once, perhaps inside the call.
// Ownership: borrows the resolver, and the rules until find() has returned; callbacks under way
// when the resolver goes are never called.
// Threads: the loop's thread.
// Errors: none of its own: kNoAnswer says that DNS can't tell now.
// Limits: max_recipients of a record; the rules have theirs.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "common/base/domain_name.h"
#include "common/dns/resolver.h"
#include "common/reporting/report_rows.h"
#include "common/reporting/report_rules.h"

namespace strictmx::reporting {

struct Destinations {
  enum class Kind {
    kFound,     // recipients, some of which may be refused already
    kNobody,    // no report is wanted, or none can be sent; `why` tells
    kNoAnswer,  // DNS fails
  };
  Kind kind = Kind::kNobody;
  std::string why;
  std::vector<RecipientRow> recipients;
};

// RFC 8460 §3: the record is looked up at _smtp._tls.<domain>, now; a bogus answer is none. Where a
// rule names recipients nothing is looked up.
void find_destinations(dns::Resolver& resolver, const ReportRules& rules,
                       std::size_t max_recipients, const base::DomainName& domain,
                       std::function<void(Destinations)> callback);

// What TXT records found there mean. Pure.
Destinations destinations_of(const std::vector<std::string>& records, std::size_t max_recipients);

}  // namespace strictmx::reporting
