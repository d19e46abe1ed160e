// sockets.h - the few socket and epoll calls that the benchmark programs share. IPv4 only.
//
// Errors: every function ends the program through die(): a benchmark without its sockets is none.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string_view>

#include "fd.h"

namespace strictmx::bench {

// Reads "127.0.0.1:53".
sockaddr_in parse_endpoint(std::string_view text);

// All sockets are non-blocking and have Nagle's algorithm off where there is one.
Fd listen_tcp(const sockaddr_in& address);
Fd bind_udp(const sockaddr_in& address);
Fd connect_udp(const sockaddr_in& address);
// The connection may still be in progress.
Fd start_tcp(const sockaddr_in& address);
// No descriptor when nobody waits to be accepted.
Fd accept_tcp(const Fd& listener);

class Epoll {
 public:
  Epoll();
  void add(const Fd& fd, std::uint32_t events, std::uint64_t tag);
  int get() const noexcept { return fd_.get(); }

 private:
  Fd fd_;
};

// Tells run.py, which waits for this line, that the server answers from now on.
void announce_ready();

}  // namespace strictmx::bench
