// report_names.h - the names that a report goes by: file name (RFC 8460 §5.1), Report-ID and
// Message-ID (§5.3).
//
// Use: report_names() once for a report and the policy domain it is sent about.
// Ownership: values. Threads: pure; equal input gives equal names.
// Errors: NameProblem. Nothing but letters, digits and the marks of a dot-atom gets into a name,
// whatever the report says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/domain_name.h"
#include "common/base/result.h"
#include "common/tlsrpt/report.h"

namespace strictmx::reporting {

enum class NameProblem {
  kContact,  // contact-info is no plain address: there is no submitter to name
  kRange,    // before 1970: §5.1 has no sign
};

struct ReportNames {
  std::string submitter;      // §5.3: the domain of contact-info
  std::string file_name;      // of the gzip file
  std::string report_id;      // "left@right", without the angle brackets
  std::string id_left;        // of Report-ID
  std::string unique_digits;  // 16 hexadecimal digits, from report-id and policy domain
};

base::Result<ReportNames, NameProblem> report_names(const tlsrpt::Report& report,
                                                    const base::DomainName& policy_domain);

// 16 hexadecimal digits that differ for different texts, but for those made up to collide.
std::string digits_of(std::string_view text);

}  // namespace strictmx::reporting
