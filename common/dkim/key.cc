// key.cc - see key.h.
#include "common/dkim/key.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/unique_descriptor.h"
#include "common/dkim/public_key.h"
#include "common/dkim/sha256.h"

namespace strictmx::dkim {
namespace {

using base::fail;
using base::Failure;
using base::Outcome;
using base::UniqueDescriptor;

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct ContextFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Bio = std::unique_ptr<BIO, BioFree>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Takes what OpenSSL left, so that nobody's next call meets it.
Failure<KeyError> openssl_failure(KeyError code, std::string what) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  if (reason != nullptr) what.append(": ").append(reason);
  ERR_clear_error();
  return fail(code, std::move(what));
}

// Without it OpenSSL would ask on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

// A private key in memory, overwritten at the end.
struct Secret {
  Secret() = default;
  Secret(Secret&&) = default;
  Secret& operator=(Secret&&) = default;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { OPENSSL_cleanse(text.data(), text.size()); }

  std::string text;
};

Outcome<KeyError> check_safe(const std::string& path, const struct stat& status) {
  if (status.st_uid != 0 && status.st_uid != geteuid()) {
    return fail(KeyError::kUnsafe,
                path + ": belongs to another user; make root or this user its owner (chown)");
  }
  const bool is_own_group = status.st_gid == 0 || status.st_gid == getegid();
  const mode_t forbidden = S_IRWXO | S_IWGRP | (is_own_group ? 0 : S_IRGRP);
  if ((status.st_mode & forbidden) != 0) {
    return fail(KeyError::kUnsafe, path + ": others may read or write it; chmod 600 it");
  }
  return base::done();
}

base::Result<Secret, KeyError> read_key_file(const std::string& path) {
  // Not blocking: the path may name a FIFO.
  const UniqueDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return fail(KeyError::kUnreadable, path + ": " + std::strerror(errno));
  struct stat status {};
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(KeyError::kUnreadable, path + ": not a file");
  }
  const auto safe = check_safe(path, status);
  if (!safe.ok()) return safe.error();
  Secret secret;
  secret.text.resize(kMaxKeyFileBytes + 1);
  std::size_t size = 0;
  while (size < secret.text.size()) {
    const ssize_t got = read(file.get(), secret.text.data() + size, secret.text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(KeyError::kUnreadable, path + ": " + std::strerror(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMaxKeyFileBytes) {
    return fail(KeyError::kTooLarge,
                path + ": over " + std::to_string(kMaxKeyFileBytes) + " bytes, not a key");
  }
  secret.text.resize(size);
  return secret;
}

Outcome<KeyError> write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(KeyError::kUnreadable, std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (fsync(descriptor) != 0) return fail(KeyError::kUnreadable, std::strerror(errno));
  return base::done();
}

// RFC 6376 §3.6.1: "*" or a hyphenated-word of §2.10.
bool is_service(std::string_view service) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_inner = [is_letter](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
  };
  if (service == "*") return true;
  return !service.empty() && is_letter(service.front()) && service.back() != '-' &&
         std::all_of(service.begin(), service.end(), is_inner);
}

}  // namespace

base::Result<PrivateKey, KeyError> PrivateKey::make(KeyType type) {
  ERR_clear_error();
  EVP_PKEY* made =
      type == KeyType::kRsa
          ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(kMinSignRsaBits))
          : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  if (made == nullptr) return openssl_failure(KeyError::kSystem, "OpenSSL can't make a key");
  return PrivateKey(std::shared_ptr<EVP_PKEY>(made, EVP_PKEY_free), type);
}

