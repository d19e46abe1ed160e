// tls_stream.h - TLS to a policy host over a connected non-blocking socket (RFC 8461 §3.3, §7).
//
// Use: TlsContext::create() once, then a TlsStream for each connection: handshake() until it is
// done, then write() and read(). Each call does what it can without blocking; kWantRead and
// kWantWrite say what the socket must become ready for before the same call is made again.
// Ownership: a stream borrows the descriptor; the context may go before its streams.
// Threads: one stream, one thread. SIGPIPE must be ignored.
// Rules: TLS 1.2 or later; SNI; chain to the roots of the file; DNS-ID only, a wildcard is the
// whole left-most label; no session is ever used again. Revocation is not checked.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/http/client.h"
#include "common/http/https_settings.h"

struct ssl_st;
struct ssl_ctx_st;

namespace strictmx::http {

enum class TlsStatus {
  kDone,
  kWantRead,
  kWantWrite,
  kEnd,     // the peer ended the stream in good order (close_notify)
  kBroken,  // the connection closed or broke without that
  kFailed,  // TLS itself; failure() says how
};

struct TlsRead {
  TlsStatus status;
  std::size_t count = 0;  // bytes read, with kDone
};

class TlsStream {
 public:
  TlsStatus handshake();
  TlsStatus write(std::string_view bytes);  // kDone: all of them; else again with the same bytes
  TlsRead read(std::span<char> buffer);
  // Bytes came that read() has not given yet: the socket may never become readable again.
  bool has_pending() const;
  void send_close();  // our close_notify, if the socket takes it now; only after kDone or kEnd
  // After kFailed: kCertificate or kTls with OpenSSL's reason; after kBroken: kConnect.
  const base::Failure<HttpError>& failure() const { return failure_; }

 private:
  friend class TlsContext;
  struct SslFree {
    void operator()(ssl_st* ssl) const;
  };
  explicit TlsStream(ssl_st* ssl) : ssl_(ssl) {}
  TlsStatus status_of(int result);

  std::unique_ptr<ssl_st, SslFree> ssl_;
  base::Failure<HttpError> failure_{HttpError::kTls, {}};
};

class TlsContext {
 public:
  // Reads the roots (PEM): blocks for some milliseconds.
  static base::Result<TlsContext, SetupError> create(const std::string& ca_file);
  // No value where memory lacks, or the host is no name that SNI can carry.
  std::unique_ptr<TlsStream> connect(int descriptor, const std::string& host) const;

 private:
  struct ContextFree {
    void operator()(ssl_ctx_st* context) const;
  };
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}

  std::unique_ptr<ssl_ctx_st, ContextFree> context_;
};

}  // namespace strictmx::http
