// explanation.cc - see explanation.h.
#include "common/tlsrpt/explanation.h"

namespace strictmx::tlsrpt {
namespace {

constexpr std::string_view kDomain = "DOMAIN";  // where a text names the policy domain, once

struct Words {
  std::string_view meaning;
  std::string_view remedy;
};

Words words(ResultType type) {
  switch (type) {
    using enum ResultType;
    case kStarttlsNotSupported:
      return {"The MX host did not offer STARTTLS.",
              "Switch TLS on at this host, and see that no firewall takes STARTTLS out of its "
              "reply to EHLO."};
    case kCertificateHostMismatch:
      return {"The certificate is for other names than the policy allows.",
              "Install a certificate with the MX host's name among its subject alternative names, "
              "and see that the policy names this MX host."};
    case kCertificateNotTrusted:
      return {"The certificate does not lead to an authority that the sender trusts.",
              "Send the whole chain with its intermediate certificates, from an authority that is "
              "publicly trusted."};
    case kCertificateExpired:
      return {"The certificate has expired.",
              "Renew it, and see that the mail server was reloaded after the renewal."};
    case kValidationFailure:
      return {"TLS failed for another reason.",
              "The reason code tells more; it may be a TLS version or cipher, or an MX host that "
              "the policy does not name."};
    case kTlsaInvalid:
      return {"TLSA records are there, but none is valid.",
              "Correct the TLSA records of this MX host; publish the record of a new certificate "
              "before it is installed."};
    case kDnssecInvalid:
      return {"DNS gave no answer that DNSSEC proves.",
              "See to the DNSSEC signatures of the zone, and to the DS record at its parent."};
    case kDaneRequired:
      return {
          "The sender demands DANE here, but the MX host has no TLSA record that DNSSEC "
          "proves.",
          "Publish signed TLSA records for all MX hosts, or ask the sender to lift its rule."};
    case kStsPolicyFetchError:
      return {"The MTA-STS policy could not be fetched.",
              "See that https://mta-sts.DOMAIN/.well-known/mta-sts.txt answers with status 200, as "
              "text/plain, without a redirect."};
    case kStsPolicyInvalid:
      return {"The MTA-STS policy was fetched, but is not valid.",
              "Correct the policy's text (RFC 8461 section 3.2), then give its TXT record a new "
              "id."};
    case kStsWebpkiInvalid:
      return {"The certificate of the host that serves the MTA-STS policy is not valid.",
              "Give mta-sts.DOMAIN a certificate for that name, from an authority that is publicly "
              "trusted."};
  }
  return {};
}

Words words(const ReportedResultType& type) {
  if (const ResultType* known = std::get_if<ResultType>(&type)) return words(*known);
  return {"A result type that is not known here.",
          "The registry of TLSRPT result types at IANA tells what it means."};
}

}  // namespace

std::string_view policy_type_words(const ReportedPolicyType& type) {
  const PolicyType* known = std::get_if<PolicyType>(&type);
  if (known == nullptr) return "policy of an unknown type";
  switch (*known) {
    case PolicyType::kTlsa:
      return "DANE policy (TLSA records)";
    case PolicyType::kSts:
      return "MTA-STS policy";
    case PolicyType::kNoPolicyFound:
      return "no policy found";
  }
  return "policy of an unknown type";
}

std::string_view result_type_meaning(const ReportedResultType& type) { return words(type).meaning; }

std::string result_type_remedy(const ReportedResultType& type, std::string_view policy_domain) {
  std::string out(words(type).remedy);
  if (const std::size_t at = out.find(kDomain); at != std::string::npos && !policy_domain.empty()) {
    out.replace(at, kDomain.size(), policy_domain);
  }
  return out;
}

}  // namespace strictmx::tlsrpt
