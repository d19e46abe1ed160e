// daemon_link.h - questions and control requests to strictmxd, with failures in words that say
// what the operator should do.
//
// Use: DaemonLink::from(command), then ask() or control().
// Threads: the main thread alone. Blocks up to the command's timeout for each call.
// Errors: kUnavailable (nobody listens), kTemporary (no reply in time), kForbidden; and what the
// daemon's own error codes mean: usage kUsage, not-found kData, failed kTemporary.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/client/client.h"
#include "plugins/cli/cli.h"
#include "plugins/cli/json.h"

namespace strictmx::cli {

class DaemonLink {
 public:
  static Or<DaemonLink> from(const Command& command);

  // All questions of one link go over one connection.
  Or<client::Answer> ask(std::string_view map, std::string_view key);
  // `arguments`: a JSON object; "command" is added to it.
  Or<Json> control(std::string_view name, Json arguments);

 private:
  base::Failure<Exit> problem(const base::Failure<client::ClientError>& failure,
                              std::string_view key) const;

  std::string server_;
  std::string control_;
  std::chrono::seconds answer_timeout_{};
  std::chrono::seconds control_timeout_{};
  std::optional<client::Connection> connection_;
};

// {"domain": DOMAIN}
Json domain_argument(std::string_view domain);
Json no_arguments();

}  // namespace strictmx::cli
