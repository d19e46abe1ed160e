// bench_ca.h - the benchmark's certificate authority: one root, one leaf key, many certificates.
//
// Each policy host has a certificate of its own (a subjectAltName and no usable common name), all
// for one ECDSA P-256 key, signed by a root that exists only as long as the object.
// Errors: end the program through die().
#pragma once

#include <string>
#include <unordered_map>

#include "tls_handles.h"

namespace strictmx::bench {

class BenchCa {
 public:
  BenchCa();
  void write_root(const std::string& path) const;
  EVP_PKEY* leaf_key() const { return leaf_key_.get(); }
  // Made at the first call for a number, then kept. Borrowed.
  X509* certificate(unsigned number);

 private:
  TlsHandle<EVP_PKEY> root_key_;
  TlsHandle<EVP_PKEY> leaf_key_;
  TlsHandle<X509> root_;
  std::unordered_map<unsigned, TlsHandle<X509>> certificates_;
};

}  // namespace strictmx::bench
