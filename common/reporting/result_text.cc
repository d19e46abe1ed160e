// result_text.cc - see result_text.h.
#include "common/reporting/result_text.h"

#include <charconv>
#include <vector>

#include "common/base/netstring.h"

namespace strictmx::reporting {
namespace {

using tlsrpt::AppliedPolicy;
using tlsrpt::FailureDetails;

constexpr std::size_t kPolicyHead = 3;    // type, domain, number of policy strings
constexpr std::size_t kFailureTexts = 7;  // result type and six texts

std::optional<std::vector<std::string>> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto part = base::parse_netstring(text, text.size());
    if (part.state != base::NetstringState::kComplete) return std::nullopt;
    parts.emplace_back(part.payload);
    text.remove_prefix(part.consumed);
  }
  return parts;
}

}  // namespace

std::string write_policy(const AppliedPolicy& policy, std::string_view result_domain) {
  std::string text;
  base::append_netstring(text, tlsrpt::policy_type_name(policy.type));
  base::append_netstring(text, policy.domain == result_domain ? "" : policy.domain);
  base::append_netstring(text, std::to_string(policy.strings.size()));
  for (const std::string& line : policy.strings) base::append_netstring(text, line);
  for (const std::string& host : policy.mx_hosts) base::append_netstring(text, host);
  return text;
}

std::optional<AppliedPolicy> read_policy(std::string_view text, std::string_view result_domain) {
  const auto parts = split(text);
  if (!parts.has_value() || parts->size() < kPolicyHead) return std::nullopt;
  const auto type = tlsrpt::policy_type_from_name((*parts)[0]);
  const std::string& number = (*parts)[2];
  std::size_t strings = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), strings);
  if (!type.has_value() || parsed.ec != std::errc() || strings > parts->size() - kPolicyHead) {
    return std::nullopt;
  }
  const auto first = parts->begin() + kPolicyHead;
  const auto middle = first + static_cast<std::ptrdiff_t>(strings);
  const std::string& domain = (*parts)[1];
  return AppliedPolicy{*type, domain.empty() ? std::string(result_domain) : domain,
                       std::vector<std::string>(first, middle),
                       std::vector<std::string>(middle, parts->end())};
}

std::string write_failure(const FailureDetails& failure) {
  std::string text;
  base::append_netstring(text, tlsrpt::result_type_name(failure.type));
  for (const std::string* part :
       {&failure.sending_mta_ip, &failure.receiving_mx_hostname, &failure.receiving_mx_helo,
        &failure.receiving_ip, &failure.additional_information, &failure.reason_code}) {
    base::append_netstring(text, *part);
  }
  return text;
}

std::optional<FailureDetails> read_failure(std::string_view text) {
  const auto parts = split(text);
  if (!parts.has_value() || parts->size() != kFailureTexts) return std::nullopt;
  const auto type = tlsrpt::result_type_from_name((*parts)[0]);
  if (!type.has_value()) return std::nullopt;
  return FailureDetails{*type,       (*parts)[1], (*parts)[2], (*parts)[3],
                        (*parts)[4], (*parts)[5], (*parts)[6]};
}

}  // namespace strictmx::reporting
