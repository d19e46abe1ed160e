// result_type.cc - see result_type.h.
#include "common/tlsrpt/result_type.h"

#include <array>

namespace strictmx::tlsrpt {
namespace {

constexpr std::array kAll = {
    ResultType::kStarttlsNotSupported,  ResultType::kCertificateHostMismatch,
    ResultType::kCertificateNotTrusted, ResultType::kCertificateExpired,
    ResultType::kValidationFailure,     ResultType::kTlsaInvalid,
    ResultType::kDnssecInvalid,         ResultType::kDaneRequired,
    ResultType::kStsPolicyFetchError,   ResultType::kStsPolicyInvalid,
    ResultType::kStsWebpkiInvalid,
};

}  // namespace

std::string_view result_type_name(ResultType type) {
  switch (type) {
    using enum ResultType;
    case kStarttlsNotSupported:
      return "starttls-not-supported";
    case kCertificateHostMismatch:
      return "certificate-host-mismatch";
    case kCertificateNotTrusted:
      return "certificate-not-trusted";
    case kCertificateExpired:
      return "certificate-expired";
    case kValidationFailure:
      return "validation-failure";
    case kTlsaInvalid:
      return "tlsa-invalid";
    case kDnssecInvalid:
      return "dnssec-invalid";
    case kDaneRequired:
      return "dane-required";
    case kStsPolicyFetchError:
      return "sts-policy-fetch-error";
    case kStsPolicyInvalid:
      return "sts-policy-invalid";
    case kStsWebpkiInvalid:
      return "sts-webpki-invalid";
  }
  return "validation-failure";
}

std::optional<ResultType> result_type_from_name(std::string_view name) {
  for (const ResultType type : kAll) {
    if (result_type_name(type) == name) return type;
  }
  return std::nullopt;
}

}  // namespace strictmx::tlsrpt
