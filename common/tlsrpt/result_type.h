// result_type.h - the result types of RFC 8460 §4.3 and their names.
//
// Use: result_type_name() for JSON, logs and answers. Threads: pure.
#pragma once

#include <optional>
#include <string_view>

namespace strictmx::tlsrpt {

enum class ResultType {
  // §4.3.1 negotiation failures
  kStarttlsNotSupported,
  kCertificateHostMismatch,
  kCertificateNotTrusted,
  kCertificateExpired,
  kValidationFailure,
  // §4.3.2.1 DANE-specific
  kTlsaInvalid,
  kDnssecInvalid,
  kDaneRequired,
  // §4.3.2.2 MTA-STS-specific
  kStsPolicyFetchError,
  kStsPolicyInvalid,
  kStsWebpkiInvalid,
};

std::string_view result_type_name(ResultType type);
std::optional<ResultType> result_type_from_name(std::string_view name);

}  // namespace strictmx::tlsrpt
