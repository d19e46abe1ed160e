// mx_match.h - mx patterns, and does an MX host match one (RFC 8461 §3.2, §4.1).
//
// Use: mx_matches(policy.mx, host), host as in the MX record. Threads: pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace strictmx::mta_sts {

// §3.2 sts-policy-mx-value in lower case: ["*."] Domain.
bool is_mx_pattern(std::string_view pattern);

// `pattern` is lower-case as Policy::mx has it; `host` in any letter case, one final dot ignored.
// "*." stands for exactly one left-most label.
bool mx_matches(std::string_view pattern, std::string_view host);
bool mx_matches(std::span<const std::string> patterns, std::string_view host);

}  // namespace strictmx::mta_sts
