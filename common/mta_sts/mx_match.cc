// mx_match.cc - see mx_match.h.
#include "common/mta_sts/mx_match.h"

#include <algorithm>

#include "common/base/domain_name.h"

namespace strictmx::mta_sts {
namespace {

// RFC 6125 §6.4.1: names compare without regard to ASCII letter case. `lower` is lower-case.
bool is_same_name(std::string_view lower, std::string_view name) {
  return std::equal(lower.begin(), lower.end(), name.begin(), name.end(),
                    [](char a, char b) { return a == base::ascii_lower(b); });
}

}  // namespace

// Domain by the letter of RFC 5321 §4.1.2 covers 192.0.2.1 too; a last label of digits only is an
// address, never a host's name (RFC 3696 §2), and no certificate of a host has it.
bool is_mx_pattern(std::string_view pattern) {
  if (pattern.starts_with("*.")) pattern.remove_prefix(2);
  if (!base::is_rfc5321_domain(pattern)) return false;
  const std::string_view last_label = pattern.substr(pattern.rfind('.') + 1);
  return !std::all_of(last_label.begin(), last_label.end(),
                      [](char c) { return c >= '0' && c <= '9'; });
}

bool mx_matches(std::string_view pattern, std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty()) return false;
  if (!pattern.starts_with("*.")) return is_same_name(pattern, host);
  // §4.1: "*" stands for the whole left-most label, so one label and only one is taken off the
  // host. Neither the bare domain nor a deeper name matches.
  const std::string_view domain = pattern.substr(2);
  const std::size_t dot = host.find('.');
  if (domain.empty() || dot == std::string_view::npos || dot == 0) return false;
  return is_same_name(domain, host.substr(dot + 1));
}

bool mx_matches(std::span<const std::string> patterns, std::string_view host) {
  return std::any_of(patterns.begin(), patterns.end(), [host](const std::string& pattern) {
    return mx_matches(std::string_view(pattern), host);
  });
}

}  // namespace strictmx::mta_sts
