// signature_status.cc - see signature_status.h.
#include "common/dkim/signature_status.h"

namespace strictmx::dkim {

std::string_view signature_status_name(SignatureStatus status) {
  switch (status) {
    using enum SignatureStatus;
    case kVerified:
      return "verified";
    case kTooManySignatures:
      return "too-many-signatures";
    case kSignatureSyntax:
      return "signature-syntax";
    case kVersion:
      return "version";
    case kAlgorithm:
      return "algorithm";
    case kCanonicalizationForm:
      return "canonicalization";
    case kQueryMethod:
      return "query-method";
    case kBodyLength:
      return "body-length";
    case kFromNotSigned:
      return "from-not-signed";
    case kIdentity:
      return "identity";
    case kExpired:
      return "expired";
    case kBodyAltered:
      return "body-altered";
    case kDnsTemporary:
      return "dns-temporary";
    case kDnsBogus:
      return "dns-bogus";
    case kKeyMissing:
      return "key-missing";
    case kKeySyntax:
      return "key-syntax";
    case kKeyTooLarge:
      return "key-too-large";
    case kKeyRevoked:
      return "key-revoked";
    case kKeyType:
      return "key-type";
    case kKeyHash:
      return "key-hash";
    case kKeyService:
      return "key-service";
    case kKeyTesting:
      return "key-testing";
    case kKeyStrict:
      return "key-strict";
    case kKeyTooShort:
      return "key-too-short";
    case kSignatureWrong:
      return "signature-wrong";
    case kSystem:
      return "system";
  }
  return "system";
}

bool is_temporary(SignatureStatus status) {
  return status == SignatureStatus::kDnsTemporary || status == SignatureStatus::kSystem;
}

}  // namespace strictmx::dkim
