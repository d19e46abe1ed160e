// result_counter.cc - the limit for a receiver of results: takes datagrams and counts them.
//
// One thread: poll(), then recv() until the socket is empty, into one buffer that nobody looks at.
// Ends on SIGTERM and prints how many there were.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

#include "fd.h"
#include "options.h"
#include "sockets.h"

namespace strictmx::bench {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;

std::atomic<bool> is_ending = false;

Fd bind_datagram(const std::string& path) {
  Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) die("path of the socket is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  unlink(path.c_str());
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("bind");
  return fd;
}

unsigned long count_datagrams(const Fd& fd) {
  std::vector<char> buffer(kBufferBytes);
  unsigned long count = 0;
  while (!is_ending) {
    pollfd waiting{fd.get(), POLLIN, 0};
    if (poll(&waiting, 1, -1) < 0 && errno != EINTR) die("poll");
    while (recv(fd.get(), buffer.data(), buffer.size(), 0) >= 0) ++count;
  }
  return count;
}

constexpr OptionSpec kOptions[] = {{"socket", "", "path to bind"}};

}  // namespace
}  // namespace strictmx::bench

int main(int argc, char** argv) {
  using namespace strictmx::bench;
  const Options options(argc, argv, kOptions);
  const Fd fd = bind_datagram(options.text("socket"));
  std::signal(SIGTERM, [](int) { is_ending = true; });
  announce_ready();
  std::printf("received %lu\n", count_datagrams(fd));
}
