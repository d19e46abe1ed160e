// policy.cc - see policy.h. One pass over the lines; each field's rule is one function of the
// parser below, and parse_policy() adds line and section to what they say.
#include "common/mta_sts/policy.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <set>
#include <utility>

#include "common/base/domain_name.h"
#include "common/base/log.h"
#include "common/mta_sts/mx_match.h"

namespace strictmx::mta_sts {
namespace {

using base::fail;
using base::Failure;
using base::Outcome;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kWhiteSpace = " \t";  // RFC 5234 WSP
constexpr std::string_view kSection = " (RFC 8461 §3.2)";
constexpr std::size_t kMaxExtensionNameBytes = 1 + 31;  // §3.2 sts-policy-ext-name
constexpr std::size_t kMaxMaxAgeDigits = 10;            // §3.2 sts-policy-max-age-value

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

// §3.2 sts-policy-ext-name; the names the RFC defines fit it as well.
bool is_field_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxExtensionNameBytes &&
         is_letter_or_digit(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.';
         });
}

// Bytes of the UTF-8 sequence that `text` begins with, 0 when it begins with none. The narrower
// bounds of some second bytes keep out overlong forms, surrogates and what is above U+10FFFF
// (RFC 3629 §4).
std::size_t utf8_sequence_bytes(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  std::size_t length = 0;
  unsigned low = 0x80;
  unsigned high = 0xBF;
  if (first < 0x80) {
    return 1;
  } else if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (text.size() < length || byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  return length;
}

// §3.2 sts-policy-ext-value, except that `text` may be empty: what is wrong, or nothing. Control
// characters are the CTL of RFC 5234; U+0080 to U+009F are UTF8-2 in the grammar and so allowed.
std::string_view text_problem(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte == '\r') return "CR that does not end the line";
    if (byte < ' ' || byte == 0x7F) return "control character";
    const std::size_t length = utf8_sequence_bytes(text.substr(at));
    if (length == 0) return "not UTF-8";
    at += length;
  }
  return {};
}

// The peer's text for a failure: escaped, 60 characters at most. Thirteen bytes of four
// characters each, the quotes and the dots still fit.
std::string shown(std::string_view text) {
  std::string out;
  base::append_log_value(out, text, 55);
  if (out.size() <= 60) return out;
  out.clear();
  base::append_log_value(out, text, 13);
  return out;
}

Failure<PolicyError> unexpected(PolicyError code, std::string_view found, std::string_view wanted) {
  return fail(code, "found " + shown(found) + ", want " + std::string(wanted));
}

// Collects the fields of one policy, line by line. Borrows the lines: they must outlive it.
class PolicyParser {
 public:
  Outcome<PolicyError> read_line(std::string_view line);
  base::Result<Policy, PolicyError> finish();

 private:
  Outcome<PolicyError> read_field(std::string_view key, std::string_view value);
  Outcome<PolicyError> read_version(std::string_view value);
  Outcome<PolicyError> read_mode(std::string_view value);
  Outcome<PolicyError> read_max_age(std::string_view value);
  Outcome<PolicyError> read_mx(std::string_view value);

  Policy policy_;
  std::set<std::string_view> seen_keys_;        // of all fields but mx
  std::set<std::string, std::less<>> seen_mx_;  // logarithmic whatever the peer chooses
};

// One line without its end: §3.2 sts-policy-field *WSP.
Outcome<PolicyError> PolicyParser::read_line(std::string_view line) {
  if (line.empty()) return base::done();  // a departure that policy.h names
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return unexpected(PolicyError::kSyntax, line, "key: value");
  }
  const std::string_view key = line.substr(0, colon);
  if (!is_field_name(key)) {
    // White space before the key or before the ":" ends here too: the grammar has none there.
    return unexpected(PolicyError::kSyntax, key,
                      "a key of 1 to 32 letters, digits, '_', '-', '.' right before the ':'");
  }
  // §3.2 sts-policy-field-delim is ":" *WSP; *WSP may follow the value.
  std::string_view value = line.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(kWhiteSpace), value.size()));
  value = value.substr(0, value.find_last_not_of(kWhiteSpace) + 1);
  const std::string_view problem = text_problem(value);
  if (!problem.empty()) {
    return fail(PolicyError::kSyntax,
                std::string(key) + ": " + std::string(problem) + " in " + shown(value));
  }
  auto outcome = read_field(key, value);
  if (!outcome.ok()) {
    return fail(outcome.error().code, std::string(key) + ": " + outcome.error().detail);
  }
  return outcome;
}

Outcome<PolicyError> PolicyParser::read_field(std::string_view key, std::string_view value) {
  Outcome<PolicyError> outcome = base::done();
  const bool is_first = key == "mx" || seen_keys_.insert(key).second;
  if (key == "mx") {
    outcome = read_mx(value);
  } else if (is_first && key == "version") {
    outcome = read_version(value);
  } else if (is_first && key == "mode") {
    outcome = read_mode(value);
  } else if (is_first && key == "max_age") {
    outcome = read_max_age(value);
  } else if (value.empty()) {
    // §3.2: unknown fields are ignored, and all but the first of a repeated field whatever the
    // value means; but each must still be a field of the grammar, as an sts-policy-extension.
    outcome = fail(PolicyError::kSyntax, "empty value");
  }
  if (outcome.ok() && is_first) {
    policy_.lines.push_back(std::string(key) + ": " + std::string(value));
  }
  return outcome;
}

