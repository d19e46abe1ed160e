// policy_type.h - the policy types of RFC 8460 §4.4 and their names.
//
// Use: policy_type_name() for JSON, logs and tables. Threads: pure.
#pragma once

#include <optional>
#include <string_view>

namespace strictmx::tlsrpt {

enum class PolicyType { kTlsa, kSts, kNoPolicyFound };

std::string_view policy_type_name(PolicyType type);
std::optional<PolicyType> policy_type_from_name(std::string_view name);

}  // namespace strictmx::tlsrpt
