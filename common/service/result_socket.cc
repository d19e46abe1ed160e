// result_socket.cc - see result_socket.h.
//
// The thread: poll() until a socket is readable -> receive bursts from each in turn until all are
// empty -> tell the loop -> poll() again.
#include "common/service/result_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/log.h"

namespace strictmx::service {

using reporting::Received;

ResultSocket::ResultSocket(base::EventLoop& loop, std::shared_ptr<reporting::Spool> spool,
                           std::vector<base::UniqueDescriptor> sockets,
                           std::function<void()> on_news)
    : loop_(loop), spool_(std::move(spool)), on_news_(std::move(on_news)) {
  for (base::UniqueDescriptor& socket : sockets) {
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &kResultBufferBytes, sizeof kResultBufferBytes);
    sources_.push_back({std::move(socket)});
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
  auto next_tell = std::chrono::steady_clock::now();
  bool has_news = false;
  while (!is_ending_) {
    bool has_more = wait(has_news);
    has_news = has_news || has_more;
    while (has_more && !is_ending_) {
      has_more = false;
      for (Source& source : sources_) {
        if (receive_from(source)) has_more = true;
      }
      // A sender in full flow never lets the sockets be empty.
      if (has_more) next_tell = tell_if_due(next_tell);
    }
    const auto told = has_news ? tell_if_due(next_tell) : next_tell;
    has_news = has_news && told == next_tell;
    next_tell = told;
  }
  for (const Source& source : sources_) spool_->receive(source.socket.get(), kLastBurst);
}

// Until a socket is readable, one that failed may be tried again, or news are to be told. True:
// sockets are to be looked at.
bool ResultSocket::wait(bool has_news) {
  std::vector<pollfd> waiting;
  waiting.push_back({wake_read_.get(), POLLIN, 0});
  for (const Source& source : sources_) {
    if (!source.is_failing) waiting.push_back({source.socket.get(), POLLIN, 0});
  }
  const bool has_failing = waiting.size() <= sources_.size();
  int wait_ms = has_failing ? static_cast<int>(kErrorPause.count()) : -1;
  if (has_news) wait_ms = static_cast<int>(kTellPause.count());
  const int ready = poll(waiting.data(), waiting.size(), wait_ms);
  if (ready < 0 && errno != EINTR) std::this_thread::sleep_for(kErrorPause);  // no memory
  return ready > 0 || has_failing;
}

// True: more waits there.
bool ResultSocket::receive_from(Source& source) {
  if (source.is_failing && std::chrono::steady_clock::now() < source.retry) return false;
  const Received received = spool_->receive(source.socket.get(), kReceiveBurst);
  if (received == Received::kError) {
    note_error(source, errno);
    return false;
  }
  if (received == Received::kFull) {
    spool_->wait_for_room();  // nothing is known of the socket
    return true;
  }
  if (std::exchange(source.is_failing, false)) {
    base::log_info("a socket for results works again");
    update_failing();
  }
  return received == Received::kSome;
}

void ResultSocket::note_error(Source& source, int error) {
  source.retry = std::chrono::steady_clock::now() + kErrorPause;
  if (std::exchange(source.is_failing, true)) return;
  base::log_error("a socket for results fails, it is tried again",
                  {{"reason", std::strerror(error)}});
  update_failing();
}

void ResultSocket::update_failing() {
  is_failing_ = std::any_of(sources_.begin(), sources_.end(),
                            [](const Source& source) { return source.is_failing; });
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
