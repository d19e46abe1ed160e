// report_text.h - a report in words, for the administrator who opens the mail (RFC 8460 §5.3).
//
// Use: the first part of the mail; the attached JSON has all of it.
// Ownership: a value. Threads: pure; equal reports give equal texts.
// Format: UTF-8, lines ended by '\n', of at most kMaxTextColumns columns. Texts of the report are
//   shown escaped and cut: none can begin a line or move a cursor.
// Limits: the largest kMaxShownFailures rows (a policy's result type at an MX host) and
//   kMaxShownPolicies policies; "and K more" says what is left out.
#pragma once

#include <cstddef>
#include <string>

#include "common/base/domain_name.h"
#include "common/tlsrpt/report.h"

namespace strictmx::reporting {

inline constexpr std::size_t kMaxTextColumns = 76;  // RFC 5322 §2.1.1 asks for 78 with a margin
inline constexpr std::size_t kMaxShownFailures = 20;
inline constexpr std::size_t kMaxShownPolicies = 20;

std::string report_text(const tlsrpt::Report& report, const base::DomainName& policy_domain);

}  // namespace strictmx::reporting
