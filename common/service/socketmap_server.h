// socketmap_server.h - the socketmap protocol on TCP and UNIX sockets (postfix socketmap_table(5)).
//
// Use: add_listener() for each bound socket, with what its askers may do; stop_accepting() and
// is_idle() to end. Ownership: borrows loop and Questions. Threads: the loop's thread. Requests on
// one connection are answered in their order; a client may send many before reading. Errors: a peer
// that breaks the protocol is closed; nothing it sends is ever fatal. Limits: max_connections in
// all: when reached, the connection longest silent with nothing under way is closed for the new
// one; with none such, the new one is closed. kIdleTimeout without a request, kWriteTimeout without
// taking a reply, kMaxPipelined unanswered requests and kMaxPendingReply bytes a connection
// (reading pauses).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/service/metrics_text.h"
#include "common/service/questions.h"
#include "common/service/stream_server.h"

namespace strictmx::service {

// Postfix drops idle connections after 10 s and all after 100 s; others get more patience.
inline constexpr std::chrono::seconds kIdleTimeout{300};
inline constexpr std::chrono::seconds kWriteTimeout{100};
inline constexpr std::size_t kMaxPipelined = 1000;
inline constexpr std::size_t kMaxPendingReply = 1024 * 1024;
inline constexpr std::size_t kReadBufferBytes = 256 * 1024;

class SocketmapServer {
 public:
  SocketmapServer(base::EventLoop& loop, const base::Clock& clock, Questions& questions,
                  std::size_t max_connections);
  ~SocketmapServer();

  void add_listener(base::UniqueDescriptor listening, Access access);
  void set_max_connections(std::size_t max_connections) { max_connections_ = max_connections; }
  void stop_accepting();
  // Nothing read is left unanswered and every reply has been sent.
  bool is_idle() const;
  void write_metrics(MetricsText& out) const;

 private:
  class Connection;
  using Position = std::list<std::unique_ptr<Connection>>::iterator;

  void on_accept(base::UniqueDescriptor descriptor, Access access);
  bool close_longest_idle();
  void close_silent();

  base::EventLoop& loop_;
  const base::Clock& clock_;
  Questions& questions_;
  std::size_t max_connections_;
  std::vector<std::unique_ptr<StreamListener>> listeners_;
  // The one heard from longest ago comes first.
  std::list<std::unique_ptr<Connection>> connections_;
  base::Timer silent_timer_;
  // Scratch for whichever connection is being served: what was read, and the replies to it.
  std::vector<char> read_buffer_;
  std::string batch_;
  std::size_t open_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t protocol_errors_ = 0;
  std::uint64_t closed_for_room_ = 0;
  std::uint64_t closed_silent_ = 0;
  std::uint64_t paused_ = 0;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace strictmx::service
