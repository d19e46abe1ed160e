// override.h - what an operator has decided about a domain, whatever its owner publishes.
//
// Use: a value in the configuration ([[override]]), in the store (override_store.h), and in
// verdict.cc, where it goes before everything else.
// Threads: pure. Errors: OverrideError with the reason, for a text that makes no override.
// Limits: kMaxOverrideNote bytes of note, kMaxOverridePatterns patterns.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/domain_name.h"
#include "common/base/result.h"
#include "common/mta_sts/policy.h"

namespace strictmx::verdict {

inline constexpr std::size_t kMaxOverrideNote = 500;
inline constexpr std::size_t kMaxOverridePatterns = 100;

enum class OverrideError {
  kDomain,
  kMode,
  kPattern,  // an mx pattern is none, or the mode has no use for patterns
  kEnd,      // neither a date nor a time
  kNote,     // too long, or unprintable
};

// As an operator writes it.
struct OverrideText {
  std::string domain;
  std::string mode;             // enforce, testing, none; empty with mx: enforce
  std::vector<std::string> mx;  // own patterns in place of the policy's
  std::string until;  // "2027-01-31" (to its end, UTC) or "2027-01-31T12:00:00Z"; or empty
  std::string note;
};

struct Override {
  std::string domain;
  mta_sts::PolicyMode mode = mta_sts::PolicyMode::kNone;
  std::vector<std::string> mx;          // lower case; empty: those of the published policy
  std::optional<base::WallTime> until;  // holds before this time
  std::string note;

  bool holds_at(base::WallTime now) const { return !until.has_value() || now < *until; }
  bool operator==(const Override&) const = default;
};

base::Result<Override, OverrideError> read_override(const OverrideText& text);

}  // namespace strictmx::verdict
