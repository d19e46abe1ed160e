// policy.h - the policy body served by the policy host (RFC 8461 §3.2).
//
// Use: parse_policy() on the whole body. Policy keeps what a sender needs and the lines that a
// report or a TLSRPT-aware mail server wants to see.
// Ownership: values. Threads: pure functions. Units: max_age in seconds.
// Errors: PolicyError with line and reason. Parsing is strict by the grammar, with the departures
// named at parse_policy().
// Limits: kMaxPolicyBytes, kMaxMxPatterns, kMaxPolicyLines.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace strictmx::mta_sts {

inline constexpr std::size_t kMaxPolicyBytes = 64 * 1024;    // §3.3, suggested
inline constexpr std::chrono::seconds kMaxMaxAge{31557600};  // §3.2
inline constexpr std::size_t kMaxMxPatterns = 512;  // an answer of 100,000 bytes must hold them
inline constexpr std::size_t kMaxPolicyLines = 2048;

enum class PolicyMode { kEnforce, kTesting, kNone };

std::string_view policy_mode_name(PolicyMode mode);
std::optional<PolicyMode> policy_mode_from_name(std::string_view name);  // case-sensitive, §3.2

enum class PolicyError {
  kTooLarge,   // over a limit above
  kSyntax,     // a line is not by the grammar
  kMissing,    // version, mode, max_age or (unless mode is none) mx is not there
  kVersion,    // not STSv1
  kMode,       // not enforce, testing or none
  kMaxAge,     // not 1 to 10 digits
  kMxPattern,  // not a domain or "*." and a domain
};

struct Policy {
  PolicyMode mode = PolicyMode::kNone;
  std::chrono::seconds max_age{0};
  // Lower-case, in the order of the file, without repeats: "mx1.example.com", "*.example.net".
  std::vector<std::string> mx;
  // Every accepted line as "key: value" in the order of the file (§4.4 of RFC 8460 policy-string):
  // of a repeated field (all but mx) only the first, mx values as written.
  std::vector<std::string> lines;

  bool operator==(const Policy&) const = default;
};

// Departures from the letter of the grammar, each because published policies have it and nothing
// becomes less secure: empty lines (also at the end) are skipped, and a max_age above 31557600
// counts as 31557600 (the RFC names the maximum but no consequence).
// A failure's detail reads "line 3: mx: ... (RFC 8461 §3.2)", or names what is missing.
base::Result<Policy, PolicyError> parse_policy(std::string_view body);
// The same for the lines of an accepted policy in our own form, which may be longer by a blank
// each.
base::Result<Policy, PolicyError> parse_accepted_policy(std::string_view body);

}  // namespace strictmx::mta_sts