base::Result<PrivateKey, KeyError> PrivateKey::from_pem(std::string_view pem) {
  ERR_clear_error();
  if (pem.size() > kMaxKeyFileBytes) {
    return fail(KeyError::kTooLarge, "over " + std::to_string(kMaxKeyFileBytes) + " bytes");
  }
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (bio == nullptr) return openssl_failure(KeyError::kSystem, "OpenSSL can't read");
  const std::shared_ptr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr), EVP_PKEY_free);
  if (key == nullptr) {
    return openssl_failure(KeyError::kSyntax, "no private key in PEM without passphrase");
  }
  switch (EVP_PKEY_get_base_id(key.get())) {
    case EVP_PKEY_ED25519:
      return PrivateKey(key, KeyType::kEd25519);
    case EVP_PKEY_RSA:
      break;
    default:
      return fail(KeyError::kKind, "neither an RSA nor an Ed25519 key");
  }
  const int bits = EVP_PKEY_get_bits(key.get());
  if (bits < kMinSignRsaBits) {
    return fail(KeyError::kTooShort, "an RSA key of " + std::to_string(bits) + " bits, want " +
                                         std::to_string(kMinSignRsaBits) + " (RFC 8301 §3.2)");
  }
  if (bits > kMaxRsaBits) {
    return fail(KeyError::kTooLarge, "an RSA key of " + std::to_string(bits) + " bits, over " +
                                         std::to_string(kMaxRsaBits));
  }
  return PrivateKey(key, KeyType::kRsa);
}

base::Result<PrivateKey, KeyError> PrivateKey::load(const std::string& path) {
  const auto secret = read_key_file(path);
  if (!secret.ok()) return secret.error();
  auto key = from_pem(secret.value().text);
  if (!key.ok()) return fail(key.error().code, path + ": " + key.error().detail);
  return key;
}

Outcome<KeyError> PrivateKey::save(const std::string& path) const {
  ERR_clear_error();
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (bio == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0,
                                                      nullptr, nullptr) != 1) {
    return openssl_failure(KeyError::kSystem, "OpenSSL can't write the key");
  }
  const char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  const UniqueDescriptor file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file) return fail(KeyError::kUnreadable, path + ": " + std::strerror(errno));
  auto written = write_all(file.get(), {bytes, static_cast<std::size_t>(size)});
  if (written.ok()) return written;
  unlink(path.c_str());  // half a key is of no use, and would be in the way of the next try
  return fail(written.error().code, path + ": " + written.error().detail);
}

base::Result<std::string, KeyError> PrivateKey::record_text(std::string_view service) const {
  if (!is_service(service)) {
    return fail(KeyError::kService, "service type: want * or letters, digits and hyphens");
  }
  ERR_clear_error();
  if (type_ == KeyType::kEd25519) {  // RFC 8463 §4: the bare 32 bytes
    unsigned char raw[32];
    std::size_t size = sizeof raw;
    if (EVP_PKEY_get_raw_public_key(key_.get(), raw, &size) != 1) {
      return openssl_failure(KeyError::kSystem, "OpenSSL can't write the public key");
    }
    return key_record_text(type_, service, {reinterpret_cast<const char*>(raw), size});
  }
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key_.get(), &der);
  if (size <= 0) return openssl_failure(KeyError::kSystem, "OpenSSL can't write the public key");
  const std::string key(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return key_record_text(type_, service, key);
}

base::Result<std::string, KeyError> PrivateKey::sign(std::string_view bytes) const {
  ERR_clear_error();
  // RFC 8463 §3: Ed25519 signs the SHA-256 hash, RSA hashes by itself.
  std::string hash;
  if (type_ == KeyType::kEd25519) {
    auto hashed = sha256(bytes);
    if (!hashed.has_value()) return openssl_failure(KeyError::kSystem, "OpenSSL can't hash");
    hash = *std::move(hashed);
    bytes = hash;
  }
  const EVP_MD* const digest = type_ == KeyType::kRsa ? EVP_sha256() : nullptr;
  const std::unique_ptr<EVP_MD_CTX, ContextFree> context(EVP_MD_CTX_new());
  std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())), '\0');
  std::size_t size = signature.size();
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes_of(bytes), bytes.size()) != 1) {
    return openssl_failure(KeyError::kSystem, "OpenSSL can't sign");
  }
  signature.resize(size);
  return signature;
}

}  // namespace strictmx::dkim