Outcome<PolicyError> PolicyParser::read_version(std::string_view value) {
  if (value != "STSv1") return unexpected(PolicyError::kVersion, value, "STSv1");
  return base::done();
}

Outcome<PolicyError> PolicyParser::read_mode(std::string_view value) {
  const auto mode = policy_mode_from_name(value);
  if (!mode.has_value()) {
    return unexpected(PolicyError::kMode, value, "enforce, testing or none");
  }
  policy_.mode = *mode;
  return base::done();
}

// §3.2 sts-policy-max-age-value is meant as 1*10DIGIT. Above the maximum counts as the maximum.
Outcome<PolicyError> PolicyParser::read_max_age(std::string_view value) {
  if (value.empty() || value.size() > kMaxMaxAgeDigits ||
      !std::all_of(value.begin(), value.end(), is_digit)) {
    return unexpected(PolicyError::kMaxAge, value, "1 to 10 digits");
  }
  std::int64_t seconds = 0;
  std::from_chars(value.data(), value.data() + value.size(), seconds);  // ten digits always fit
  policy_.max_age = std::min(std::chrono::seconds(seconds), kMaxMaxAge);
  return base::done();
}

Outcome<PolicyError> PolicyParser::read_mx(std::string_view value) {
  std::string pattern = base::ascii_lower(value);
  if (!is_mx_pattern(pattern)) {
    return unexpected(PolicyError::kMxPattern, value, "a domain, or '*.' and a domain");
  }
  if (!seen_mx_.insert(pattern).second) return base::done();
  if (policy_.mx.size() == kMaxMxPatterns) {
    return fail(PolicyError::kTooLarge,
                "more than " + std::to_string(kMaxMxPatterns) + " patterns");
  }
  policy_.mx.push_back(std::move(pattern));
  return base::done();
}

// §3.2 sts-policy-field: what must be there once, in any order.
base::Result<Policy, PolicyError> PolicyParser::finish() {
  for (const std::string_view key : {"version", "mode", "max_age"}) {
    if (!seen_keys_.contains(key)) {
      return fail(PolicyError::kMissing, std::string(key) + " is missing");
    }
  }
  if (policy_.mx.empty() && policy_.mode != PolicyMode::kNone) {
    return fail(PolicyError::kMissing, "mx is missing, mode is not none");
  }
  return std::move(policy_);
}

}  // namespace

std::string_view policy_mode_name(PolicyMode mode) {
  switch (mode) {
    case PolicyMode::kEnforce:
      return "enforce";
    case PolicyMode::kTesting:
      return "testing";
    case PolicyMode::kNone:
      return "none";
  }
  return "none";
}

std::optional<PolicyMode> policy_mode_from_name(std::string_view name) {
  for (const PolicyMode mode : {PolicyMode::kEnforce, PolicyMode::kTesting, PolicyMode::kNone}) {
    if (policy_mode_name(mode) == name) return mode;
  }
  return std::nullopt;
}

base::Result<Policy, PolicyError> parse_policy(std::string_view body) {
  if (body.size() > kMaxPolicyBytes) {
    return fail(PolicyError::kTooLarge,
                "policy is over " + std::to_string(kMaxPolicyBytes) + " bytes (RFC 8461 §3.3)");
  }
  return parse_accepted_policy(body);
}

base::Result<Policy, PolicyError> parse_accepted_policy(std::string_view body) {
  if (body.starts_with(kByteOrderMark)) {
    return fail(PolicyError::kSyntax, "line 1: UTF-8 byte order mark" + std::string(kSection));
  }
  PolicyParser parser;
  for (std::size_t number = 1; !body.empty(); ++number) {
    if (number > kMaxPolicyLines) {
      return fail(PolicyError::kTooLarge,
                  "policy is over " + std::to_string(kMaxPolicyLines) + " lines");
    }
    // §3.2 sts-policy-term is LF or CRLF (erratum 6253), and may be left out after the last line.
    const std::size_t line_feed = body.find('\n');
    std::string_view line = body.substr(0, line_feed);
    body.remove_prefix(line_feed == std::string_view::npos ? body.size() : line_feed + 1);
    if (line_feed != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    const auto outcome = parser.read_line(line);
    if (!outcome.ok()) {
      return fail(outcome.error().code, "line " + std::to_string(number) + ": " +
                                            outcome.error().detail + std::string(kSection));
    }
  }
  auto policy = parser.finish();
  if (!policy.ok()) {
    return fail(policy.error().code, policy.error().detail + std::string(kSection));
  }
  return policy;
}

}  // namespace strictmx::mta_sts
