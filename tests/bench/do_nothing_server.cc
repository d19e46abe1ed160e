// do_nothing_server.cc - the limit for a socketmap server: the same answer to every question.
//
// One thread, one epoll set, reads of 256 KiB, one write for each read. Finds the end of each
// netstring by its length and looks at nothing else. A client that leaves so many answers unread
// that they fill the socket's buffer loses its connection: question_load never does.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "bench_world.h"
#include "options.h"
#include "sockets.h"

namespace strictmx::bench {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kMaxQuestionBytes = 10000;  // Postfix's own limit for a socketmap request.
constexpr std::uint64_t kListenerTag = UINT64_MAX;

struct Client {
  Fd fd;
  std::string partial;  // A question of which the end is still to come.
};

std::string fixed_answer(unsigned number) {
  const std::string answer = expected_answers(number).file_order;
  return std::to_string(answer.size()) + ":" + answer + ",";
}

class Service {
 public:
  Service(const sockaddr_in& address, unsigned number)
      : listener_(listen_tcp(address)), answer_(fixed_answer(number)), buffer_(kReadBytes) {
    epoll_.add(listener_, EPOLLIN, kListenerTag);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int count = epoll_wait(epoll_.get(), events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
        if (tag == kListenerTag) {
          accept_one();
        } else if (!serve(*clients_[tag])) {
          clients_[tag].reset();
        }
      }
    }
  }

 private:
  void accept_one() {
    Fd fd = accept_tcp(listener_);
    if (fd.get() < 0) return;
    const auto at = static_cast<std::size_t>(fd.get());
    if (clients_.size() <= at) clients_.resize(at + 1);
    epoll_.add(fd, EPOLLIN, at);
    clients_[at] = std::make_unique<Client>();
    clients_[at]->fd = std::move(fd);
  }

  // False when the connection is over.
  bool serve(Client& client) {
    const ssize_t count = recv(client.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (count <= 0) return count < 0 && errno == EAGAIN;
    std::string_view input(buffer_.data(), static_cast<std::size_t>(count));
    answers_.clear();
    if (!client.partial.empty()) {
      client.partial.append(input);
      input = client.partial;
    }
    if (!answer_all(input)) return false;
    client.partial = std::string(input);
    return answers_.empty() || send_all(client);
  }

  // Leaves the unfinished rest in `input`. False for what is no netstring.
  bool answer_all(std::string_view& input) {
    for (;;) {
      std::size_t length = 0;
      std::size_t at = 0;
      while (at < input.size() && input[at] >= '0' && input[at] <= '9') {
        length = length * 10 + static_cast<std::size_t>(input[at] - '0');
        if (length > kMaxQuestionBytes) return false;
        ++at;
      }
      if (at == input.size()) return true;
      if (at == 0 || input[at] != ':') return false;
      if (input.size() < at + length + 2) return true;
      answers_.append(answer_);
      input.remove_prefix(at + length + 2);
    }
  }

  bool send_all(const Client& client) {
    const ssize_t sent = send(client.fd.get(), answers_.data(), answers_.size(), MSG_NOSIGNAL);
    return sent == static_cast<ssize_t>(answers_.size());
  }

  Fd listener_;
  const std::string answer_;
  std::vector<char> buffer_;
  std::string answers_;
  Epoll epoll_;
  std::vector<std::unique_ptr<Client>> clients_;  // By descriptor.
};

constexpr OptionSpec kOptions[] = {{"listen", "127.0.0.1:8460", "address and port"},
                                   {"number", "5000", "number of the domain whose answer all get"}};

}  // namespace
}  // namespace strictmx::bench

int main(int argc, char** argv) {
  using namespace strictmx::bench;
  const Options options(argc, argv, kOptions);
  std::signal(SIGPIPE, SIG_IGN);
  Service service(parse_endpoint(options.text("listen")),
                  static_cast<unsigned>(options.number("number")));
  announce_ready();
  service.run();
}
