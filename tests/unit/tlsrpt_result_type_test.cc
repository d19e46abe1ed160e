// tlsrpt_result_type_test.cc - the result type names of RFC 8460 §4.3.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "common/tlsrpt/result_type.h"

namespace strictmx::tlsrpt {
namespace {

struct Case {
  const char* rule;
  ResultType input;
  const char* want;
};

const std::vector<Case> kCases = {
    {"§4.3.1", ResultType::kStarttlsNotSupported, "starttls-not-supported"},
    {"§4.3.1", ResultType::kCertificateHostMismatch, "certificate-host-mismatch"},
    {"§4.3.1", ResultType::kCertificateNotTrusted, "certificate-not-trusted"},
    {"§4.3.1", ResultType::kCertificateExpired, "certificate-expired"},
    {"§4.3.3", ResultType::kValidationFailure, "validation-failure"},
    {"§4.3.2.1", ResultType::kTlsaInvalid, "tlsa-invalid"},
    {"§4.3.2.1", ResultType::kDnssecInvalid, "dnssec-invalid"},
    {"§4.3.2.1", ResultType::kDaneRequired, "dane-required"},
    {"§4.3.2.2", ResultType::kStsPolicyFetchError, "sts-policy-fetch-error"},
    {"§4.3.2.2", ResultType::kStsPolicyInvalid, "sts-policy-invalid"},
    {"§4.3.2.2", ResultType::kStsWebpkiInvalid, "sts-webpki-invalid"},
};

TEST(Rfc8460Sec43ResultType, NamesAreThoseOfTheRfc) {
  std::set<std::string_view> names;
  for (const Case& c : kCases) {
    SCOPED_TRACE(std::string(c.rule) + " " + c.want);
    EXPECT_EQ(result_type_name(c.input), c.want);
    EXPECT_EQ(result_type_from_name(c.want), c.input);
    names.insert(result_type_name(c.input));
  }
  EXPECT_EQ(names.size(), 11U);
}

TEST(Rfc8460Sec66ResultType, UnknownNamesAreTolerated) {
  for (const char* name : {"", "starttls", "Tlsa-Invalid", "tlsa_invalid", "tlsa-invalid ",
                           "sts-policy-expired", "success"}) {
    SCOPED_TRACE(name);
    EXPECT_FALSE(result_type_from_name(name).has_value());
  }
}

}  // namespace
}  // namespace strictmx::tlsrpt
