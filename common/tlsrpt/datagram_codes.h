// datagram_codes.h - the numbers of libtlsrpt's protocol for policy types and result types, shared
// by result_datagram.cc and result_writer.cc.
//
// Use: value_of_code() while reading, code_of() while writing. Threads: pure.
#pragma once

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "common/tlsrpt/policy_type.h"
#include "common/tlsrpt/result_type.h"

namespace strictmx::tlsrpt {

inline constexpr std::pair<unsigned, PolicyType> kPolicyCodes[] = {
    {1, PolicyType::kTlsa},
    {2, PolicyType::kSts},
    {9, PolicyType::kNoPolicyFound},
};

inline constexpr std::pair<unsigned, ResultType> kResultCodes[] = {
    {201, ResultType::kStarttlsNotSupported},  {202, ResultType::kCertificateHostMismatch},
    {203, ResultType::kCertificateNotTrusted}, {204, ResultType::kCertificateExpired},
    {205, ResultType::kValidationFailure},     {301, ResultType::kStsPolicyFetchError},
    {302, ResultType::kStsPolicyInvalid},      {303, ResultType::kStsWebpkiInvalid},
    {304, ResultType::kTlsaInvalid},           {305, ResultType::kDnssecInvalid},
    {306, ResultType::kDaneRequired},
};

template <class Codes>
auto value_of_code(const Codes& codes, long long code)
    -> std::optional<decltype(std::begin(codes)->second)> {
  const auto found = std::find_if(std::begin(codes), std::end(codes), [code](const auto& row) {
    return code == static_cast<long long>(row.first);
  });
  if (found == std::end(codes)) return std::nullopt;
  return found->second;
}

// Each type has a row.
template <class Codes, class Type>
unsigned code_of(const Codes& codes, Type type) {
  return std::find_if(std::begin(codes), std::end(codes),
                      [type](const auto& row) { return row.second == type; })
      ->first;
}

}  // namespace strictmx::tlsrpt
