// admin_http.h - the small HTTP server for /metrics and /healthz.
//
// Use: create(), then set what each page says. GET and HEAD only.
// Ownership: borrows the loop. Threads: the loop's thread.
// Errors: 404, 405, and 421 for a Host that does not name this machine's loopback or the address
// listened on: a web page in somebody's browser must not read this by DNS rebinding.
// Limits: kMaxAdminHeaders bytes of headers, no bodies, kAdminTimeout.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/unique_descriptor.h"

namespace strictmx::service {

inline constexpr int kMaxAdminHeaders = 8192;
inline constexpr std::chrono::seconds kAdminTimeout{10};
// Connections at once; a scraper needs one.
inline constexpr int kMaxAdminConnections = 64;

struct Health {
  bool is_well = true;
  std::string text;  // one line a finding; "ok" when well
};

class AdminHttp {
 public:
  using Metrics = std::function<std::string()>;
  using HealthCheck = std::function<Health()>;

  // `address` is what the setting said, for the Host check.
  AdminHttp(base::EventLoop& loop, base::UniqueDescriptor listening, std::string address,
            Metrics metrics, HealthCheck health);
  ~AdminHttp();
  AdminHttp(const AdminHttp&) = delete;
  AdminHttp& operator=(const AdminHttp&) = delete;

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

// Does the Host header name the loopback or this address? Pure.
bool is_admin_host(std::string_view host, std::string_view address);

}  // namespace strictmx::service
