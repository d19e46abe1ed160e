// policy_type.cc - see policy_type.h.
#include "common/tlsrpt/policy_type.h"

#include <array>

namespace strictmx::tlsrpt {
namespace {

constexpr std::array kAll = {PolicyType::kTlsa, PolicyType::kSts, PolicyType::kNoPolicyFound};

}  // namespace

std::string_view policy_type_name(PolicyType type) {
  switch (type) {
    using enum PolicyType;
    case kTlsa:
      return "tlsa";
    case kSts:
      return "sts";
    case kNoPolicyFound:
      return "no-policy-found";
  }
  return "no-policy-found";
}

std::optional<PolicyType> policy_type_from_name(std::string_view name) {
  for (const PolicyType type : kAll) {
    if (policy_type_name(type) == name) return type;
  }
  return std::nullopt;
}

}  // namespace strictmx::tlsrpt
