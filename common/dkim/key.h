// key.h - private keys for signing: made, kept in a file, and their record in DNS.
//
// Use: PrivateKey::make() and save() once, then load() at each start; record_text() for the zone.
// Ownership: a PrivateKey is a handle; copies share the key, which never changes.
// Threads: any number of threads may sign with one key at once.
// Errors: KeyError; what has to do with a file begins with its name.
// Limits: kMinSignRsaBits, kMaxRsaBits, kMaxKeyFileBytes. Keys with a passphrase are refused:
// nobody is there to type it.
// An RSA-2048 signature costs about 350 microseconds, an Ed25519 one about 50: there is no way
// around it, so signing belongs into worker threads.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/dkim/key_record.h"
#include "common/dkim/signature_field.h"

struct evp_pkey_st;

namespace strictmx::dkim {

inline constexpr int kMinSignRsaBits = 2048;            // RFC 8301 §3.2, SHOULD
inline constexpr std::size_t kMaxKeyFileBytes = 32768;  // an RSA-8192 key takes 7 kB

enum class KeyError {
  kUnreadable,  // the file can't be read or written
  kUnsafe,      // others may read or write the file
  kSyntax,      // no private key in PEM, or one with a passphrase
  kKind,        // neither RSA nor Ed25519
  kTooShort,    // RSA under kMinSignRsaBits
  kTooLarge,    // the file or the key
  kService,     // no service type
  kSystem,      // OpenSSL fails: out of memory or the like
};

class PrivateKey {
 public:
  // RSA of 2048 bits takes some 100 ms.
  static base::Result<PrivateKey, KeyError> make(KeyType type);
  // A PEM file that only its owner (root or this user) can write, and nobody else can read but the
  // group of root or of this process.
  static base::Result<PrivateKey, KeyError> load(const std::string& path);
  static base::Result<PrivateKey, KeyError> from_pem(std::string_view pem);

  // As a new file of mode 0600; a file that is there already is never replaced.
  base::Outcome<KeyError> save(const std::string& path) const;

  KeyType type() const { return type_; }
  // The TXT record for <selector>._domainkey.<domain>, with a service type ("email", "*") or that
  // of RFC 8460 §3.
  base::Result<std::string, KeyError> record_text(std::string_view service = kTlsrptService) const;

  // The signature (RFC 6376 §3.3.1, RFC 8463 §3), not encoded.
  base::Result<std::string, KeyError> sign(std::string_view bytes) const;

 private:
  PrivateKey(std::shared_ptr<evp_pkey_st> key, KeyType type) : key_(std::move(key)), type_(type) {}

  std::shared_ptr<evp_pkey_st> key_;
  KeyType type_;
};

}  // namespace strictmx::dkim
