// public_key.cc - see public_key.h.
#include "common/dkim/public_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "common/dkim/sha256.h"

namespace strictmx::dkim {
namespace {

using base::fail;
using base::Outcome;
using enum SignatureStatus;

struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct ContextFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct NumberFree {
  void operator()(BIGNUM* number) const { BN_free(number); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyFree>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// RFC 6376 §3.6.1 says RSAPublicKey, its examples and all signers have SubjectPublicKeyInfo
// (erratum 3017). Both are read, without anything behind them.
Key read_rsa_key(std::string_view der) {
  const unsigned char* const end = bytes_of(der) + der.size();
  const unsigned char* at = bytes_of(der);
  Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (key == nullptr) {
    at = bytes_of(der);
    key.reset(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, static_cast<long>(der.size())));
  }
  if (key == nullptr || at != end || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA)
    return nullptr;
  return key;
}

Outcome<SignatureStatus> check_rsa_size(const Key& key) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_RSA_E, &number) != 1) {
    return fail(kKeySyntax, "key record: the RSA key has no exponent");
  }
  const std::unique_ptr<BIGNUM, NumberFree> exponent(number);
  const int bits = EVP_PKEY_get_bits(key.get());
  if (bits < kMinVerifyRsaBits) {
    return fail(kKeyTooShort, "the RSA key has " + std::to_string(bits) + " bits, want " +
                                  std::to_string(kMinVerifyRsaBits) + " (RFC 8301 §3.2)");
  }
  if (bits > kMaxRsaBits || BN_num_bits(exponent.get()) > kMaxExponentBits) {
    return fail(kKeyTooLarge, "the RSA key has " + std::to_string(bits) +
                                  " bits and an exponent of " +
                                  std::to_string(BN_num_bits(exponent.get())));
  }
  return base::done();
}

// `hash` is no value where the algorithm takes a hash by itself (RFC 8463 §3: the SHA-256 hash is
// what Ed25519 signs).
Outcome<SignatureStatus> verify(const Key& key, const EVP_MD* hash, std::string_view signed_bytes,
                                std::string_view signature) {
  const std::unique_ptr<EVP_MD_CTX, ContextFree> context(EVP_MD_CTX_new());
  if (context == nullptr ||
      EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key.get()) != 1) {
    return fail(kSystem, "OpenSSL can't check signatures");
  }
  if (EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(signed_bytes),
                       signed_bytes.size()) != 1) {
    return fail(kSignatureWrong, "the signature is not that of these header fields by this key");
  }
  return base::done();
}

Outcome<SignatureStatus> check(const KeyRecord& record, std::string_view signed_bytes,
                               std::string_view signature) {
  switch (record.type) {
    case KeyType::kRsa: {
      const Key key = read_rsa_key(record.key);
      if (key == nullptr) return fail(kKeySyntax, "key record: p= is no RSA key");
      auto size = check_rsa_size(key);
      if (!size.ok()) return size;
      return verify(key, EVP_sha256(), signed_bytes, signature);
    }
    case KeyType::kEd25519: {
      const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(record.key),
                                                record.key.size()));
      if (key == nullptr) return fail(kKeySyntax, "key record: p= is no Ed25519 key of 32 bytes");
      const auto hash = sha256(signed_bytes);
      if (!hash.has_value()) return fail(kSystem, "OpenSSL can't hash");
      return verify(key, nullptr, *hash, signature);
    }
  }
  return fail(kKeyType, "unknown key type");
}

}  // namespace

base::Outcome<SignatureStatus> check_signature(const KeyRecord& record,
                                               std::string_view signed_bytes,
                                               std::string_view signature) {
  ERR_clear_error();
  auto outcome = check(record, signed_bytes, signature);
  ERR_clear_error();  // not to be taken for the failure of somebody's next call
  return outcome;
}

}  // namespace strictmx::dkim
