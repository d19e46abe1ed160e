// report.cc - see report.h.
#include "common/tlsrpt/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace strictmx::tlsrpt {
namespace {

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  return std::min(std::min(a, kMaxCount) + std::min(b, kMaxCount), kMaxCount);
}

}  // namespace

std::string_view type_text(const ReportedPolicyType& type) {
  const PolicyType* known = std::get_if<PolicyType>(&type);
  return known != nullptr ? policy_type_name(*known) : std::get<std::string>(type);
}

std::string_view type_text(const ReportedResultType& type) {
  const ResultType* known = std::get_if<ResultType>(&type);
  return known != nullptr ? result_type_name(*known) : std::get<std::string>(type);
}

Totals totals(const Report& report) {
  Totals all;
  for (const PolicyResult& result : report.policies) {
    all.successful = sum(all.successful, result.successful);
    all.failed = sum(all.failed, result.failed);
  }
  return all;
}

std::string share_successful(const Totals& totals) {
  const std::uint64_t sessions = totals.successful + totals.failed;
  if (sessions == 0) return "-";
  // Written division to four decimals: 2^53 times 10,000 would not fit.
  std::uint64_t hundredths = 0;  // of a per cent
  std::uint64_t rest = totals.successful;
  for (int digit = 0; digit < 5; ++digit) {
    hundredths = hundredths * 10 + rest / sessions;
    rest = rest % sessions * 10;
  }
  return fmt::format("{}.{:02} %", hundredths / 100, hundredths % 100);
}

bool is_one_day(const Report& report) {
  using std::chrono::days;
  using std::chrono::seconds;
  if (std::chrono::floor<days>(report.start) != report.start) return false;
  const seconds span = report.end - report.start;
  return span == days(1) || span == days(1) - seconds(1);
}

std::string range_text(const Report& report) {
  if (is_one_day(report)) return base::format_utc(report.start).substr(0, 10);
  return base::format_utc(report.start) + " to " + base::format_utc(report.end);
}

}  // namespace strictmx::tlsrpt
