// curl_client.cc - see curl_client.h. The only user of libcurl.
//
// libcurl tells which descriptors and which timer it wants watched (multi_socket interface); we
// tell it what became ready, and take finished transfers off its list.
#include "common/http/curl_client.h"

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/log.h"

namespace strictmx::http {
namespace {

using base::fail;

constexpr const char* kUserAgent = "strictmx/0.1.0";
// Finished handles kept for the next request; setting one up anew costs more than its memory.
constexpr std::size_t kMaxIdleHandles = 64;

struct EasyFree {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct MultiFree {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
struct ListFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct StoreFree {
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};
using EasyHandle = std::unique_ptr<CURL, EasyFree>;

std::string openssl_reason() {
  char text[256] = "unknown";
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  ERR_clear_error();
  return text;
}

HttpError classify(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return HttpError::kTimeout;
    case CURLE_PEER_FAILED_VERIFICATION:
      return HttpError::kCertificate;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
      return HttpError::kTls;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return HttpError::kConnect;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
      return HttpError::kSystem;
    default:
      return HttpError::kProtocol;  // whatever the server did instead of a whole answer
  }
}

}  // namespace

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

class CurlClient::Core {
 public:
  Core(base::EventLoop& loop, HttpsSettings settings)
      : loop_(loop),
        settings_(std::move(settings)),
        timer_(loop, [this] { tell_curl(CURL_SOCKET_TIMEOUT, 0); }) {}

  ~Core() {
    *is_alive_ = false;
    for (auto& [handle, transfer] : open_) curl_multi_remove_handle(multi_.get(), handle);
    open_.clear();
    multi_.reset();
    sockets_.clear();
  }

  base::Outcome<SetupError> start() {
    // Threads: called once per client from the loop's thread; libcurl counts the calls.
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
      return fail(SetupError::kSystem, "libcurl can't start");
    }
    roots_.reset(X509_STORE_new());
    if (roots_ == nullptr || X509_STORE_load_file(roots_.get(), settings_.ca_file.c_str()) != 1) {
      return fail(SetupError::kRoots, "https.ca_file: " + settings_.ca_file +
                                          ": no certificates can be read (" + openssl_reason() +
                                          "; Debian package ca-certificates)");
    }
    multi_.reset(curl_multi_init());
    if (multi_ == nullptr) return fail(SetupError::kSystem, "libcurl can't start");
    CURLM* multi = multi_.get();
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    return base::done();
  }

  void get(const HttpRequest& request, HttpCallback callback) {
    auto transfer = std::make_unique<Transfer>(*this, request, std::move(callback));
    if (open_.size() >= kMaxOpenRequests) {
      ++counters_.queue_waits;
      queue_.push_back(std::move(transfer));
      return;
    }
    start_transfer(std::move(transfer));
  }

  const HttpCounters& counters() const { return counters_; }
  std::size_t open_requests() const { return open_.size() + queue_.size(); }

 private:
  struct Transfer {
    Transfer(Core& owner, HttpRequest asked, HttpCallback on_done)
        : core(owner), request(std::move(asked)), callback(std::move(on_done)) {}
    Core& core;
    HttpRequest request;
    HttpCallback callback;
    EasyHandle handle;
    std::unique_ptr<curl_slist, ListFree> resolve;
    HttpResponse response;
    std::size_t header_bytes = 0;
    bool is_too_large = false;
    char error[CURL_ERROR_SIZE] = "";
  };

  struct Socket {
    std::unique_ptr<base::Watch> read;
    std::unique_ptr<base::Watch> write;
  };

  // An idle handle, and the host whose pinned addresses it must take out of libcurl's DNS cache.
  struct IdleHandle {
    EasyHandle handle;
    std::string resolve_entry;
  };

  void start_transfer(std::unique_ptr<Transfer> transfer) {
    std::string old_entry;
    if (!idle_.empty()) {
      transfer->handle = std::move(idle_.back().handle);
      old_entry = std::move(idle_.back().resolve_entry);
      idle_.pop_back();
    } else {
      transfer->handle.reset(curl_easy_init());
      if (transfer->handle != nullptr) set_fixed_options(transfer->handle.get());
    }
    CURL* handle = transfer->handle.get();
    if (handle == nullptr || !set_request(*transfer, old_entry)) {
      finish_soon(std::move(transfer->callback), fail(HttpError::kSystem, "out of memory"));
      return;
    }
    Transfer* borrowed = transfer.get();
    open_.emplace(handle, std::move(transfer));
    if (curl_multi_add_handle(multi_.get(), handle) != CURLM_OK) {
      auto callback = std::move(borrowed->callback);
      open_.erase(handle);
      finish_soon(std::move(callback), fail(HttpError::kSystem, "libcurl takes no more requests"));
    }
  }

