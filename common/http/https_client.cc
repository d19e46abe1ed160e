// https_client.cc - see https_client.h. An Exchange does each request; this keeps and counts them.
#include "common/http/https_client.h"

#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "common/http/exchange.h"

namespace strictmx::http {

using base::fail;

const char* http_error_name(HttpError error) {
  switch (error) {
    case HttpError::kTimeout:
      return "timeout";
    case HttpError::kConnect:
      return "connect";
    case HttpError::kCertificate:
      return "certificate";
    case HttpError::kTls:
      return "tls";
    case HttpError::kTooLarge:
      return "too-large";
    case HttpError::kProtocol:
      return "protocol";
    case HttpError::kSystem:
      return "system";
  }
  return "unknown";
}

class HttpsClient::Core {
 public:
  Core(base::EventLoop& loop, ExchangeTerms terms) : loop_(loop), terms_(std::move(terms)) {}

  void send(HttpRequest request, HttpCallback callback) {
    if (open_.size() >= kMaxOpenRequests) {
      ++counters_.queue_waits;
      queue_.push_back({std::move(request), std::move(callback)});
      return;
    }
    start(std::move(request), std::move(callback));
  }

  const HttpCounters& counters() const { return counters_; }
  std::size_t open_requests() const { return open_.size() + queue_.size(); }

 private:
  struct Waiting {
    HttpRequest request;
    HttpCallback callback;
  };
  struct Open {
    std::unique_ptr<Exchange> exchange;
    HttpCallback callback;
  };

  void start(HttpRequest request, HttpCallback callback) {
    auto exchange = std::make_unique<Exchange>(
        loop_, terms_, std::move(request),
        [this](Exchange& done, HttpResult result) { finish(done, std::move(result)); });
    Exchange& borrowed = *exchange;
    open_.emplace(&borrowed, Open{std::move(exchange), std::move(callback)});
    borrowed.start();
  }

  void finish(const Exchange& exchange, HttpResult result) {
    const auto found = open_.find(&exchange);
    const HttpCallback callback = std::move(found->second.callback);
    open_.erase(found);
    count(result);
    if (!queue_.empty()) {
      Waiting next = std::move(queue_.front());
      queue_.pop_front();
      start(std::move(next.request), std::move(next.callback));
    }
    // Last, so that whatever it does or throws finds everything in order.
    callback(std::move(result));
  }

  void count(const HttpResult& result) {
    if (result.ok()) {
      ++counters_.answered;
    } else {
      ++counters_.failed[static_cast<std::size_t>(result.error().code)];
    }
  }

  base::EventLoop& loop_;
  const ExchangeTerms terms_;
  HttpCounters counters_;
  std::unordered_map<const Exchange*, Open> open_;
  std::deque<Waiting> queue_;
};

HttpsClient::HttpsClient(std::unique_ptr<Core> core) : core_(std::move(core)) {}
HttpsClient::~HttpsClient() = default;

base::Result<std::unique_ptr<HttpsClient>, SetupError> HttpsClient::create(
    base::EventLoop& loop, const HttpsSettings& settings) {
  std::optional<Proxy> proxy;
  if (!settings.proxy.empty()) {
    auto parsed = parse_proxy(settings.proxy);
    if (!parsed.ok()) return fail(SetupError::kProxy, "https.proxy: " + parsed.error().detail);
    proxy = parsed.value();
  }
  auto tls = TlsContext::create(settings.ca_file);
  if (!tls.ok()) return tls.error();
  auto core =
      std::make_unique<Core>(loop, ExchangeTerms{std::move(tls).value(), proxy, settings.port,
                                                 settings.timeout, settings.max_bytes});
  return std::unique_ptr<HttpsClient>(new HttpsClient(std::move(core)));
}

void HttpsClient::send(HttpRequest request, HttpCallback callback) {
  core_->send(std::move(request), std::move(callback));
}
const HttpCounters& HttpsClient::counters() const { return core_->counters(); }
std::size_t HttpsClient::open_requests() const { return core_->open_requests(); }

}  // namespace strictmx::http
