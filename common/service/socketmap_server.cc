// socketmap_server.cc - see socketmap_server.h.
//
// One readable event: read once, answer every complete request in it, write once. Replies that are
// not ready take a slot; slots leave in order, so a slow domain holds up only its own connection.
#include "common/service/socketmap_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <iterator>
#include <string_view>
#include <utility>

#include "common/base/netstring.h"

namespace strictmx::service {
namespace {

constexpr std::chrono::seconds kSilentCheck{10};

}  // namespace

class SocketmapServer::Connection {
 public:
  Connection(SocketmapServer& server, base::UniqueDescriptor descriptor, Access access)
      : server_(server),
        descriptor_(std::move(descriptor)),
        access_(access),
        heard_(server.clock_.steady()),
        read_watch_(server.loop_, descriptor_.get(), base::Ready::kRead,
                    [this] { on_readable(); }) {}
  ~Connection() { *is_alive_ = false; }

  void set_position(Position position) { position_ = position; }
  bool has_work() const { return !slots_.empty() || !unsent_.empty(); }
  bool is_closed() const { return is_closed_; }
  base::SteadyTime heard() const { return heard_; }
  bool is_stuck(base::SteadyTime now) const {
    return !unsent_.empty() && now - blocked_since_ > kWriteTimeout;
  }

  // The connection goes from the loop, because it may be in use further up the stack.
  void close() {
    if (is_closed_) return;
    is_closed_ = true;
    --server_.open_;
    *is_alive_ = false;  // replies that still come are dropped
    read_watch_.stop();
    write_watch_.reset();
    server_.loop_.post([&server = server_, alive = server_.is_alive_, at = position_] {
      if (*alive) server.connections_.erase(at);
    });
  }

 private:
  struct Slot {
    bool is_ready = false;
    std::string framed;
  };

  void on_readable() {
    std::vector<char>& buffer = server_.read_buffer_;
    const ssize_t got = recv(descriptor_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      close();
      return;
    }
    heard_ = server_.clock_.steady();
    // To the back of the list: heard from last.
    server_.connections_.splice(server_.connections_.end(), server_.connections_, position_);
    std::string_view input(buffer.data(), static_cast<std::size_t>(got));
    server_.batch_.clear();
    if (partial_.empty()) {
      const std::size_t used = serve(input);
      partial_.assign(input.substr(used));
    } else {
      partial_.append(input);
      partial_.erase(0, serve(partial_));
    }
    after_serving();
  }

  // Answers the complete requests into the batch; says how many bytes they were.
  std::size_t serve(std::string_view input) {
    const base::SteadyTime start = server_.clock_.steady();
    // A step of the clock empties the ready replies inside now(). One that ask() meets below comes
    // between two lookups: `ready` is copied before, and what is made anew after it is only, by
    // the old `now`, taken for ready or made once more.
    const base::WallTime now = server_.clock_.now();
    std::size_t used = 0;
    std::int64_t count = 0;
    has_more_ = false;
    while (slots_.size() < kMaxPipelined && slot_bytes_ <= kMaxPendingReply) {
      // Short requests can ask for long replies: what is made in one go is bounded too.
      if (server_.batch_.size() > kMaxPendingReply) {
        has_more_ = true;
        break;
      }
      const auto frame = base::parse_netstring(input.substr(used), kMaxRequestBytes);
      if (frame.state == base::NetstringState::kIncomplete) break;
      if (frame.state != base::NetstringState::kComplete) {
        is_broken_ = true;
        break;
      }
      used += frame.consumed;
      ++count;
      const std::string* ready =
          slots_.empty() ? server_.questions_.find_ready(frame.payload, now) : nullptr;
      if (ready != nullptr) {
        server_.batch_ += *ready;
      } else {
        ask(frame.payload);
      }
    }
    if (count > 0) {
      // Shared evenly by the questions of one read: the clock is asked once a read.
      const auto spent =
          std::chrono::duration_cast<std::chrono::microseconds>(server_.clock_.steady() - start);
      server_.questions_.note_latency(spent / count, static_cast<std::uint64_t>(count));
    }
    return used;
  }

  void ask(std::string_view request) {
    Slot* slot = &slots_.emplace_back();  // a deque: stays where it is until popped
    is_asking_ = true;
    const auto on_reply = [this, alive = is_alive_, slot](std::string_view framed) {
      if (!*alive) return;
      slot->framed = framed;
      slot->is_ready = true;
      slot_bytes_ += framed.size();
      if (!is_asking_) on_slot_ready();
    };
    server_.questions_.ask(request, on_reply, access_);
    is_asking_ = false;
    take_ready_slots();
  }

  void take_ready_slots() {
    while (!slots_.empty() && slots_.front().is_ready) {
      server_.batch_ += slots_.front().framed;
      slot_bytes_ -= slots_.front().framed.size();
      slots_.pop_front();
    }
  }

  void on_slot_ready() {
    server_.batch_.clear();
    take_ready_slots();
    send_batch();
    set_reading();
  }

  void on_writable() {
    server_.batch_.clear();
    send_batch();
    set_reading();
  }

  void after_serving() {
    if (is_broken_) {
      ++server_.protocol_errors_;
      close();
      return;
    }
    send_batch();
    set_reading();
  }

