// signature_status.h - what became of a DKIM signature, one value for each reason (RFC 6376 §6.1).
//
// Use: decide by the value; the detail beside it (base::Failure, Verdict) is for log and report.
// Threads: pure functions.
#pragma once

#include <string_view>

namespace strictmx::dkim {

enum class SignatureStatus {
  kVerified,
  // What the signature field itself says: no key is worth looking up.
  kTooManySignatures,     // beyond those that are looked at
  kSignatureSyntax,       // no tag list, a required tag is missing or not by the grammar, too large
  kVersion,               // v= is not 1
  kAlgorithm,             // a= is neither rsa-sha256 nor ed25519-sha256 (RFC 8301 §3.1, RFC 8463)
  kCanonicalizationForm,  // c= is neither simple nor relaxed
  kQueryMethod,           // q= without dns/txt
  kBodyLength,            // l= is there, which RFC 8460 §3 forbids
  kFromNotSigned,         // h= does not cover each From field of the message (§5.4, §8.15)
  kIdentity,              // i= is outside of d=
  kExpired,               // past x=
  kBodyAltered,           // bh= is not the hash of the body
  // The look-up of the key.
  kDnsTemporary,  // no answer, or a failure that may pass: try again later
  kDnsBogus,      // DNSSEC says that the answer is forged or broken
  kKeyMissing,    // no DKIM key record at the name
  // The key record.
  kKeySyntax,    // no tag list, no p=, or p= is no key of its type
  kKeyTooLarge,  // more records or bytes than are looked at, or a modulus or exponent too large
  kKeyRevoked,   // p= is empty
  kKeyType,      // k= is unknown or not the one of a=
  kKeyHash,      // h= without sha256
  kKeyService,   // s= has neither tlsrpt nor * (RFC 8460 §3)
  kKeyTesting,   // t=y: as if there were no signature, even where it is right (RFC 6376 §3.6.1)
  kKeyStrict,    // t=s, and i= is in a subdomain of d=
  kKeyTooShort,  // RSA under 1024 bits (RFC 8301 §3.2)
  // The signature.
  kSignatureWrong,
  kSystem,  // out of memory or the like: says nothing about the signature, try again later
};

// Stable names for log lines, stored results and JSON: "verified", "body-altered".
std::string_view signature_status_name(SignatureStatus status);

// True for what may be otherwise an hour later (§6.1: TEMPFAIL).
bool is_temporary(SignatureStatus status);

}  // namespace strictmx::dkim
