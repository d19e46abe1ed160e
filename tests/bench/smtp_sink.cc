// smtp_sink.cc - an SMTP server that takes every mail and keeps none, as cheap as can be.
//
// One thread, one epoll set, no extensions. Looks at the first letter of a command, and at texts
// for their last line alone. Ended by SIGTERM it prints how many mails came over how many
// connections, as figures by name.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "options.h"
#include "sockets.h"

namespace strictmx::bench {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kMaxLineBytes = 4096;
constexpr std::string_view kTextEnd = "\r\n.\r\n";
constexpr std::uint64_t kListenerTag = UINT64_MAX;
constexpr std::uint64_t kEndTag = UINT64_MAX - 1;

struct Client {
  Fd fd;
  std::string unread;  // a command, or the last bytes of a text, of which the end is to come
  bool is_in_text = false;
};

class Sink {
 public:
  explicit Sink(const sockaddr_in& address)
      : listener_(listen_tcp(address)), end_(make_end()), buffer_(kReadBytes) {
    epoll_.add(listener_, EPOLLIN, kListenerTag);
    epoll_.add(end_, EPOLLIN, kEndTag);
  }

  void run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int count = epoll_wait(epoll_.get(), events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
        if (tag == kEndTag) return;
        if (tag == kListenerTag) {
          accept_one();
        } else if (!serve(*clients_[tag])) {
          clients_[tag].reset();
        }
      }
    }
  }

  void print() const {
    std::printf("mails %lu\nconnections %lu\nmail_bytes %lu\n", mails_, connections_, mail_bytes_);
  }

 private:
  // SIGTERM as something that epoll tells of.
  static Fd make_end() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) die("sigprocmask");
    Fd fd(signalfd(-1, &signals, SFD_CLOEXEC));
    if (fd.get() < 0) die("signalfd");
    return fd;
  }

  void accept_one() {
    Fd fd = accept_tcp(listener_);
    if (fd.get() < 0) return;
    const auto at = static_cast<std::size_t>(fd.get());
    if (clients_.size() <= at) clients_.resize(at + 1);
    epoll_.add(fd, EPOLLIN, at);
    clients_[at] = std::make_unique<Client>();
    clients_[at]->fd = std::move(fd);
    ++connections_;
    say(*clients_[at], "220 sink.test ESMTP\r\n");
  }

  // False when the connection is over.
  bool serve(Client& client) {
    const ssize_t count = recv(client.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (count <= 0) return count < 0 && errno == EAGAIN;
    client.unread.append(buffer_.data(), static_cast<std::size_t>(count));
    for (;;) {
      if (client.is_in_text) {
        if (!take_text(client)) return true;
        if (!say(client, "250 taken\r\n")) return false;
      } else {
        const std::size_t end = client.unread.find('\n');
        if (end == std::string::npos) return client.unread.size() < kMaxLineBytes;
        const char command = client.unread.front();
        client.unread.erase(0, end + 1);
        if (!answer(client, command)) return false;
      }
    }
  }

  bool answer(Client& client, char command) {
    switch (command) {
      case 'D':
        client.is_in_text = true;
        client.unread.insert(0, "\r\n");  // an empty text is its last line alone
        return say(client, "354 go on\r\n");
      case 'Q':
        say(client, "221 bye\r\n");
        return false;
      default:
        return say(client, "250 sink.test\r\n");
    }
  }

  // True once the whole text has come.
  bool take_text(Client& client) {
    std::string& unread = client.unread;
    const std::size_t end = unread.find(kTextEnd);
    const bool is_whole = end != std::string::npos;
    const std::size_t keep = kTextEnd.size() - 1;
    const std::size_t taken = is_whole               ? end + kTextEnd.size()
                              : unread.size() > keep ? unread.size() - keep
                                                     : 0;
    unread.erase(0, taken);
    mail_bytes_ += taken;
    if (!is_whole) return false;
    client.is_in_text = false;
    ++mails_;
    return true;
  }

  static bool say(const Client& client, std::string_view words) {
    return send(client.fd.get(), words.data(), words.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(words.size());
  }

  Fd listener_;
  Fd end_;
  Epoll epoll_;
  std::vector<char> buffer_;
  std::vector<std::unique_ptr<Client>> clients_;
  unsigned long mails_ = 0;
  unsigned long connections_ = 0;
  unsigned long mail_bytes_ = 0;
};

constexpr OptionSpec kOptions[] = {{"listen", "127.0.0.1:2525", "ADDRESS:PORT"}};

}  // namespace
}  // namespace strictmx::bench

int main(int argc, char** argv) {
  using namespace strictmx::bench;
  const Options options(argc, argv, kOptions);
  Sink sink(parse_endpoint(options.text("listen")));
  announce_ready();
  sink.run();
  sink.print();
}
