// control_server.h - the control socket: netstrings with one JSON object each, both ways.
//
// Request: {"command": "policies.list", ...}. Reply: {"ok": true, ...} or
// {"ok": false, "error": "what", "code": "usage"|"forbidden"|"not-found"|"failed"}.
// Use: add_command() for each, then add_listener().
// Ownership: borrows the loop. A handler calls `respond` once, now or later.
// Threads: the loop's thread.
// Access: peer credentials; uid 0, the daemon's own uid and the uids given may use it. Commands
// that change something are logged with the uid.
// Limits: kMaxControlRequest bytes, kMaxControlConnections, one request at a time on each,
// kControlTimeout for a request to arrive.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/unique_descriptor.h"
#include "common/service/json_answers.h"
#include "common/service/metrics_text.h"
#include "common/service/stream_server.h"

namespace strictmx::service {

inline constexpr std::size_t kMaxControlRequest = 64 * 1024;
inline constexpr std::size_t kMaxControlReply = 16 * 1024 * 1024;
inline constexpr std::size_t kMaxControlConnections = 32;
inline constexpr std::chrono::seconds kControlTimeout{60};
// Nesting of a request's JSON; ours has two levels.
inline constexpr std::size_t kMaxControlDepth = 8;

struct ControlRequest {
  std::string command;
  Json arguments;  // the whole object
  uid_t uid = 0;

  // A text member, or nothing where it is missing or of another type.
  std::optional<std::string> text(const char* name) const;
  std::optional<std::int64_t> number(const char* name) const;
};

// The request in one netstring's payload, or why it is none. Pure; the fuzz target's entry.
base::Result<ControlRequest, std::monostate> read_control_request(std::string_view payload);

using Respond = std::function<void(Json)>;
using Handler = std::function<void(const ControlRequest&, const Respond&)>;

Json control_ok();
Json control_error(std::string_view code, std::string_view what);

enum class Effect { kReads, kChanges };

// A row of a table of commands that work on the same parts.
template <class Parts>
struct ControlCommand {
  const char* name;
  Effect effect;
  void (*function)(const Parts& parts, const ControlRequest& request, const Respond& respond);
};

class ControlServer {
 public:
  ControlServer(base::EventLoop& loop, std::vector<uid_t> allowed);
  ~ControlServer();

  void add_command(std::string name, Effect effect, Handler handler);
  // `parts` must outlive the server.
  template <class Parts, std::size_t kCount>
  void add_commands(const ControlCommand<Parts> (&table)[kCount], const Parts& parts) {
    for (const ControlCommand<Parts>& row : table) {
      add_command(
          row.name, row.effect,
          [&parts, function = row.function](const ControlRequest& request, const Respond& respond) {
            function(parts, request, respond);
          });
    }
  }
  void add_listener(base::UniqueDescriptor listening);
  void set_allowed(std::vector<uid_t> allowed) { allowed_ = std::move(allowed); }
  void stop_accepting();
  void write_metrics(MetricsText& out) const;

 private:
  class Connection;
  struct Command {
    Effect effect;
    Handler handler;
  };

  void on_accept(base::UniqueDescriptor descriptor);
  bool is_allowed(uid_t uid) const;
  void serve(const ControlRequest& request, const Respond& respond);

  base::EventLoop& loop_;
  std::vector<uid_t> allowed_;
  std::map<std::string, Command, std::less<>> commands_;
  std::vector<std::unique_ptr<StreamListener>> listeners_;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::uint64_t next_connection_ = 1;
  std::uint64_t requests_ = 0;
  std::uint64_t forbidden_ = 0;
  std::uint64_t refused_ = 0;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace strictmx::service
