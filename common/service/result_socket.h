// result_socket.h - takes results of TLS sessions from mail servers: datagrams on UNIX sockets.
//
// Use: construct with bound sockets; results are in the spool when a datagram has been received.
// Protocol: tlsrpt/result_datagram.h; there is no answer.
// Ownership: owns the sockets and a thread that does nothing but receive; borrows the loop, shares
// the spool. The destructor takes what waits at the sockets and ends the thread.
// Callbacks: on_news runs on the loop, once for all that came since the last one, within
// kTellPause. Threads: the loop's thread. Errors: a socket that fails is logged once and tried
// again every kErrorPause; is_failing() meanwhile. Limits: the spool's. While it is full nothing is
// received: senders that wait do so, the kernel's queue (net.unix.max_dgram_qlen) holds the rest.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/unique_descriptor.h"
#include "common/reporting/spool.h"

namespace strictmx::service {

// For systems that bound a socket's queue by bytes; Linux counts datagrams.
inline constexpr int kResultBufferBytes = 4 * 1024 * 1024;
// Received from one socket before the others have their turn.
inline constexpr std::size_t kReceiveBurst = 64;
// Taken from each socket at the end, so that a sender in full flow can't delay it.
inline constexpr std::size_t kLastBurst = 4096;

// The loop hears of news no more often: results need not be counted at once, and a larger batch has
// more that repeats.
inline constexpr std::chrono::milliseconds kTellPause{250};

// The kernel may lack memory for a moment; a socket that is given up loses results for ever.
inline constexpr std::chrono::milliseconds kErrorPause{1000};

class ResultSocket {
 public:
  ResultSocket(base::EventLoop& loop, std::shared_ptr<reporting::Spool> spool,
               std::vector<base::UniqueDescriptor> sockets, std::function<void()> on_news);
  ~ResultSocket();
  ResultSocket(const ResultSocket&) = delete;
  ResultSocket& operator=(const ResultSocket&) = delete;

  // Some socket can't be read at present.
  bool is_failing() const { return is_failing_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Source {
    base::UniqueDescriptor socket;
    bool is_failing = false;
    Time retry{};  // while it fails: not before
  };

  void serve();
  bool wait(bool has_news);
  bool receive_from(Source& source);
  void note_error(Source& source, int error);
  void update_failing();
  Time tell_if_due(Time due);

  base::EventLoop& loop_;
  const std::shared_ptr<reporting::Spool> spool_;
  std::vector<Source> sources_;  // the thread's
  const std::function<void()> on_news_;
  base::UniqueDescriptor wake_read_;
  base::UniqueDescriptor wake_write_;
  std::atomic<bool> is_ending_ = false;
  std::atomic<bool> is_failing_ = false;
  std::shared_ptr<std::atomic<bool>> is_told_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);  // the loop's thread
  std::thread thread_;
};

}  // namespace strictmx::service
