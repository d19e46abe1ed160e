// control_server.cc - see control_server.h.
#include "common/service/control_server.h"

#include <jansson.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/base/json_extent.h"
#include "common/base/log.h"
#include "common/base/netstring.h"
#include "common/base/process.h"

namespace strictmx::service {
namespace {

using base::fail;

}  // namespace

std::optional<std::string> ControlRequest::text(const char* name) const {
  const json_t* value = json_object_get(arguments.get(), name);
  if (!json_is_string(value)) return std::nullopt;
  return std::string(json_string_value(value), json_string_length(value));
}

std::optional<std::int64_t> ControlRequest::number(const char* name) const {
  const json_t* value = json_object_get(arguments.get(), name);
  if (!json_is_integer(value)) return std::nullopt;
  return json_integer_value(value);
}

base::Result<ControlRequest, std::monostate> read_control_request(std::string_view payload) {
  // jansson takes 2048 levels by default; what nests deeper than ours is refused unread.
  if (base::json_extent(payload).depth > kMaxControlDepth) {
    return fail(std::monostate{}, "request nests too deep");
  }
  json_error_t error;
  Json object(json_loadb(payload.data(), payload.size(), JSON_REJECT_DUPLICATES, &error));
  if (object == nullptr) {
    return fail(std::monostate{}, std::string("request is not JSON: ") + error.text);
  }
  if (!json_is_object(object.get())) return fail(std::monostate{}, "request is no JSON object");
  ControlRequest request;
  request.arguments = std::move(object);
  auto command = request.text("command");
  if (!command.has_value()) return fail(std::monostate{}, "request has no command");
  request.command = std::move(*command);
  return request;
}

Json control_ok() {
  Json object(json_object());
  json_object_set_new(object.get(), "ok", json_true());
  return object;
}

Json control_error(std::string_view code, std::string_view what) {
  Json object(json_object());
  json_object_set_new(object.get(), "ok", json_false());
  json_object_set_new(object.get(), "code", text_json(code).release());
  json_object_set_new(object.get(), "error", text_json(what).release());
  return object;
}

class ControlServer::Connection {
 public:
  Connection(ControlServer& server, std::uint64_t number, base::UniqueDescriptor descriptor,
             uid_t uid)
      : server_(server),
        number_(number),
        descriptor_(std::move(descriptor)),
        uid_(uid),
        timeout_(server.loop_, [this] { close(); }),
        read_watch_(server.loop_, descriptor_.get(), base::Ready::kRead,
                    [this] { on_readable(); }) {
    timeout_.start(kControlTimeout);
  }
  ~Connection() { *is_alive_ = false; }

  void refuse(std::string_view why) {
    send_reply(control_error("forbidden", why));
    close_after_send_ = true;
    if (unsent_.empty()) close();
  }

 private:
  void on_readable() {
    char buffer[16384];
    const ssize_t got = recv(descriptor_.get(), buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      close();
      return;
    }
    input_.append(buffer, static_cast<std::size_t>(got));
    serve_input();
  }

  void serve_input() {
    if (is_busy_ || is_closed_) return;
    const auto frame = base::parse_netstring(input_, kMaxControlRequest);
    if (frame.state == base::NetstringState::kIncomplete) return;
    if (frame.state != base::NetstringState::kComplete) {
      refuse("request is no netstring of at most 65536 bytes");
      return;
    }
    auto request = read_control_request(frame.payload);
    input_.erase(0, frame.consumed);
    if (!request.ok()) {
      send_reply(control_error("usage", request.error().detail));
      return;
    }
    request.value().uid = uid_;
    is_busy_ = true;
    read_watch_.stop();  // one request at a time; more wait in the kernel
    timeout_.stop();
    server_.serve(request.value(), [this, alive = is_alive_](Json reply) {
      if (!*alive) return;
      is_busy_ = false;
      timeout_.start(kControlTimeout);
      read_watch_.start();
      send_reply(std::move(reply));
      if (!input_.empty()) serve_input();
    });
  }

