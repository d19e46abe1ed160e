// report_json.h - a report as the JSON of RFC 8460 §4.4: the form it travels and is stored in.
//
// Use: write_report_json() for ours. read_report_json() for anybody's, gunzipped already.
// Ownership: values. Threads: pure functions.
// Written: I-JSON (RFC 7493) on one line, for equal reports the same bytes; members in the order
//   of §4.4. Bytes that are not UTF-8, noncharacters and NUL each become U+FFFD; a count over
//   kMaxCount becomes kMaxCount. Left out when empty: policy-string, mx-host, and of a failure
//   detail all but result-type and failed-session-count; what §4.4 does not call optional is left
//   out only where there is nothing true to say, as an empty text is no address.
// Read: a text that breaks a bound, is no JSON, repeats a member, or from which no report can be
//   made is a failure; what senders are known to do differently from §4.4 is read and remarked.
//   Members that are not known are ignored (RFC 7493 §4.2). Names come out as lower-case A-labels.
// Errors: ReportError; the detail names place and section, fit to be shown.
// Limits: the constants below.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/tlsrpt/report.h"

namespace strictmx::tlsrpt {

// §5.2 speaks of receivers that take ten megabytes, compressed or not. A hundred thousand details
// with every member take 35 to 45 MB written closely.
inline constexpr std::size_t kMaxReportBytes = 48 * 1024 * 1024;
inline constexpr std::size_t kMaxReportDepth = 16;  // §4.4 itself nests five levels
// Ours fit: nine values a detail, and room for the rest. A value takes up to 240 bytes once parsed.
inline constexpr std::size_t kMaxReportValues = 1'100'000;
// Ours have up to 1,003 (kMaxRowsADomain, and one folded of each type).
inline constexpr std::size_t kMaxReportPolicies = 1'200;
inline constexpr std::size_t kMaxReportDetails = 100'000;  // of all policies together
inline constexpr std::size_t kMaxReportListItems = 2'048;  // lines of a policy, patterns, records
inline constexpr std::size_t kMaxReportTextBytes = 8'192;  // one text
inline constexpr std::size_t kMaxRemarks = 100;            // a screenful or two; more are counted

enum class ReportError {
  kTooLarge,  // bytes, values, policies, details, items or one text
  kTooDeep,
  kSyntax,  // no JSON, or no I-JSON
  kSchema,  // JSON, but no report
};

// How a report departs from §4.4 and is read nevertheless.
enum class Departure {
  kByteOrderMark,
  kMissing,
  kNull,
  kTextForList,
  kObjectForList,
  kMxPrefix,           // "mx: " before an MX pattern
  kNoZone,             // a date-time
  kNotOneDay,          // the range
  kCountForm,          // a text or a fraction for an integer
  kNotMailAddress,     // contact-info
  kNotIpAddress,       // it is left out
  kNotALabels,         // a name that is not one, or in another script
  kUnknownPolicyType,  // kept as text
  kUnknownResultType,  // kept as text
  kNoPolicies,
  kDetailsAboveTotal,
};

struct Remark {
  Departure departure;
  std::string place;  // "policies[0].policy.mx-host"
  std::string found;  // fit to be shown, cut; may be empty
};

// "policies[0].policy.mx-host: one text where a list belongs, found ...".
std::string remark_text(const Remark& remark);

struct ReadReport {
  Report report;
  std::vector<Remark> remarks;
  std::size_t remarks_left_out = 0;  // those beyond kMaxRemarks
};

std::string write_report_json(const Report& report);
base::Result<ReadReport, ReportError> read_report_json(std::string_view text);

}  // namespace strictmx::tlsrpt
