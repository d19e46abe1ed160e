// bench_ca.cc - the benchmark's certificate authority.
#include "bench_ca.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>

#include "bench_world.h"
#include "fd.h"

namespace strictmx::bench {
namespace {

constexpr long kLifetimeSeconds = 30L * 86400;

TlsHandle<EVP_PKEY> make_key() {
  TlsHandle<EVP_PKEY> key(EVP_EC_gen("P-256"));
  if (key == nullptr) die("EVP_EC_gen");
  return key;
}

void set_name(X509* certificate, X509_NAME* issuer, const std::string& organisation) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>(organisation.c_str());
  X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, text, -1, -1, 0);
  X509_set_issuer_name(certificate, issuer == nullptr ? subject : issuer);
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr || X509_add_ext(certificate, extension, -1) != 1) die("X509_add_ext");
  X509_EXTENSION_free(extension);
}

TlsHandle<X509> start_certificate(EVP_PKEY* key, long serial) {
  TlsHandle<X509> certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kLifetimeSeconds);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

void sign(X509* certificate, EVP_PKEY* key) {
  if (X509_sign(certificate, key, EVP_sha256()) == 0) die("X509_sign");
}

TlsHandle<X509> make_root(EVP_PKEY* key) {
  TlsHandle<X509> root = start_certificate(key, 1);
  set_name(root.get(), nullptr, "strictmx benchmark");
  add_extension(root.get(), root.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(root.get(), root.get(), NID_key_usage, "critical,keyCertSign");
  add_extension(root.get(), root.get(), NID_subject_key_identifier, "hash");
  sign(root.get(), key);
  return root;
}

}  // namespace

BenchCa::BenchCa()
    : root_key_(make_key()), leaf_key_(make_key()), root_(make_root(root_key_.get())) {}

void BenchCa::write_root(const std::string& path) const {
  // Renamed into place: whoever waits for the file never reads half of it.
  const std::string unfinished = path + ".new";
  std::FILE* file = std::fopen(unfinished.c_str(), "w");
  if (file == nullptr || PEM_write_X509(file, root_.get()) != 1 || std::fclose(file) != 0 ||
      std::rename(unfinished.c_str(), path.c_str()) != 0) {
    die(path);
  }
}

X509* BenchCa::certificate(unsigned number) {
  TlsHandle<X509>& kept = certificates_[number];
  if (kept == nullptr) {
    const std::string host = policy_host(number);
    kept = start_certificate(leaf_key_.get(), 2L + number);
    set_name(kept.get(), X509_get_subject_name(root_.get()), host);
    add_extension(kept.get(), root_.get(), NID_subject_alt_name, std::string("DNS:").append(host));
    add_extension(kept.get(), root_.get(), NID_key_usage, "critical,digitalSignature");
    add_extension(kept.get(), root_.get(), NID_ext_key_usage, "serverAuth");
    add_extension(kept.get(), root_.get(), NID_authority_key_identifier, "keyid");
    sign(kept.get(), root_key_.get());
  }
  return kept.get();
}

}  // namespace strictmx::bench
