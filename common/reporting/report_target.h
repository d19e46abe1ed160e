// report_target.h - a URI of `rua` as the place that a report goes to (RFC 8460 §3; RFC 3986,
// 6068).
//
// Use: read_targets() on the URIs of a record, then mail or POST to each target.
// Threads: pure functions.
// Rules: whoever publishes the record chose the text, so a target is only what can be sent to
//   without quoting: one plain mail address, or https to a host by name. All of mailto: that sets
//   header fields is dropped (RFC 8460 §7). A name without a dot is refused: it would be one of
//   our own network.
// Errors: TargetError with the reason, printable and short.
// Limits: kMaxTargetUriBytes, kMaxPathBytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace strictmx::reporting {

// Path and query, as web servers take it at least.
inline constexpr std::size_t kMaxPathBytes = 2000;
// An address may come with each byte percent-encoded; a URL has a name besides its path.
inline constexpr std::size_t kMaxTargetUriBytes = 4096;

enum class TargetError {
  kSyntax,   // no URI
  kScheme,   // neither mailto nor https (RFC 8460 §3)
  kAddress,  // mailto: not one plain address
  kHost,     // https: no host by name, a port out of range, or credentials
  kPath,     // https: what a request line can't hold, or too long
};

enum class TargetKind { kMail, kHttps };

struct ReportTarget {
  TargetKind kind = TargetKind::kMail;
  std::string uri;  // "mailto:user@example.com" or "https://host[:port]/path?query"; reads again
                    // as the same target, and equal targets have equal ones
  std::string mailbox;  // kMail: a plain address, the domain in lower-case A-labels
  std::string host;     // kHttps: lower-case A-labels
  std::uint16_t port = 443;
  std::string path;  // kHttps: with the query, begins with a slash
  bool operator==(const ReportTarget&) const = default;
};

base::Result<ReportTarget, TargetError> read_target(std::string_view uri);

// Both printable.
struct RefusedUri {
  std::string uri;  // cut where it is long
  std::string why;
};

struct TargetList {
  std::vector<ReportTarget> targets;  // in the order of the record, each once
  std::vector<RefusedUri> refused;
};

// Targets beyond max_targets are refused, so that one record can't have us send without end.
TargetList read_targets(std::span<const std::string> uris, std::size_t max_targets);

}  // namespace strictmx::reporting
