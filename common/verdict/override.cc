// override.cc - see override.h.
#include "common/verdict/override.h"

#include <algorithm>
#include <utility>

#include "common/mta_sts/mx_match.h"

namespace strictmx::verdict {
namespace {

using base::fail;
using mta_sts::PolicyMode;

constexpr std::size_t kDateLength = 10;  // 2027-01-31

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7f; });
}

// A date holds to its end.
base::Result<std::optional<base::WallTime>, OverrideError> read_end(const std::string& text) {
  if (text.empty()) return std::optional<base::WallTime>();
  const bool is_date = text.size() == kDateLength;
  const auto time = base::parse_utc(is_date ? text + "T00:00:00Z" : text);
  if (!time.has_value()) {
    return fail(OverrideError::kEnd,
                "until: is a date (2027-01-31) or a time in UTC (2027-01-31T12:00:00Z)");
  }
  return std::optional<base::WallTime>(is_date ? *time + std::chrono::days(1) : *time);
}

base::Result<std::vector<std::string>, OverrideError> read_patterns(
    const std::vector<std::string>& texts) {
  std::vector<std::string> patterns;
  if (texts.size() > kMaxOverridePatterns) {
    return fail(OverrideError::kPattern,
                "mx: more than " + std::to_string(kMaxOverridePatterns) + " patterns");
  }
  for (const std::string& text : texts) {
    std::string pattern = base::ascii_lower(text);
    if (!mta_sts::is_mx_pattern(pattern)) {
      return fail(OverrideError::kPattern,
                  "mx: is a host (mx1.example.com) or *. and a domain (RFC 8461 3.2)");
    }
    if (std::find(patterns.begin(), patterns.end(), pattern) == patterns.end()) {
      patterns.push_back(std::move(pattern));
    }
  }
  return patterns;
}

}  // namespace

base::Result<Override, OverrideError> read_override(const OverrideText& text) {
  Override out;
  auto domain = base::DomainName::parse(text.domain);
  if (!domain.ok()) return fail(OverrideError::kDomain, "domain: " + domain.error().detail);
  out.domain = domain.value().text();
  auto patterns = read_patterns(text.mx);
  if (!patterns.ok()) return patterns.error();
  out.mx = std::move(patterns).value();
  const auto mode = text.mode.empty() && !out.mx.empty()
                        ? PolicyMode::kEnforce
                        : mta_sts::policy_mode_from_name(text.mode);
  if (!mode.has_value()) {
    return fail(OverrideError::kMode, "mode: is enforce, testing or none");
  }
  out.mode = *mode;
  if (out.mode == PolicyMode::kNone && !out.mx.empty()) {
    return fail(OverrideError::kPattern, "mx: mode none has no use for patterns");
  }
  auto until = read_end(text.until);
  if (!until.ok()) return until.error();
  out.until = until.value();
  if (text.note.size() > kMaxOverrideNote || !is_printable(text.note)) {
    return fail(OverrideError::kNote,
                "note: is one line of at most " + std::to_string(kMaxOverrideNote) + " bytes");
  }
  out.note = text.note;
  return out;
}

}  // namespace strictmx::verdict
