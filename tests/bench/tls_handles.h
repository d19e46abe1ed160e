// tls_handles.h - OpenSSL objects that free themselves.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace strictmx::bench {

struct TlsDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

template <class T>
using TlsHandle = std::unique_ptr<T, TlsDeleter>;

}  // namespace strictmx::bench