  void send_batch() {
    if (!unsent_.empty()) unsent_ += server_.batch_;
    const std::string_view data = unsent_.empty() ? server_.batch_ : unsent_;
    std::size_t sent = 0;
    while (sent < data.size()) {
      const ssize_t put =
          send(descriptor_.get(), data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      if (put < 0) {
        close();
        return;
      }
      sent += static_cast<std::size_t>(put);
    }
    if (sent == data.size()) {
      if (!unsent_.empty()) std::string().swap(unsent_);
      write_watch_.reset();
      return;
    }
    if (sent > 0 || unsent_.empty()) blocked_since_ = server_.clock_.steady();
    unsent_ = std::string(data.substr(sent));
    if (write_watch_ == nullptr) {
      write_watch_ = std::make_unique<base::Watch>(server_.loop_, descriptor_.get(),
                                                   base::Ready::kWrite, [this] { on_writable(); });
    }
  }

  // A client that does not take its replies, or has too many questions under way, is not read.
  void set_reading() {
    if (is_closed_) return;
    const bool is_full =
        unsent_.size() + slot_bytes_ > kMaxPendingReply || slots_.size() >= kMaxPipelined;
    if (!is_full && is_reading_ && has_more_) {
      serve_more_soon();
      return;
    }
    if (is_full != is_reading_) return;
    is_reading_ = !is_full;
    if (is_full) {
      ++server_.paused_;
      read_watch_.stop();
      return;
    }
    read_watch_.start();
    if (!partial_.empty()) serve_more_soon();
  }

  // Requests that were read already; others get their turn first.
  void serve_more_soon() {
    server_.loop_.post([this, alive = is_alive_] {
      if (!*alive || !is_reading_) return;
      server_.batch_.clear();
      partial_.erase(0, serve(partial_));
      after_serving();
    });
  }

  SocketmapServer& server_;
  base::UniqueDescriptor descriptor_;
  const Access access_;
  Position position_;
  base::SteadyTime heard_;
  base::SteadyTime blocked_since_{};  // since when unsent_ has not moved
  std::string partial_;               // read and not yet served
  std::string unsent_;
  std::deque<Slot> slots_;      // questions under way and replies behind them, in order
  std::size_t slot_bytes_ = 0;  // of replies in slots_
  bool has_more_ = false;       // whole requests in partial_ that were not served yet
  bool is_asking_ = false;
  bool is_broken_ = false;
  bool is_reading_ = true;
  bool is_closed_ = false;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
  base::Watch read_watch_;
  std::unique_ptr<base::Watch> write_watch_;
};

SocketmapServer::SocketmapServer(base::EventLoop& loop, const base::Clock& clock,
                                 Questions& questions, std::size_t max_connections)
    : loop_(loop),
      clock_(clock),
      questions_(questions),
      max_connections_(max_connections),
      silent_timer_(loop, [this] { close_silent(); }),
      read_buffer_(kReadBufferBytes) {
  silent_timer_.start(kSilentCheck);
}

SocketmapServer::~SocketmapServer() { *is_alive_ = false; }

void SocketmapServer::add_listener(base::UniqueDescriptor listening, Access access) {
  listeners_.push_back(std::make_unique<StreamListener>(
      loop_, std::move(listening), [this, access](base::UniqueDescriptor descriptor) {
        on_accept(std::move(descriptor), access);
      }));
}

void SocketmapServer::stop_accepting() {
  for (auto& listener : listeners_) listener->stop();
}

bool SocketmapServer::is_idle() const {
  return std::none_of(connections_.begin(), connections_.end(),
                      [](const auto& connection) { return connection->has_work(); });
}

void SocketmapServer::on_accept(base::UniqueDescriptor descriptor, Access access) {
  ++accepted_;
  if (open_ >= max_connections_ && !close_longest_idle()) {
    ++refused_;  // all are busy
    return;
  }
  ++open_;
  connections_.push_back(std::make_unique<Connection>(*this, std::move(descriptor), access));
  connections_.back()->set_position(std::prev(connections_.end()));
}

bool SocketmapServer::close_longest_idle() {
  for (const auto& connection : connections_) {
    if (connection->is_closed() || connection->has_work()) continue;
    ++closed_for_room_;
    connection->close();
    return true;
  }
  return false;
}

void SocketmapServer::close_silent() {
  const base::SteadyTime now = clock_.steady();
  for (const auto& connection : connections_) {
    const bool is_silent = !connection->has_work() && now - connection->heard() > kIdleTimeout;
    if (!is_silent && !connection->is_stuck(now)) continue;
    ++closed_silent_;
    connection->close();
  }
  silent_timer_.start(kSilentCheck);
}

void SocketmapServer::write_metrics(MetricsText& out) const {
  out.gauge("connections", "Open socketmap connections", "", open_);
  out.counter("connections_total", "Socketmap connections accepted", "", accepted_);
  out.counter("protocol_errors_total", "Connections closed because of what they sent", "",
              protocol_errors_);
  constexpr std::string_view kHelp = "Times that a limit was reached";
  out.counter("bound_hits_total", kHelp, "bound=\"connections\"", closed_for_room_);
  out.counter("bound_hits_total", kHelp, "bound=\"connections_busy\"", refused_);
  out.counter("bound_hits_total", kHelp, "bound=\"connection_silent\"", closed_silent_);
  out.counter("bound_hits_total", kHelp, "bound=\"connection_paused\"", paused_);
}

}  // namespace strictmx::service
