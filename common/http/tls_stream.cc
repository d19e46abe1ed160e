// tls_stream.cc - see tls_stream.h. The only user of OpenSSL in http/.
#include "common/http/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/http/tls_library.h"

namespace strictmx::http {
namespace {

using base::fail;

struct StoreFree {
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};

std::string error_text(unsigned long code) {
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

// What is left from earlier calls must not be taken for the next one's.
void forget_errors() {
  ERR_clear_error();
  errno = 0;
}

}  // namespace

void TlsStream::SslFree::operator()(ssl_st* ssl) const { SSL_free(ssl); }
void TlsContext::ContextFree::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

base::Result<TlsContext, SetupError> TlsContext::create(const std::string& ca_file) {
  ERR_clear_error();
  std::unique_ptr<X509_STORE, StoreFree> roots(X509_STORE_new());
  TlsContext made(SSL_CTX_new_ex(tls_library(), nullptr, TLS_client_method()));
  SSL_CTX* context = made.context_.get();
  if (roots == nullptr || context == nullptr) {
    return fail(SetupError::kSystem, "OpenSSL can't start: " + error_text(ERR_get_error()));
  }
  if (X509_STORE_load_file_ex(roots.get(), ca_file.c_str(), tls_library(), nullptr) != 1) {
    const std::string reason = error_text(ERR_get_error());
    ERR_clear_error();
    return fail(SetupError::kRoots, "https.ca_file: " + ca_file +
                                        ": no certificates can be read (" + reason +
                                        "; Debian package ca-certificates)");
  }
  SSL_CTX_set_cert_store(context, roots.release());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // Records that carry no data (key updates, tickets) come back to us one by one, to be counted.
  // No read-ahead: what is not yet read stays in the socket, which then wakes the loop again.
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {  // RFC 8461 §7.2
    return fail(SetupError::kSystem, "OpenSSL can't do TLS 1.2");
  }
  return made;
}

std::unique_ptr<TlsStream> TlsContext::connect(int descriptor, const std::string& host) const {
  std::unique_ptr<TlsStream> stream(new TlsStream(SSL_new(context_.get())));
  SSL* ssl = stream->ssl_.get();
  if (ssl == nullptr) return nullptr;
  // RFC 8461 §3.3: the DNS-ID alone decides, never the common name.
  SSL_set_hostflags(ssl,
                    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (SSL_set1_host(ssl, host.c_str()) != 1 || SSL_set_tlsext_host_name(ssl, host.c_str()) != 1 ||
      SSL_set_fd(ssl, descriptor) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  SSL_set_connect_state(ssl);
  return stream;
}

TlsStatus TlsStream::handshake() {
  forget_errors();
  const int result = SSL_do_handshake(ssl_.get());
  return result == 1 ? TlsStatus::kDone : status_of(result);
}

TlsStatus TlsStream::write(std::string_view bytes) {
  forget_errors();
  std::size_t written = 0;
  const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
  return result == 1 ? TlsStatus::kDone : status_of(result);
}

TlsRead TlsStream::read(std::span<char> buffer) {
  forget_errors();
  std::size_t count = 0;
  const int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &count);
  if (result == 1) return {TlsStatus::kDone, count};
  return {status_of(result), 0};
}

bool TlsStream::has_pending() const { return SSL_has_pending(ssl_.get()) == 1; }

void TlsStream::send_close() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

TlsStatus TlsStream::status_of(int result) {
  const int system_error = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return TlsStatus::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return TlsStatus::kWantWrite;
    case SSL_ERROR_ZERO_RETURN:
      failure_ = fail(HttpError::kConnect, "closed");
      return TlsStatus::kEnd;
    case SSL_ERROR_SYSCALL:
      failure_ =
          fail(HttpError::kConnect, system_error != 0 ? std::strerror(system_error) : "closed");
      return TlsStatus::kBroken;
    default:
      break;
  }
  const unsigned long code = ERR_peek_error();
  // The chain or the name: OpenSSL's own words, as in `openssl verify`.
  const long verdict = SSL_get_verify_result(ssl_.get());
  if (verdict != X509_V_OK) {
    failure_ = fail(HttpError::kCertificate,
                    std::string("certificate: ") + X509_verify_cert_error_string(verdict));
  } else if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
             ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    failure_ = fail(HttpError::kConnect, "closed");
    ERR_clear_error();
    return TlsStatus::kBroken;
  } else {
    failure_ = fail(HttpError::kTls, "TLS: " + error_text(code));
  }
  ERR_clear_error();
  return TlsStatus::kFailed;
}

}  // namespace strictmx::http
