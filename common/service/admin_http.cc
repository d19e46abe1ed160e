// admin_http.cc - see admin_http.h. libevent's HTTP server.
#include "common/service/admin_http.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <string_view>
#include <utility>

#include "common/base/log.h"

namespace strictmx::service {
namespace {

constexpr int kHttpMisdirected = 421;

std::string_view without_port(std::string_view host) {
  const std::size_t close = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != host.npos && (close == host.npos || colon > close);
  return has_port ? host.substr(0, colon) : host;
}

}  // namespace

bool is_admin_host(std::string_view host, std::string_view address) {
  const std::string_view name = without_port(host);
  return name == "localhost" || name == "127.0.0.1" || name == "[::1]" ||
         (!name.empty() && name == without_port(address));
}

class AdminHttp::Server {
 public:
  Server(base::EventLoop& loop, base::UniqueDescriptor listening, std::string address,
         Metrics metrics, HealthCheck health)
      : address_(std::move(address)),
        metrics_(std::move(metrics)),
        health_(std::move(health)),
        listening_(std::move(listening)),
        http_(evhttp_new(loop.native())) {
    evhttp_set_allowed_methods(http_.get(), EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(http_.get(), kMaxAdminHeaders);
    evhttp_set_max_body_size(http_.get(), 0);
    evhttp_set_timeout(http_.get(), static_cast<int>(kAdminTimeout.count()));
    evhttp_set_gencb(http_.get(), &on_request, this);
    // Not LEV_OPT_CLOSE_ON_FREE: the descriptor is ours.
    if (evhttp_accept_socket(http_.get(), listening_.get()) != 0) {
      base::log_error("admin HTTP can't listen", {{"address", address_}});
    }
  }

 private:
  static void on_request(evhttp_request* request, void* data) noexcept {
    auto* server = static_cast<Server*>(data);
    base::guarded("admin HTTP", [&] { server->answer(request); });
  }

  void answer(evhttp_request* request) {
    const char* host = evhttp_find_header(evhttp_request_get_input_headers(request), "Host");
    if (host == nullptr || !is_admin_host(host, address_)) {
      reply(request, kHttpMisdirected, "Misdirected Request", "text/plain",
            "the Host of this request is not served here\n");
      return;
    }
    const evhttp_uri* uri = evhttp_request_get_evhttp_uri(request);
    const char* path = uri == nullptr ? nullptr : evhttp_uri_get_path(uri);
    const std::string_view page = path == nullptr ? "" : path;
    if (page == "/metrics") {
      reply(request, HTTP_OK, "OK", "text/plain; version=0.0.4; charset=utf-8", metrics_());
    } else if (page == "/healthz") {
      const Health health = health_();
      const int status = health.is_well ? HTTP_OK : HTTP_SERVUNAVAIL;
      reply(request, status, health.is_well ? "OK" : "Service Unavailable", "text/plain",
            health.text + "\n");
    } else {
      reply(request, HTTP_NOTFOUND, "Not Found", "text/plain", "/metrics or /healthz\n");
    }
  }

  static void reply(evhttp_request* request, int status, const char* reason,
                    const char* content_type, const std::string& body) {
    evkeyvalq* headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Content-Type", content_type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    const std::unique_ptr<evbuffer, void (*)(evbuffer*)> buffer(evbuffer_new(), evbuffer_free);
    if (buffer != nullptr) evbuffer_add(buffer.get(), body.data(), body.size());
    evhttp_send_reply(request, status, reason, buffer.get());
  }

  struct HttpFree {
    void operator()(evhttp* http) const { evhttp_free(http); }
  };
  const std::string address_;
  Metrics metrics_;
  HealthCheck health_;
  base::UniqueDescriptor listening_;
  std::unique_ptr<evhttp, HttpFree> http_;
};

AdminHttp::AdminHttp(base::EventLoop& loop, base::UniqueDescriptor listening, std::string address,
                     Metrics metrics, HealthCheck health)
    : server_(std::make_unique<Server>(loop, std::move(listening), std::move(address),
                                       std::move(metrics), std::move(health))) {}
AdminHttp::~AdminHttp() = default;

}  // namespace strictmx::service
