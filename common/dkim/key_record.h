// key_record.h - the TXT record of a public key (RFC 6376 §3.6.1, RFC 8463 §4, RFC 8460 §3).
//
// Use: parse_key_record() on one record, its character-strings joined; key_record_text() writes
// one. Ownership: values. Threads: pure functions. Errors: a SignatureStatus with the reason;
// kKeyMissing for a record of something else (another v=). Limits: kMaxKeyRecordBytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/dkim/signature_field.h"
#include "common/dkim/signature_status.h"

namespace strictmx::dkim {

// The record of an RSA key of 8192 bits takes 1.4 kB.
inline constexpr std::size_t kMaxKeyRecordBytes = 4096;

inline constexpr std::string_view kTlsrptService = "tlsrpt";  // RFC 8460 §3

struct KeyRecord {
  KeyType type = KeyType::kRsa;
  std::string key;         // p=, decoded, never empty
  bool is_strict = false;  // t=s: the domain of i= is that of d=, not one below it
};

// A record that can serve for TLS reports: service type "*" (also without s=) or "tlsrpt", and not
// in testing, since a message signed with such a key counts as one without a signature.
base::Result<KeyRecord, SignatureStatus> parse_key_record(std::string_view text);

// `service` is a service type ("tlsrpt", "email", "*"), `key` the bytes of p=.
std::string key_record_text(KeyType type, std::string_view service, std::string_view key);

// Where the record is: "<selector>._domainkey.<domain>" (RFC 6376 §3.6.2.1).
std::string key_record_name(std::string_view selector, std::string_view domain);

// "NAME. IN TXT "..." "..."", character-strings of 255 bytes at most (RFC 1035 §3.3).
std::string zone_file_line(std::string_view name, std::string_view text);

}  // namespace strictmx::dkim
