// sockets.cc - the few socket and epoll calls that the benchmark programs share.
#include "sockets.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace strictmx::bench {
namespace {

constexpr int kBacklog = 1024;
// Room for a burst of some thousand datagrams, so that no query is lost and waits for a retry.
constexpr int kUdpBufferBytes = 4 << 20;

void set_int(const Fd& fd, int level, int option, int value) {
  if (setsockopt(fd.get(), level, option, &value, sizeof(value)) != 0) die("setsockopt");
}

Fd make_socket(int type) {
  Fd fd(socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) die("socket");
  return fd;
}

Fd make_udp_socket() {
  Fd fd = make_socket(SOCK_DGRAM);
  set_int(fd, SOL_SOCKET, SO_RCVBUF, kUdpBufferBytes);
  set_int(fd, SOL_SOCKET, SO_SNDBUF, kUdpBufferBytes);
  return fd;
}

const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

void bind_to(const Fd& fd, const sockaddr_in& address) {
  if (bind(fd.get(), generic(address), sizeof(address)) != 0) die("bind");
}

}  // namespace

void die(std::string_view what) {
  const char* reason = errno == 0 ? "" : std::strerror(errno);
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(what.size()), what.data(), reason);
  std::exit(1);
}

sockaddr_in parse_endpoint(std::string_view text) {
  errno = 0;
  const std::size_t colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  std::uint16_t port = 0;
  if (colon == std::string_view::npos) die("not an ADDRESS:PORT");
  const std::string host(text.substr(0, colon));
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() ||
      inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    die("not an ADDRESS:PORT");
  }
  address.sin_port = htons(port);
  return address;
}

Fd listen_tcp(const sockaddr_in& address) {
  Fd fd = make_socket(SOCK_STREAM);
  set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);  // Accepted sockets inherit it on Linux.
  bind_to(fd, address);
  if (listen(fd.get(), kBacklog) != 0) die("listen");
  return fd;
}

Fd bind_udp(const sockaddr_in& address) {
  Fd fd = make_udp_socket();
  bind_to(fd, address);
  return fd;
}

Fd connect_udp(const sockaddr_in& address) {
  Fd fd = make_udp_socket();
  if (connect(fd.get(), generic(address), sizeof(address)) != 0) die("connect");
  return fd;
}

Fd start_tcp(const sockaddr_in& address) {
  Fd fd = make_socket(SOCK_STREAM);
  set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (connect(fd.get(), generic(address), sizeof(address)) != 0 && errno != EINPROGRESS) {
    die("connect");
  }
  return fd;
}

Fd accept_tcp(const Fd& listener) {
  Fd fd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.get() < 0 && errno != EAGAIN && errno != ECONNABORTED) die("accept");
  return fd;
}

Epoll::Epoll() : fd_(epoll_create1(EPOLL_CLOEXEC)) {
  if (fd_.get() < 0) die("epoll_create1");
}

void Epoll::add(const Fd& fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) die("epoll_ctl");
}

void announce_ready() {
  std::puts("ready");
  std::fflush(stdout);
}

}  // namespace strictmx::bench
