// client.h - HTTPS GET and POST on the event loop.
//
// Use: send() with host, path and the addresses to connect to; the callback comes once.
// Ownership: the client outlives every callback; callbacks under way when it is destroyed are
// never called. Threads: the loop's thread only; a callback never runs inside send().
// Errors: HttpError with the reason in words. Any HTTP status is an answer, redirects too: none is
// ever followed. To a POST an answer may come before its whole body was sent; it counts as well.
// Limits: HttpsSettings::timeout for the whole of it, max_bytes for the body, kMaxHeaderBytes for
// all headers. Only https, only TLS 1.2 or later, no cookies, no cache, no credentials.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/result.h"

namespace strictmx::http {

inline constexpr std::size_t kMaxHeaderBytes = 64 * 1024;

enum class HttpError {
  kTimeout,
  kConnect,      // refused, unreachable, closed before an answer
  kCertificate,  // not valid for the host, not trusted, expired (web PKI)
  kTls,          // the handshake failed for another reason
  kTooLarge,     // body or headers over the limit
  kProtocol,     // not HTTP, or cut short
  kSystem,       // our own lack of something
};

const char* http_error_name(HttpError error);

enum class HttpMethod {
  kGet,
  kPost,  // of the answer only status and headers are read, as its body is of no interest
};

struct HttpRequest {
  std::string host;  // a DNS name, for SNI, the certificate check and the Host header
  std::string path;  // begins with a slash; what follows its question mark belongs to it
  std::vector<base::IpAddress> addresses;  // to try, in this order
  std::uint16_t port = 0;                  // 0: the client's own
  HttpMethod method = HttpMethod::kGet;
  std::string content_type{};  // of the body; kPost alone has one
  // Of a kPost; shared, because a report may have many readers.
  std::shared_ptr<const std::string> body{};
};

struct HttpResponse {
  int status = 0;
  std::string content_type;  // as sent, empty if none
  std::string body;          // empty for kPost
};

using HttpResult = base::Result<HttpResponse, HttpError>;
using HttpCallback = std::function<void(HttpResult)>;

class Client {
 public:
  virtual ~Client() = default;
  virtual void send(HttpRequest request, HttpCallback callback) = 0;
};

}  // namespace strictmx::http
