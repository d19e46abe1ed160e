// domain_name.h - a DNS name of a mail domain or host, always as lower-case A-labels.
//
// Use: DomainName::parse() at the boundary; the type is trusted from there on.
// Ownership: owns its text. Threads: a value.
// Errors: NameError says what the text is instead. Internationalised names are folded with IDNA2008
// (RFC 5891); names already in ASCII only change their letter case.
// Limits: labels of 1 to 63, names of 1 to 253 bytes (RFC 1035 §2.3.4). One final dot is dropped.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace strictmx::base {

inline constexpr std::size_t kMaxNameBytes = 253;
inline constexpr std::size_t kMaxLabelBytes = 63;

enum class NameError {
  kEmpty,
  kTooLong,    // the name or a label
  kCharacter,  // not a letter, digit, hyphen, underscore or dot in the right place
  kAddress,    // an IP address or a last label of digits only, never a mail domain
  kIdn,        // not valid under IDNA2008
};

class DomainName {
 public:
  static Result<DomainName, NameError> parse(std::string_view text);

  const std::string& text() const { return text_; }
  // "_mta-sts." + name and the like; empty when that would be no valid DNS name.
  std::string with_prefix(std::string_view prefix) const;

  bool operator==(const DomainName&) const = default;
  auto operator<=>(const DomainName&) const = default;

 private:
  explicit DomainName(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

// Domain of RFC 5321 §4.1.2 in lower case: letters, digits, inner hyphens and dots, nothing else.
// Stricter than DomainName: no underscore, no final dot. `name` must be lower-case.
bool is_rfc5321_domain(std::string_view name);

char ascii_lower(char c);
std::string ascii_lower(std::string_view text);

}  // namespace strictmx::base
