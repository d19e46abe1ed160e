// result_socket.cc - see result_socket.h.
//
// The thread: poll() until a socket is readable -> receive bursts from each in turn until all are
// empty -> tell the loop -> poll() again.
#include "common/service/result_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/log.h"

namespace strictmx::service {

using reporting::Received;

ResultSocket::ResultSocket(base::EventLoop& loop, std::shared_ptr<reporting::Spool> spool,
                           std::vector<base::UniqueDescriptor> sockets,
                           std::function<void()> on_news)
    : loop_(loop),
      spool_(std::move(spool)),
      sockets_(std::move(sockets)),
      on_news_(std::move(on_news)) {
  for (const base::UniqueDescriptor& socket : sockets_) {
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &kResultBufferBytes, sizeof kResultBufferBytes);
  }
  int ends[2] = {-1, -1};
  if (pipe(ends) != 0) {
    base::log_error("results are not taken", {{"reason", std::strerror(errno)}});
    return;
  }
  wake_read_ = base::UniqueDescriptor(ends[0]);
  wake_write_ = base::UniqueDescriptor(ends[1]);
  for (const int end : ends) fcntl(end, F_SETFD, FD_CLOEXEC);
  thread_ = std::thread([this] { serve(); });
}

ResultSocket::~ResultSocket() {
  *is_alive_ = false;
  is_ending_ = true;
  wake_write_.reset();  // the other end is readable from here on
  if (thread_.joinable()) thread_.join();
}

void ResultSocket::serve() {
  std::vector<pollfd> waiting;
  waiting.push_back({wake_read_.get(), POLLIN, 0});
  for (const base::UniqueDescriptor& socket : sockets_)
    waiting.push_back({socket.get(), POLLIN, 0});
  auto next_tell = std::chrono::steady_clock::now();
  bool has_news = false;
  while (!is_ending_) {
    const int wait_ms = has_news ? static_cast<int>(kTellPause.count()) : -1;
    const int ready = poll(waiting.data(), waiting.size(), wait_ms);
    if (ready < 0 && errno != EINTR) {
      base::log_error("results are not taken any more", {{"reason", std::strerror(errno)}});
      return;
    }
    has_news = has_news || ready > 0;
    bool has_more = ready > 0;
    while (has_more && !is_ending_) {
      has_more = false;
      for (std::size_t i = 0; i < sockets_.size(); ++i) {
        if (sockets_[i] && receive_from(sockets_[i])) has_more = true;
        if (!sockets_[i]) waiting[i + 1].fd = -1;
      }
      // A sender in full flow never lets the sockets be empty.
      if (has_more) next_tell = tell_if_due(next_tell);
    }
    const auto told = has_news ? tell_if_due(next_tell) : next_tell;
    has_news = has_news && told == next_tell;
    next_tell = told;
  }
  for (const base::UniqueDescriptor& socket : sockets_) {
    if (socket) spool_->receive(socket.get(), kLastBurst);
  }
}

// True: more waits there.
bool ResultSocket::receive_from(base::UniqueDescriptor& socket) {
  switch (spool_->receive(socket.get(), kReceiveBurst)) {
    case Received::kAll:
      return false;
    case Received::kSome:
      return true;
    case Received::kFull:
      spool_->wait_for_room();
      return true;
    case Received::kError:
      base::log_error("a socket for results failed and is closed",
                      {{"reason", std::strerror(errno)}});
      socket.reset();
      return false;
  }
  return false;
}

// When to tell next. The store makes one commit of what comes meanwhile; waking the loop for each
// result would cost more than the result.
ResultSocket::Time ResultSocket::tell_if_due(Time due) {
  const Time now = std::chrono::steady_clock::now();
  if (now < due) return due;
  if (!is_told_->exchange(true)) {
    loop_.post([told = is_told_, alive = is_alive_, this] {
      *told = false;
      if (*alive) on_news_();
    });
  }
  return now + kTellPause;
}

}  // namespace strictmx::service
