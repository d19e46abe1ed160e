// bench_https.cc - the policy hosts of all the benchmark's domains: one HTTPS server, one thread.
//
//   accept -> kHandshake -> kRequest -> kClosing -> closed when the client has closed too
//
// Serves the policy of the domain named by SNI, whatever the path; TLS 1.2 and 1.3 without
// tickets; closes after each answer. A client's wrong move closes its connection, silently.
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <vector>

#include "bench_ca.h"
#include "bench_world.h"
#include "options.h"
#include "sockets.h"

namespace strictmx::bench {
namespace {

constexpr std::size_t kMaxRequestBytes = 8192;
constexpr std::uint64_t kListenerTag = UINT64_MAX;

enum class Step { kHandshake, kRequest, kClosing };

struct Connection {
  Fd fd;
  TlsHandle<SSL> ssl;
  Step step = Step::kHandshake;
  unsigned number = 0;
  std::string request;
};

int choose_certificate(SSL* ssl, void* ca) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return 0;
  std::string_view host = name;
  if (!host.starts_with(kPolicyHostLabel)) return 0;
  const auto number = number_of_domain(host.substr(kPolicyHostLabel.size()));
  if (!number.has_value()) return 0;
  static_cast<Connection*>(SSL_get_app_data(ssl))->number = *number;
  auto* authority = static_cast<BenchCa*>(ca);
  return SSL_use_certificate(ssl, authority->certificate(*number)) == 1 &&
         SSL_use_PrivateKey(ssl, authority->leaf_key()) == 1;
}

TlsHandle<SSL_CTX> make_context(BenchCa& ca) {
  TlsHandle<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context.get(), 1);  // A third of the reads that it makes otherwise.
  SSL_CTX_set_cert_cb(context.get(), choose_certificate, &ca);
  return context;
}

std::string http_answer(unsigned number) {
  const std::string body = policy_text(number);
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

// The events below return false when the connection is to be dropped.

bool wants_more(const Connection& connection, int result) {
  const int error = SSL_get_error(connection.ssl.get(), result);
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

bool finish(Connection& connection) {
  const std::string answer = http_answer(connection.number);
  const int length = static_cast<int>(answer.size());
  if (SSL_write(connection.ssl.get(), answer.data(), length) != length) return false;
  SSL_shutdown(connection.ssl.get());
  connection.step = Step::kClosing;
  return shutdown(connection.fd.get(), SHUT_WR) == 0;
}

bool read_request(Connection& connection) {
  std::array<char, 2048> buffer;
  const int count = SSL_read(connection.ssl.get(), buffer.data(), static_cast<int>(buffer.size()));
  if (count <= 0) return wants_more(connection, count);
  connection.request.append(buffer.data(), static_cast<std::size_t>(count));
  if (connection.request.ends_with("\r\n\r\n")) return finish(connection);
  return connection.request.size() < kMaxRequestBytes;
}

bool await_close(const Connection& connection) {
  std::array<char, 256> rest;
  ssize_t count;
  do {
    count = recv(connection.fd.get(), rest.data(), rest.size(), 0);
  } while (count > 0);
  return count < 0 && errno == EAGAIN;
}

bool advance(Connection& connection) {
  if (connection.step == Step::kHandshake) {
    const int result = SSL_accept(connection.ssl.get());
    if (result != 1) return wants_more(connection, result);
    connection.step = Step::kRequest;
  }
  if (connection.step == Step::kRequest && !read_request(connection)) return false;
  return connection.step != Step::kClosing || await_close(connection);
}

class Service {
 public:
  Service(const sockaddr_in& address, BenchCa& ca)
      : listener_(listen_tcp(address)), context_(make_context(ca)) {
    epoll_.add(listener_, EPOLLIN, kListenerTag);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int count = epoll_wait(epoll_.get(), events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
        if (tag == kListenerTag) {
          accept_all();
        } else if (!advance(*connections_[tag])) {
          ERR_clear_error();
          connections_[tag].reset();
        }
      }
    }
  }

 private:
  void accept_all() {
    for (Fd fd = accept_tcp(listener_); fd.get() >= 0; fd = accept_tcp(listener_)) {
      const auto at = static_cast<std::size_t>(fd.get());
      if (connections_.size() <= at) connections_.resize(at + 1);
      auto connection = std::make_unique<Connection>();
      connection->ssl.reset(SSL_new(context_.get()));
      SSL_set_fd(connection->ssl.get(), fd.get());
      SSL_set_app_data(connection->ssl.get(), connection.get());
      epoll_.add(fd, EPOLLIN | EPOLLRDHUP | EPOLLET, at);
      connection->fd = std::move(fd);
      connections_[at] = std::move(connection);
    }
  }

  Fd listener_;
  TlsHandle<SSL_CTX> context_;
  Epoll epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;  // By descriptor.
};

constexpr OptionSpec kOptions[] = {
    {"listen", "127.0.0.1:443", "address and port; 0.0.0.0 serves every loopback address"},
    {"ca", "bench-ca.pem", "file to write the root certificate to"},
    {"prepare", "0", "make the certificates of this many domains before serving"}};

}  // namespace
}  // namespace strictmx::bench

int main(int argc, char** argv) {
  using namespace strictmx::bench;
  const Options options(argc, argv, kOptions);
  std::signal(SIGPIPE, SIG_IGN);
  BenchCa ca;
  for (unsigned i = 0; i < options.number("prepare"); ++i) ca.certificate(i);
  ca.write_root(options.text("ca"));
  Service service(parse_endpoint(options.text("listen")), ca);
  announce_ready();
  service.run();
}
