// report_builder.h - one day's results of a policy domain as the report that is sent about them.
//
// Use: build_report() in a worker thread; read_built_report() gives the value back from the bytes.
// Ownership: values. Threads: pure; equal input gives equal bytes.
// Format: RFC 8460 §4.4, one UTC day (§4.1), gzip (§5.2).
// Errors: BuildProblem; texts of results were bounded when they were taken (result_datagram.h,
// result_store.h), so that every report can be read again.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/text_hash.h"
#include "common/reporting/result_store.h"
#include "common/tlsrpt/report.h"

namespace strictmx::reporting {

// Who reports (RFC 8460 §4.4).
struct ReportAuthor {
  std::string organization;  // organization-name
  std::string contact;       // contact-info, a plain mail address
  bool operator==(const ReportAuthor&) const = default;
};

enum class BuildProblem {
  kCompression,  // out of memory
  kReport,       // bytes that are no report of ours
};

// "2026-11-24.0123456789abcdef": unique among the reports of this site (§4.4), the same each time,
// and fit for Report-ID and Message-ID as it is (§5.3). Hidden from others by the store's own key.
std::string report_id(const base::HashKey& key, DayNumber day, std::string_view domain);

tlsrpt::Report make_report(const DomainResults& results, const ReportAuthor& author,
                           const std::string& id);

base::Result<std::string, BuildProblem> build_report(const DomainResults& results,
                                                     const ReportAuthor& author,
                                                     const std::string& id);
base::Result<tlsrpt::Report, BuildProblem> read_built_report(std::string_view gzip_bytes);

}  // namespace strictmx::reporting
