// smtp_test_server.cc - see smtp_test_server.h. One connection at a time.
#include "tests/unit/smtp_test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <utility>

namespace strictmx::reporting::testing {
namespace {

constexpr int kPollMilliseconds = 20;

void must(bool is_well) {
  if (!is_well) std::abort();
}

const SmtpPlan& default_plan() {
  static const SmtpPlan plan = {
      {"greeting", "220 sink.test ESMTP\r\n"},
      {"EHLO", "250-sink.test\r\n250-8BITMIME\r\n250 SIZE 10000000\r\n"},
      {"HELO", "250 sink.test\r\n"},
      {"MAIL", "250 2.1.0 Ok\r\n"},
      {"RCPT", "250 2.1.5 Ok\r\n"},
      {"DATA", "354 End data with <CR><LF>.<CR><LF>\r\n"},
      {"text", "250 2.0.0 Ok: queued as 1\r\n"},
      {"QUIT", "221 2.0.0 Bye\r\n"},
  };
  return plan;
}

}  // namespace

class SmtpTestServer::Session {
 public:
  Session(SmtpTestServer& server, base::UniqueDescriptor socket)
      : server_(server), socket_(std::move(socket)) {}

  void run() {
    if (!reply("greeting")) return;
    while (const auto line = read_until("\r\n")) {
      {
        const std::lock_guard lock(server_.mutex_);
        server_.commands_.push_back(*line);
      }
      const std::string verb = line->substr(0, 4);
      if (!reply(verb)) return;
      if (verb == "QUIT") return;
      if (verb != "DATA" || !last_reply_.starts_with("354")) continue;
      const auto text = read_until("\r\n.\r\n");
      if (!text.has_value()) return;
      {
        const std::lock_guard lock(server_.mutex_);
        server_.text_ = *text + "\r\n";
      }
      if (!reply("text")) return;
    }
  }

 private:
  bool reply(const std::string& to) {
    const auto planned = server_.plan_.find(to);
    const auto usual = default_plan().find(to);
    last_reply_ = planned != server_.plan_.end()  ? planned->second
                  : usual != default_plan().end() ? usual->second
                                                  : "502 5.5.2 unknown\r\n";
    if (last_reply_ == kDrop) return false;
    if (last_reply_ == kHang) {
      while (read_more()) continue;
      return false;
    }
    return send(socket_.get(), last_reply_.data(), last_reply_.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(last_reply_.size());
  }

  std::optional<std::string> read_until(const std::string& end) {
    std::size_t at = 0;
    while ((at = received_.find(end)) == std::string::npos) {
      if (!read_more()) return std::nullopt;
    }
    std::string text = received_.substr(0, at);
    received_.erase(0, at + end.size());
    return text;
  }

  bool read_more() {
    pollfd waiting{socket_.get(), POLLIN, 0};
    while (poll(&waiting, 1, kPollMilliseconds) == 0) {
      if (server_.is_stopping_) return false;
    }
    std::array<char, 4096> buffer;
    const ssize_t count = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) return false;
    received_.append(buffer.data(), static_cast<std::size_t>(count));
    return true;
  }

  SmtpTestServer& server_;
  base::UniqueDescriptor socket_;
  std::string received_;
  std::string last_reply_;
};

SmtpTestServer::SmtpTestServer(SmtpPlan plan)
    : plan_(std::move(plan)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  must(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  must(listen(listener_.get(), SOMAXCONN) == 0);
  socklen_t length = sizeof address;
  must(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

SmtpTestServer::~SmtpTestServer() {
  is_stopping_ = true;
  thread_.join();
}

void SmtpTestServer::run() {
  while (!is_stopping_) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (poll(&waiting, 1, kPollMilliseconds) <= 0) continue;
    base::UniqueDescriptor accepted(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!accepted) continue;
    is_connected_ = true;
    Session(*this, std::move(accepted)).run();
  }
}

std::vector<std::string> SmtpTestServer::commands() const {
  const std::lock_guard lock(mutex_);
  return commands_;
}

std::string SmtpTestServer::text() const {
  const std::lock_guard lock(mutex_);
  return text_;
}

}  // namespace strictmx::reporting::testing