  void send_reply(Json reply) {
    std::string text = dump_json(reply.get());
    if (text.size() > kMaxControlReply) {
      text = dump_json(control_error("failed", "reply is too long, ask for less").get());
    }
    base::append_netstring(unsent_, text);
    flush();
  }

  void flush() {
    while (!unsent_.empty()) {
      const ssize_t put = send(descriptor_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno == EAGAIN) {
        if (write_watch_ == nullptr) {
          write_watch_ = std::make_unique<base::Watch>(server_.loop_, descriptor_.get(),
                                                       base::Ready::kWrite, [this] { flush(); });
        }
        return;
      }
      if (put < 0) {
        close();
        return;
      }
      unsent_.erase(0, static_cast<std::size_t>(put));
    }
    write_watch_.reset();
    if (close_after_send_) close();
  }

  void close() {
    if (is_closed_) return;
    is_closed_ = true;
    *is_alive_ = false;
    read_watch_.stop();
    write_watch_.reset();
    timeout_.stop();
    server_.loop_.post([&server = server_, alive = server_.is_alive_, number = number_] {
      if (*alive) server.connections_.erase(number);
    });
  }

  ControlServer& server_;
  const std::uint64_t number_;
  base::UniqueDescriptor descriptor_;
  const uid_t uid_;
  std::string input_;
  std::string unsent_;
  bool is_busy_ = false;
  bool is_closed_ = false;
  bool close_after_send_ = false;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
  base::Timer timeout_;
  base::Watch read_watch_;
  std::unique_ptr<base::Watch> write_watch_;
};

ControlServer::ControlServer(base::EventLoop& loop, std::vector<uid_t> allowed)
    : loop_(loop), allowed_(std::move(allowed)) {}

ControlServer::~ControlServer() { *is_alive_ = false; }

void ControlServer::add_command(std::string name, Effect effect, Handler handler) {
  commands_.emplace(std::move(name), Command{effect, std::move(handler)});
}

void ControlServer::add_listener(base::UniqueDescriptor listening) {
  listeners_.push_back(std::make_unique<StreamListener>(
      loop_, std::move(listening),
      [this](base::UniqueDescriptor descriptor) { on_accept(std::move(descriptor)); }));
}

void ControlServer::stop_accepting() {
  for (auto& listener : listeners_) listener->stop();
}

bool ControlServer::is_allowed(uid_t uid) const {
  return uid == 0 || uid == geteuid() ||
         std::find(allowed_.begin(), allowed_.end(), uid) != allowed_.end();
}

void ControlServer::on_accept(base::UniqueDescriptor descriptor) {
  if (connections_.size() >= kMaxControlConnections) {
    ++refused_;
    return;
  }
  const auto peer = base::peer_ids(descriptor.get());
  const uid_t uid = peer.ok() ? peer.value().uid : static_cast<uid_t>(-1);
  const std::uint64_t number = next_connection_++;
  auto connection = std::make_unique<Connection>(*this, number, std::move(descriptor), uid);
  Connection& added = *connections_.emplace(number, std::move(connection)).first->second;
  if (peer.ok() && is_allowed(uid)) return;
  ++forbidden_;
  base::log_warning("control socket refused", {{"uid", std::to_string(uid)}});
  added.refuse("this user may not use the control socket (control.users)");
}

void ControlServer::serve(const ControlRequest& request, const Respond& respond) {
  ++requests_;
  const auto found = commands_.find(request.command);
  if (found == commands_.end()) {
    respond(control_error("usage", "no such command: " + request.command.substr(0, 64)));
    return;
  }
  if (found->second.effect == Effect::kChanges) {
    base::log_info("control command", {{"command", request.command},
                                       {"uid", std::to_string(request.uid)},
                                       {"domain", request.text("domain").value_or("")}});
  }
  found->second.handler(request, respond);
}

void ControlServer::write_metrics(MetricsText& out) const {
  out.counter("control_requests_total", "Requests on the control socket", "", requests_);
  out.counter("control_forbidden_total", "Connections refused for their uid", "", forbidden_);
  out.counter("bound_hits_total", "Times that a limit was reached", "bound=\"control_connections\"",
              refused_);
}

}  // namespace strictmx::service
