// stream_server.cc - see stream_server.h.
#include "common/service/stream_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/log.h"

namespace strictmx::service {
namespace {

constexpr int kAcceptsInARow = 64;  // then other events get their turn
constexpr std::chrono::seconds kPauseWithoutDescriptors{1};
constexpr std::chrono::minutes kLogInterval{1};

}  // namespace

StreamListener::StreamListener(base::EventLoop& loop, base::UniqueDescriptor listening,
                               Accept accept)
    : loop_(loop),
      listening_(std::move(listening)),
      accept_(std::move(accept)),
      pause_(loop, [this] { watch_->start(); }) {
  watch_ = std::make_unique<base::Watch>(loop_, listening_.get(), base::Ready::kRead,
                                         [this] { on_ready(); });
}

void StreamListener::stop() {
  pause_.stop();
  watch_.reset();
  listening_.reset();
}

void StreamListener::on_ready() {
  for (int i = 0; i < kAcceptsInARow; ++i) {
    base::UniqueDescriptor accepted(
        accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted) {
      const int one = 1;
      // Fails on UNIX sockets, where there is nothing to set.
      setsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      accept_(std::move(accepted));
      continue;
    }
    const int error = errno;
    if (error == EAGAIN || error == EWOULDBLOCK) return;
    if (error == ECONNABORTED || error == EINTR) continue;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_log_ > kLogInterval) {
      last_log_ = now;
      base::log_error("connections can't be accepted", {{"reason", std::strerror(error)}});
    }
    watch_->stop();
    pause_.start(kPauseWithoutDescriptors);
    return;
  }
}

}  // namespace strictmx::service
