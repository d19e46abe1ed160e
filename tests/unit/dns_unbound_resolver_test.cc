// UnboundResolver against a name server on loopback: what it says of an answer, asked for the first
// time and out of libunbound's memory.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <optional>

#include "common/base/event_loop.h"
#include "common/base/unique_descriptor.h"
#include "common/dns/unbound_resolver.h"

namespace strictmx::dns {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kHeaderBytes = 12;  // RFC 1035 §4.1.1

// Says the same rcode to each question, and no records.
class NameServer {
 public:
  NameServer(base::EventLoop& loop, int rcode)
      : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), rcode_(rcode) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(socket_.get(), raw, length), 0);
    EXPECT_EQ(getsockname(socket_.get(), raw, &length), 0);
    port_ = ntohs(address.sin_port);
    watch_.emplace(loop, socket_.get(), base::Ready::kRead, [this] { answer(); });
  }

  unsigned port() const { return port_; }
  int questions() const { return questions_; }

 private:
  void answer() {
    std::array<std::uint8_t, 512> message{};
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    auto* raw = reinterpret_cast<sockaddr*>(&peer);
    const ssize_t size = recvfrom(socket_.get(), message.data(), message.size(), 0, raw, &length);
    if (size < static_cast<ssize_t>(kHeaderBytes)) return;
    ++questions_;
    message[2] |= 0x80;                                     // QR
    message[3] = static_cast<std::uint8_t>(0x80 | rcode_);  // RA
    sendto(socket_.get(), message.data(), static_cast<std::size_t>(size), 0, raw, length);
  }

  base::UniqueDescriptor socket_;
  int rcode_;
  unsigned port_ = 0;
  int questions_ = 0;
  std::optional<base::Watch> watch_;
};

class ResolverRun {
 public:
  explicit ResolverRun(int rcode)
      : loop_(base::EventLoop::create().value()), server_(*loop_, rcode) {
    ResolverSettings settings;
    settings.mode = ResolverMode::kForward;
    settings.resolvers = {"127.0.0.1"};
    settings.port = server_.port();
    settings.dnssec = DnssecMode::kOff;
    resolver_ = UnboundResolver::create(*loop_, settings).value();
  }

  // "absent", "no such name", or the error's name.
  std::string ask() {
    std::string words = "no callback";
    resolver_->txt("_smtp._tls.example.org", [&](const DnsResult<std::string>& result) {
      if (!result.ok()) {
        words = dns_error_name(result.error().code);
      } else {
        words = result.value().name_exists ? "absent" : "no such name";
      }
      loop_->stop();
    });
    base::Timer end(*loop_, [this] { loop_->stop(); });
    end.start(30s);
    loop_->run();
    return words;
  }

  int questions() const { return server_.questions(); }

 private:
  std::unique_ptr<base::EventLoop> loop_;
  NameServer server_;
  std::unique_ptr<UnboundResolver> resolver_;
};

TEST(UnboundResolver, FailureIsOneAlsoOutOfMemory) {
  for (const int rcode : {2, 5}) {  // SERVFAIL, REFUSED
    SCOPED_TRACE(rcode);
    ResolverRun run(rcode);
    EXPECT_EQ(run.ask(), "server-failure");
    const int questions = run.questions();
    EXPECT_GT(questions, 0);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(run.ask(), "server-failure");
    EXPECT_EQ(run.questions(), questions) << "libunbound did not remember it";
  }
}

TEST(UnboundResolver, AbsenceIsToldAsSuch) {
  ResolverRun nothing(0);
  EXPECT_EQ(nothing.ask(), "absent");
  ResolverRun no_name(3);
  EXPECT_EQ(no_name.ask(), "no such name");
}

}  // namespace
}  // namespace strictmx::dns
