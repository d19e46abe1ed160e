// https_client.h - the Client on OpenSSL in our event loop, with one SSL_CTX for all requests.
//
// Use: create() with the settings of [https]; set anew with a new client (SIGHUP).
// Ownership: borrows the loop. Threads: the loop's thread; SIGPIPE must be ignored.
// Callbacks: may call send(); must not destroy the client.
// Errors: create() fails where the roots can't be read or the proxy can't be used.
// Limits: kMaxOpenRequests at once; further ones wait in order, their timeout begins with their
// turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/base/event_loop.h"
#include "common/http/client.h"
#include "common/http/https_settings.h"

namespace strictmx::http {

// Each holds a socket and about 60 KiB; policy hosts that hang must not use up all of them soon.
inline constexpr std::size_t kMaxOpenRequests = 1024;

struct HttpCounters {
  std::uint64_t answered = 0;
  std::uint64_t failed[7] = {};   // by HttpError
  std::uint64_t queue_waits = 0;  // requests that waited because kMaxOpenRequests were open
};

class HttpsClient : public Client {
 public:
  static base::Result<std::unique_ptr<HttpsClient>, SetupError> create(
      base::EventLoop& loop, const HttpsSettings& settings);
  ~HttpsClient() override;

  void send(HttpRequest request, HttpCallback callback) override;
  const HttpCounters& counters() const;
  std::size_t open_requests() const;

 private:
  class Core;
  explicit HttpsClient(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace strictmx::http
