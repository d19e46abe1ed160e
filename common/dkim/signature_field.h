// signature_field.h - a DKIM-Signature header field (RFC 6376 §3.5), read by §6.1.1.
//
// Use: parse_signature_field() on the whole field.
// Ownership: values. Threads: pure functions. Units: times in UTC.
// Errors: a SignatureStatus with the reason. Read as §3.5 has it, with one departure: a selector
// may have underscores, as published ones do. Limits: kMaxSignatureFieldBytes, kMaxSignedNames.
// Known gap: no U-labels and no UTF-8 (RFC 8616).
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/dkim/canonical.h"
#include "common/dkim/signature_status.h"

namespace strictmx::dkim {

// A signature of a 4096-bit key, its h= and z= take some 4 kB.
inline constexpr std::size_t kMaxSignatureFieldBytes = 16 * 1024;
// Signers name some dozens; each costs a search.
inline constexpr std::size_t kMaxSignedNames = 256;

enum class KeyType { kRsa, kEd25519 };

std::string_view key_type_name(KeyType type);   // as in k= (RFC 6376 §3.6.1, RFC 8463 §4)
std::string_view algorithm_name(KeyType type);  // as in a=: with sha256, the only hash

struct SignatureField {
  KeyType type = KeyType::kRsa;  // a=
  std::string signature;         // b=, decoded
  std::string body_hash;         // bh=, decoded: 32 bytes
  Canonicalization header_form = Canonicalization::kSimple;
  Canonicalization body_form = Canonicalization::kSimple;
  std::string domain;           // d= in lower case
  std::string identity_domain;  // the domain of i= in lower case; that of d= without i=
  std::string selector;
  std::vector<std::string> signed_names;  // h=, in order, as written
  std::optional<std::chrono::sys_seconds> signed_at;
  std::optional<std::chrono::sys_seconds> expires;
  std::string unsigned_text;  // the field with an empty b=, which is what was signed (§3.7)
};

// `text` is the field as split_message() gives it.
base::Result<SignatureField, SignatureStatus> parse_signature_field(std::string_view text);

}  // namespace strictmx::dkim
