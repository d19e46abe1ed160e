// daemon_link.cc - see daemon_link.h.
#include "plugins/cli/daemon_link.h"

#include <fmt/format.h>
#include <jansson.h>
#include <unistd.h>

#include <utility>

namespace strictmx::cli {
namespace {

using base::fail;
using base::Failure;
using client::ClientError;

// On top of what the daemon itself may take, so that its own answer arrives first.
constexpr std::chrono::seconds kMargin{10};

Failure<Exit> control_failure(const std::string& address, const JsonView& reply) {
  const std::string code = reply.text("code");
  const std::string error = reply.text("error");
  if (code == "usage") return fail(Exit::kUsage, error);
  if (code == "not-found") return fail(Exit::kData, error);
  if (code == "forbidden") {
    return fail(Exit::kForbidden,
                fmt::format("{}: {}\nRun it as root, or name the user in control.users "
                            "(strictmx.toml(5)).",
                            address, error));
  }
  return fail(Exit::kTemporary, fmt::format("strictmxd: {}", error));
}

}  // namespace

Or<DaemonLink> DaemonLink::from(const Command& command) {
  auto config = command.config();
  if (!config.ok()) return config.error();
  DaemonLink link;
  link.server_ = config.value().text("client.server");
  link.control_ = config.value().text("client.control");
  link.answer_timeout_ = command.timeout_or(config.value().seconds("answer.wait") + kMargin);
  // A refresh: the TXT record, the policy host's addresses, the fetch.
  link.control_timeout_ = command.timeout_or(2 * config.value().seconds("dns.timeout") +
                                             config.value().seconds("https.timeout") + kMargin);
  return link;
}

Failure<Exit> DaemonLink::problem(const Failure<ClientError>& failure, std::string_view key) const {
  switch (failure.code) {
    case ClientError::kUnreachable: {
      std::string text = fmt::format(
          "strictmxd can't be reached at {}\n"
          "Is it running? Start it: systemctl start strictmxd (or: strictmxd --config FILE).\n"
          "Does it listen elsewhere? Set {} (strictmx.toml(5), or --set {}=ADDRESS).",
          failure.detail, key, key);
      if (geteuid() != 0) {
        text += "\nA daemon started by root listens below /run/strictmx.";
      }
      return fail(Exit::kUnavailable, std::move(text));
    }
    case ClientError::kForbidden:
      return fail(Exit::kForbidden,
                  fmt::format("{}\nRun it as root, or open the socket to this user "
                              "(control.users, listen.* in strictmx.toml(5)).",
                              failure.detail));
    case ClientError::kTimeout:
      return fail(Exit::kTemporary,
                  failure.detail + "\nstrictmxd may still be at it; ask again, or give --timeout.");
    case ClientError::kProtocol:
      return fail(
          Exit::kUnavailable,
          fmt::format("{}\nIs it strictmxd that listens there? Look at {}.", failure.detail, key));
  }
  return fail(Exit::kInternal, failure.detail);
}

Or<client::Answer> DaemonLink::ask(std::string_view map, std::string_view key) {
  // Refused here, as it is the operator's mistake and nothing of the daemon's.
  if (map.size() + 1 + key.size() > client::kMaxQuestionBytes) {
    return fail(Exit::kUsage,
                fmt::format("a question has at most {} bytes", client::kMaxQuestionBytes));
  }
  if (!connection_.has_value()) {
    auto opened = client::Connection::open(server_, answer_timeout_);
    if (!opened.ok()) return problem(opened.error(), "client.server");
    connection_ = std::move(opened).value();
  }
  auto answer = connection_->ask(map, key, answer_timeout_);
  if (!answer.ok()) {
    connection_.reset();
    return problem(answer.error(), "client.server");
  }
  return std::move(answer).value();
}

Or<Json> DaemonLink::control(std::string_view name, Json arguments) {
  json_object_set_new(arguments.get(), "command", json_text(name).release());
  auto reply = client::control(control_, print_json_line(arguments.get()), control_timeout_);
  if (!reply.ok()) return problem(reply.error(), "client.control");
  Json object = parse_json(reply.value());
  if (object == nullptr) {
    return fail(Exit::kUnavailable, control_ + ": the reply is no JSON object");
  }
  const JsonView view(object);
  if (!view.is_true("ok")) return control_failure(control_, view);
  return object;
}

Json domain_argument(std::string_view domain) {
  Json arguments(json_object());
  json_object_set_new(arguments.get(), "domain", json_text(domain).release());
  return arguments;
}

Json no_arguments() { return Json(json_object()); }

}  // namespace strictmx::cli
