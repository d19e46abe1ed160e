// own_results.h - results that no mail server can tell: policies that can't be fetched (RFC 8460
// §4.3.2.2) and MX hosts that a policy refuses (§4.3.3, reason mtasts-policy-mx-mismatch).
//
// Use: hand what PolicyResolver and Questions tell to the two functions; each failed session goes
// to the sink as a datagram (tlsrpt/result_writer.h) without a TLSRPT record.
// Counting: each failed fetch is one failed session of its domain. So is each MX host that a policy
// refuses, once for an MX look-up however many ask: a host that was counted is not counted again
// for the TTL that its MX record had then, within the bounds of dane_resolver.h.
// Ownership: borrows the clock. Threads: those of the owner, one at a time.
// Errors: none here; the sink sees to those of the spool.
// Limits, each with a counter: kMaxResultsAnHour, beyond which nothing is told, because whoever
// gets many names asked for could fill the store; kMaxHosts remembered, beyond which new ones are
// not told. A reason is cut at kMaxReasonBytes.
// Known gap: an MX look-up that fails counts nothing, and neither does a host that DANE can't use.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "common/base/clock.h"
#include "common/base/domain_name.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/tlsrpt/result_datagram.h"
#include "common/verdict/verdict.h"

namespace strictmx::reporting {

// RFC 8460 §4.3.3: "a short text field".
inline constexpr std::size_t kMaxReasonBytes = 200;
// Far more than a large site meets, and some 100 MB of the store a day.
inline constexpr std::uint64_t kMaxResultsAnHour = 10000;
// At most 12 MB.
inline constexpr std::size_t kMaxHosts = 20000;

inline constexpr std::string_view kMxMismatch = "mtasts-policy-mx-mismatch";

// Counters since start.
struct OwnResultCounters {
  std::uint64_t fetch_errors = 0;      // sts-policy-fetch-error
  std::uint64_t policies_invalid = 0;  // sts-policy-invalid
  std::uint64_t webpki_invalid = 0;    // sts-webpki-invalid
  std::uint64_t mx_mismatches = 0;     // validation-failure
  std::uint64_t too_many = 0;          // kMaxResultsAnHour was reached
  std::uint64_t hosts_full = 0;        // kMaxHosts was reached
};

class OwnResults {
 public:
  using Sink = std::function<void(std::string datagram)>;

  OwnResults(const base::Clock& clock, Sink sink) : clock_(clock), sink_(std::move(sink)) {}

  void note_fetch_failure(const mta_sts::FetchFailure& failure);
  void note_mx_hosts(const verdict::Verdict& verdict);

  const OwnResultCounters& counters() const { return counters_; }

 private:
  bool is_counted(const std::string& domain, const std::string& host, std::chrono::seconds ttl);
  bool has_room(base::SteadyTime now);
  bool tell(const base::DomainName& domain, tlsrpt::AppliedPolicy policy,
            tlsrpt::FailureDetails failure);

  const base::Clock& clock_;
  const Sink sink_;
  OwnResultCounters counters_;
  std::unordered_map<std::string, base::SteadyTime> hosts_;  // "domain host": until when
  base::SteadyTime next_sweep_{};
  base::SteadyTime hour_begin_{};
  std::uint64_t told_this_hour_ = 0;
};

}  // namespace strictmx::reporting
