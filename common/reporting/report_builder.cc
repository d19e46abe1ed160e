// report_builder.cc - see report_builder.h.
#include "common/reporting/report_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/reporting/gzip.h"
#include "common/reporting/report_schedule.h"
#include "common/tlsrpt/report_json.h"

namespace strictmx::reporting {
namespace {

using base::fail;

tlsrpt::FailureDetail make_detail(const StoredFailure& failure) {
  const tlsrpt::FailureDetails& told = failure.details;
  tlsrpt::FailureDetail detail;
  detail.result_type = told.type;
  // A text that is no address is none that §4.4 has a place for.
  detail.sending_mta_ip = base::IpAddress::parse(told.sending_mta_ip);
  detail.receiving_mx_hostname = told.receiving_mx_hostname;
  detail.receiving_mx_helo = told.receiving_mx_helo;
  detail.receiving_ip = base::IpAddress::parse(told.receiving_ip);
  detail.failed_session_count = failure.sessions;
  detail.additional_information = told.additional_information;
  detail.failure_reason_code = told.reason_code;
  return detail;
}

std::vector<std::string> first_of(const std::vector<std::string>& texts) {
  const auto count = std::min(texts.size(), tlsrpt::kMaxReportListItems);
  return {texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(count)};
}

tlsrpt::PolicyResult make_policy(const StoredPolicy& stored, const std::string& domain) {
  tlsrpt::PolicyResult result;
  result.policy.type = stored.policy.type;
  result.policy.policy_strings = first_of(stored.policy.strings);
  // §4.4: every policy names one; rows that were folded have none.
  result.policy.policy_domain = stored.policy.domain.empty() ? domain : stored.policy.domain;
  result.policy.mx_hosts = first_of(stored.policy.mx_hosts);
  result.successful = stored.sessions.succeeded;
  result.failed = stored.sessions.failed;
  for (const StoredFailure& failure : stored.failures) {
    result.failure_details.push_back(make_detail(failure));
  }
  return result;
}

}  // namespace

std::string report_id(const base::HashKey& key, DayNumber day, std::string_view domain) {
  std::string text = "report id " + day_text(day) + " ";
  text += domain;
  return fmt::format("{}.{:016x}", day_text(day), base::text_hash(key, text));
}

tlsrpt::Report make_report(const DomainResults& results, const ReportAuthor& author,
                           const std::string& id) {
  tlsrpt::Report report;
  report.organization_name = author.organization;
  report.contact_info = author.contact;
  report.report_id = id;
  report.start = day_start(results.day);
  report.end = day_start(results.day + 1) - std::chrono::seconds(1);
  for (const StoredPolicy& policy : results.policies) {
    report.policies.push_back(make_policy(policy, results.domain));
  }
  return report;
}

base::Result<std::string, BuildProblem> build_report(const DomainResults& results,
                                                     const ReportAuthor& author,
                                                     const std::string& id) {
  auto zipped = gzip(tlsrpt::write_report_json(make_report(results, author, id)));
  if (!zipped.ok()) return fail(BuildProblem::kCompression, zipped.error().detail);
  return std::move(zipped).value();
}

base::Result<tlsrpt::Report, BuildProblem> read_built_report(std::string_view gzip_bytes) {
  // Our own, and bounded when it was written; an MX host can make texts that shrink a lot.
  auto text = gunzip(gzip_bytes,
                     {.max_bytes = tlsrpt::kMaxReportBytes, .max_ratio = tlsrpt::kMaxReportBytes});
  if (!text.ok()) return fail(BuildProblem::kReport, text.error().detail);
  auto read = tlsrpt::read_report_json(text.value());
  if (!read.ok()) return fail(BuildProblem::kReport, read.error().detail);
  return std::move(read).value().report;
}

}  // namespace strictmx::reporting
