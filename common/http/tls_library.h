// tls_library.h - OpenSSL's algorithms as a TLS client needs them: all of them, but of the readers
// of keys only those for certificates.
//
// Use: tls_library() as the OSSL_LIB_CTX of an SSL_CTX and of the roots. Null means OpenSSL's own:
// whoever has set up other providers or FIPS in openssl.cnf gets what is set up.
// Why: OpenSSL 3.0 gathers all its key readers, some hundred, anew for each certificate that comes,
// to use one of them: a tenth of what a handshake costs, and more than half of its allocations.
// Ownership: made once, lives until the process ends. Threads: any.
// Limits: reads public keys in a SubjectPublicKeyInfo (RFC 5280 §4.1) of the kinds that a TLS
// server can have (RFC 8446 §4.2.3, RFC 8422 §5.1): RSA, RSA-PSS, EC, Ed25519, Ed448.
#pragma once

struct ossl_lib_ctx_st;

namespace strictmx::http {

ossl_lib_ctx_st* tls_library();

}  // namespace strictmx::http
