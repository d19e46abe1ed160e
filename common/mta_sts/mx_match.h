// mx_match.h - does an MX host match the policy's mx patterns (RFC 8461 §4.1).
//
// Use: mx_matches(policy.mx, host), host as in the MX record. Threads: pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace strictmx::mta_sts {

// `pattern` is lower-case as Policy::mx has it; `host` in any letter case, one final dot ignored.
// "*." stands for exactly one left-most label.
bool mx_matches(std::string_view pattern, std::string_view host);
bool mx_matches(std::span<const std::string> patterns, std::string_view host);

}  // namespace strictmx::mta_sts
