// report.h - a report of RFC 8460 §4.4 as a value: ours before it is written, others' once read.
//
// Use: fill in or read the members; report_json.h is the form on the wire.
// Ownership: values. Threads: values and pure functions.
// Limits: none here; the reader has them. An empty text or list, an address without a value and a
// count of zero are "not said". Counts above kMaxCount are no JSON integers that all read alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ip_address.h"
#include "common/tlsrpt/policy_type.h"
#include "common/tlsrpt/result_type.h"

namespace strictmx::tlsrpt {

inline constexpr std::uint64_t kMaxCount = (std::uint64_t{1} << 53) - 1;  // RFC 7493 §2.2

// A type that is known here, or the text of one that is not: §4.3 expects the lists to grow.
using ReportedPolicyType = std::variant<PolicyType, std::string>;
using ReportedResultType = std::variant<ResultType, std::string>;

std::string_view type_text(const ReportedPolicyType& type);
std::string_view type_text(const ReportedResultType& type);

struct ReportedPolicy {
  ReportedPolicyType type = PolicyType::kNoPolicyFound;
  std::vector<std::string> policy_strings;  // §4.5
  std::string policy_domain;                // A-labels
  std::vector<std::string> mx_hosts;        // patterns, A-labels
  bool operator==(const ReportedPolicy&) const = default;
};

struct FailureDetail {
  ReportedResultType result_type = ResultType::kValidationFailure;
  std::optional<base::IpAddress> sending_mta_ip;
  std::string receiving_mx_hostname;
  std::string receiving_mx_helo;
  std::optional<base::IpAddress> receiving_ip;
  std::uint64_t failed_session_count = 0;
  std::string additional_information;  // a URI
  std::string failure_reason_code;
  bool operator==(const FailureDetail&) const = default;
};

struct PolicyResult {
  ReportedPolicy policy;
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
  // Types overlap (§4): these counts need not add up to `failed`.
  std::vector<FailureDetail> failure_details;
  bool operator==(const PolicyResult&) const = default;
};

struct Report {
  std::string organization_name;
  base::WallTime start{};
  base::WallTime end{};      // as written: 23:59:59 of the day, or 00:00:00 of the next
  std::string contact_info;  // an addr-spec
  std::string report_id;
  std::vector<PolicyResult> policies;
  bool operator==(const Report&) const = default;
};

struct Totals {
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
};

// Over all policies; a sum over kMaxCount stays there.
Totals totals(const Report& report);

// "94.62 %", cut and not rounded, so that one failure never reads as 100.00 %; "-" of no sessions.
std::string share_successful(const Totals& totals);

// Is the range one UTC day, written in one of the two usual ways?
bool is_one_day(const Report& report);
// "2026-11-22" for one UTC day, else both ends.
std::string range_text(const Report& report);

}  // namespace strictmx::tlsrpt