  void set_fixed_options(CURL* handle) {
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);  // RFC 8461 §3.3: MUST NOT
    curl_easy_setopt(handle, CURLOPT_USERAGENT, kUserAgent);
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(handle, CURLOPT_PROXY, settings_.proxy.c_str());  // "" ignores environment
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.timeout.count()));
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(settings_.timeout.count()));
    // Each fetch stands alone: no connection, TLS session or DNS answer is used again.
    curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(handle, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(handle, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 16384L);
    // TLS 1.2+ (RFC 8461 §7.2); roots are ours, set in on_ssl_context.
    curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(handle, CURLOPT_CAINFO, nullptr);
    curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
    curl_easy_setopt(handle, CURLOPT_SSL_CTX_FUNCTION, &on_ssl_context);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &on_body);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &on_header);
    curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  }

  bool set_request(Transfer& transfer, const std::string& old_entry) {
    CURL* handle = transfer.handle.get();
    const std::string url = "https://" + transfer.request.host + transfer.request.path;
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, transfer.error);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(handle, CURLOPT_SSL_CTX_DATA, &transfer);
    std::string entry = transfer.request.host + ":443:";
    for (const base::IpAddress& address : transfer.request.addresses) {
      if (entry.back() != ':') entry += ',';
      entry += address.is_ipv6() ? '[' + address.text() + ']' : address.text();
    }
    if (!old_entry.empty()) transfer.resolve.reset(curl_slist_append(nullptr, old_entry.c_str()));
    curl_slist* list = curl_slist_append(transfer.resolve.get(), entry.c_str());
    if (list == nullptr) return false;
    [[maybe_unused]] const auto* same = transfer.resolve.release();
    transfer.resolve.reset(list);
    return curl_easy_setopt(handle, CURLOPT_RESOLVE, list) == CURLE_OK;
  }

  // RFC 8461 §3.3: the DNS-ID alone decides, never the common name, and a wildcard is the whole
  // left-most label. libcurl by itself would take a certificate that has only a CN.
  static CURLcode on_ssl_context(CURL*, void* context, void* data) noexcept {
    const auto* transfer = static_cast<const Transfer*>(data);
    auto* ssl_context = static_cast<SSL_CTX*>(context);
    SSL_CTX_set1_cert_store(ssl_context, transfer->core.roots_.get());
    X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(ssl_context);
    X509_VERIFY_PARAM_set_hostflags(
        parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(parameters, transfer->request.host.c_str(), 0) != 1) {
      return CURLE_OUT_OF_MEMORY;
    }
    return CURLE_OK;
  }

  static std::size_t on_body(char* bytes, std::size_t, std::size_t count, void* data) noexcept {
    auto* transfer = static_cast<Transfer*>(data);
    if (transfer->response.body.size() + count > transfer->core.settings_.max_bytes) {
      transfer->is_too_large = true;
      return 0;  // libcurl ends the transfer
    }
    transfer->response.body.append(bytes, count);
    return count;
  }

  static std::size_t on_header(char*, std::size_t, std::size_t count, void* data) noexcept {
    auto* transfer = static_cast<Transfer*>(data);
    transfer->header_bytes += count;
    if (transfer->header_bytes <= kMaxHeaderBytes) return count;
    transfer->is_too_large = true;
    return 0;
  }

  static int on_socket(CURL*, curl_socket_t descriptor, int what, void* data, void*) noexcept {
    auto* core = static_cast<Core*>(data);
    base::guarded("libcurl socket", [&] { core->watch(descriptor, what); });
    return 0;
  }

  void watch(curl_socket_t descriptor, int what) {
    if (what == CURL_POLL_REMOVE) {
      sockets_.erase(descriptor);
      return;
    }
    Socket& socket = sockets_[descriptor];
    const auto set = [&](std::unique_ptr<base::Watch>& watch, bool is_wanted, base::Ready ready,
                         int bits) {
      if (!is_wanted) {
        watch.reset();
      } else if (watch == nullptr) {
        watch = std::make_unique<base::Watch>(
            loop_, descriptor, ready, [this, descriptor, bits] { tell_curl(descriptor, bits); });
      }
    };
    set(socket.read, (what & CURL_POLL_IN) != 0, base::Ready::kRead, CURL_CSELECT_IN);
    set(socket.write, (what & CURL_POLL_OUT) != 0, base::Ready::kWrite, CURL_CSELECT_OUT);
  }

  static int on_timer(CURLM*, long milliseconds, void* data) noexcept {
    auto* core = static_cast<Core*>(data);
    if (milliseconds < 0) {
      core->timer_.stop();
    } else {
      core->timer_.start(std::chrono::milliseconds(milliseconds));
    }
    return 0;
  }

  void tell_curl(curl_socket_t descriptor, int bits) {
    int running = 0;
    curl_multi_socket_action(multi_.get(), descriptor, bits, &running);
    take_finished();
  }

  void take_finished() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* handle = message->easy_handle;
      const CURLcode code = message->data.result;
      curl_multi_remove_handle(multi_.get(), handle);
      auto found = open_.find(handle);
      if (found == open_.end()) continue;
      auto transfer = std::move(found->second);
      open_.erase(found);
      HttpResult result = result_of(*transfer, code);
      count(result);
      keep_handle(*transfer);
      // From the loop, so that what the callback starts does not run inside libcurl's stack.
      finish_soon(std::move(transfer->callback), std::move(result));
    }
    while (!queue_.empty() && open_.size() < kMaxOpenRequests) {
      auto next = std::move(queue_.front());
      queue_.pop_front();
      start_transfer(std::move(next));
    }
  }

  HttpResult result_of(Transfer& transfer, CURLcode code) {
    CURL* handle = transfer.handle.get();
    if (transfer.is_too_large) {
      return fail(HttpError::kTooLarge, "answer is over " + std::to_string(settings_.max_bytes) +
                                            " bytes, or its headers over " +
                                            std::to_string(kMaxHeaderBytes));
    }
    if (code != CURLE_OK) {
      std::string reason = transfer.error[0] != '\0' ? transfer.error : curl_easy_strerror(code);
      return fail(classify(code), std::move(reason));
    }
    long status = 0;
    const char* content_type = nullptr;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &content_type);
    transfer.response.status = static_cast<int>(status);
    if (content_type != nullptr) transfer.response.content_type = content_type;
    return std::move(transfer.response);
  }

  void keep_handle(Transfer& transfer) {
    if (idle_.size() >= kMaxIdleHandles) return;
    CURL* handle = transfer.handle.get();
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
    curl_easy_setopt(handle, CURLOPT_RESOLVE, nullptr);
    idle_.push_back({std::move(transfer.handle), "-" + transfer.request.host + ":443"});
  }

  void count(const HttpResult& result) {
    if (result.ok()) {
      ++counters_.answered;
    } else {
      ++counters_.failed[static_cast<std::size_t>(result.error().code)];
    }
  }

  void finish_soon(HttpCallback callback, HttpResult result) {
    loop_.post(
        [alive = is_alive_, callback = std::move(callback), result = std::move(result)]() mutable {
          if (*alive) callback(std::move(result));
        });
  }

  base::EventLoop& loop_;
  const HttpsSettings settings_;
  HttpCounters counters_;
  std::unique_ptr<X509_STORE, StoreFree> roots_;
  std::unique_ptr<CURLM, MultiFree> multi_;
  base::Timer timer_;
  std::unordered_map<curl_socket_t, Socket> sockets_;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> open_;
  std::deque<std::unique_ptr<Transfer>> queue_;
  std::vector<IdleHandle> idle_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

CurlClient::CurlClient(std::unique_ptr<Core> core) : core_(std::move(core)) {}
CurlClient::~CurlClient() = default;

base::Result<std::unique_ptr<CurlClient>, SetupError> CurlClient::create(
    base::EventLoop& loop, const HttpsSettings& settings) {
  auto core = std::make_unique<Core>(loop, settings);
  auto started = core->start();
  if (!started.ok()) return started.error();
  return std::unique_ptr<CurlClient>(new CurlClient(std::move(core)));
}

void CurlClient::get(const HttpRequest& request, HttpCallback callback) {
  core_->get(request, std::move(callback));
}
const HttpCounters& CurlClient::counters() const { return core_->counters(); }
std::size_t CurlClient::open_requests() const { return core_->open_requests(); }

}  // namespace strictmx::http
