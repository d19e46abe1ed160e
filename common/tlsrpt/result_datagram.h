// result_datagram.h - one TLS result as a mail server sends it: libtlsrpt's JSON, protocol
// version 1.
//
// Use: read_result_datagram() on the bytes of one datagram. Ownership: values. Threads: pure.
//
//   {"dpv": "1", "d": "<policy domain>", "pr": "<TXT record at _smtp._tls>", "policies": [
//     {"policy-type": 1|2|9, "policy-domain": "...", "policy-string": ["..."], "mx-host": ["..."],
//      "failure-details": [{"c": 203, "s": "sending MTA IP", "n": "MX hostname", "h": "EHLO reply",
//                           "r": "receiving IP", "a": "additional information", "f": "reason"}],
//      "t": <number of failure details>, "f": 0|1}],
//    "strictmx": {"time": <UTC seconds>}}
//
// policy-type: 1 tlsa, 2 sts, 9 no-policy-found. f: 0 the session succeeded at last, 1 it failed.
// Members other than d, policies, policy-type, f and c may be missing; unknown ones are passed
// over. The member "strictmx" is for our own clients, other collectors pass over it: `time` is when
// the session was, for a result that could not be sent at once, so that it counts on its own day.
// Another `dpv` is read as if it were "1", as other collectors do, and marked; so is a code `c`
// that is not known, as validation-failure, which RFC 8460 §4.3.1 has for all that fits nowhere
// else.
//
// Text: servers pass bytes above 0x7f on as the peer sent them. Each byte that is not UTF-8 becomes
// U+FFFD, because reports are I-JSON (RFC 8460 §4.4). A text over kMaxTextBytes is cut.
// Errors: DatagramError with the reason in words; nothing a sender writes is fatal.
// Limits: the constants below; what is above them is refused, but for texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/domain_name.h"
#include "common/base/result.h"
#include "common/tlsrpt/policy_type.h"
#include "common/tlsrpt/result_type.h"

namespace strictmx::tlsrpt {

// Postfix sends up to a few kilobytes; a policy body may have 64 KiB (RFC 8461 §3.3).
inline constexpr std::size_t kMaxDatagramBytes = 64 * 1024;
// The format nests five levels; one more for members that later versions add.
inline constexpr std::size_t kMaxDatagramDepth = 6;
// Values are what costs memory while parsing: some fifty bytes for one of two bytes.
inline constexpr std::size_t kMaxDatagramValues = 4096;
// A session is judged by one policy, or by tlsa and sts.
inline constexpr std::size_t kMaxDatagramPolicies = 8;
// Lines of one policy, and MX patterns of it.
inline constexpr std::size_t kMaxPolicyTexts = 1024;
// A delivery tries a handful of MX hosts with a few addresses each.
inline constexpr std::size_t kMaxFailures = 128;
// An EHLO reply of a server with many extensions has a few hundred bytes.
inline constexpr std::size_t kMaxTextBytes = 2048;

enum class DatagramError {
  kSize,    // over kMaxDatagramBytes, or empty
  kSyntax,  // not JSON
  kBounds,  // nests too deep, or more values, policies, texts or failures than the limits
  kShape,   // a member is missing or has another type
  kDomain,  // `d` is no mail domain
};
inline constexpr std::size_t kDatagramErrors = 5;

// For metrics and file names: "size", "syntax", "bounds", "shape", "domain".
std::string_view datagram_error_name(DatagramError error);

// RFC 8460 §4.4, "failure-details"; a text that was not told is empty.
struct FailureDetails {
  ResultType type = ResultType::kValidationFailure;
  std::string sending_mta_ip;
  std::string receiving_mx_hostname;
  std::string receiving_mx_helo;
  std::string receiving_ip;
  std::string additional_information;
  std::string reason_code;
  bool operator==(const FailureDetails&) const = default;
};

// RFC 8460 §4.4, "policy".
struct AppliedPolicy {
  PolicyType type = PolicyType::kNoPolicyFound;
  std::string domain;  // lower-case A-labels where it is a domain; may be empty
  std::vector<std::string> strings;
  std::vector<std::string> mx_hosts;
  bool operator==(const AppliedPolicy&) const = default;
};

struct PolicyOutcome {
  AppliedPolicy policy;
  bool is_failed = false;
  std::vector<FailureDetails> failures;
  bool operator==(const PolicyOutcome&) const = default;
};

struct ResultDatagram {
  base::DomainName domain;
  std::string record;  // the TXT record as the server saw it
  std::vector<PolicyOutcome> outcomes;
  std::optional<base::WallTime> session_time;
  bool is_other_version = false;
};

base::Result<ResultDatagram, DatagramError> read_result_datagram(std::string_view text);

}  // namespace strictmx::tlsrpt
