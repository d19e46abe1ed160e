// curl_client.h - the Client on libcurl's multi interface, inside our event loop.
//
// Use: create() with the settings of [https]; set anew with a new client (SIGHUP).
// Ownership: borrows the loop. Threads: the loop's thread.
// Errors: create() fails where the roots can't be read.
// Limits: kMaxOpenRequests at once; further ones wait in order.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/event_loop.h"
#include "common/http/client.h"

namespace strictmx::http {

// Each holds a socket and about 60 KiB; policy hosts that hang must not use up all of them soon.
inline constexpr std::size_t kMaxOpenRequests = 1024;

enum class SetupError { kRoots, kSystem };

struct HttpsSettings {
  std::string ca_file;
  std::chrono::milliseconds timeout{60000};
  std::size_t max_bytes = 64 * 1024;
  std::string proxy;  // empty for none; the environment is not asked
};

struct HttpCounters {
  std::uint64_t answered = 0;
  std::uint64_t failed[7] = {};   // by HttpError
  std::uint64_t queue_waits = 0;  // requests that waited because kMaxOpenRequests were open
};

class CurlClient : public Client {
 public:
  static base::Result<std::unique_ptr<CurlClient>, SetupError> create(
      base::EventLoop& loop, const HttpsSettings& settings);
  ~CurlClient() override;

  void get(const HttpRequest& request, HttpCallback callback) override;
  const HttpCounters& counters() const;
  std::size_t open_requests() const;

 private:
  class Core;
  explicit CurlClient(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace strictmx::http
