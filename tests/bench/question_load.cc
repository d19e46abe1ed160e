// question_load.cc - asks a socketmap server many questions and measures how it answers.
//
// Keeps `--in-flight` questions on each of `--connections`, for `--seconds` or until `--questions`
// are answered. Each answer is compared with the one that is right for its name; the program fails
// when any was wrong. The CPU time of a server given by `--pid` is divided by the questions.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <deque>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "bench_world.h"
#include "latency_histogram.h"
#include "options.h"
#include "sockets.h"

namespace strictmx::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr int kSilenceMilliseconds = 60000;
constexpr unsigned kWrongAnswersShown = 3;

struct Name {
  std::string question;  // As netstring.
  std::string answer;    // As netstring, like the next one.
  std::string other_answer;
};

std::string netstring(const std::string& text) {
  return std::to_string(text.size()) + ":" + text + ",";
}

std::vector<Name> make_names(const Options& options) {
  const bool has_policy = options.text("kind") == "policy";
  const auto kind = has_policy ? DomainKind::kWithPolicy : DomainKind::kWithout;
  const std::string& level = options.text("answer");
  const auto fixed = static_cast<unsigned>(options.number("fixed-answer"));
  std::vector<Name> names(options.number("domains"));
  auto number = static_cast<unsigned>(options.number("first"));
  for (Name& name : names) {
    name.question = netstring(options.text("map") + " " + domain_name(kind, number));
    const ExpectedAnswers right = expected_answers(fixed != 0 ? fixed : number);
    name.answer = netstring(has_policy ? right.file_order : "NOTFOUND ");
    name.other_answer = netstring(has_policy ? right.other_order : "NOTFOUND");
    if (level != "secure") name.answer = name.other_answer = netstring("OK " + level);
    ++number;
  }
  return names;
}

struct Asked {
  std::uint32_t name;
  Clock::time_point when;
};

struct Connection {
  Fd fd;
  std::deque<Asked> asked;
  std::string partial;  // An answer of which the end is still to come.
};

class Load {
 public:
  explicit Load(const Options& options)
      : names_(make_names(options)),
        in_flight_(options.number("in-flight")),
        wanted_(options.number("questions")),
        is_random_(options.text("order") == "random"),
        random_(options.number("seed")),
        connections_(options.number("connections")),
        buffer_(kReadBytes) {
    const sockaddr_in server = parse_endpoint(options.text("server"));
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].fd = start_tcp(server);
      epoll_.add(connections_[i].fd, EPOLLIN, i);
    }
    if (options.number("seconds") != 0) wanted_ = UINT64_MAX;
    await_connections();
  }

  void run(std::chrono::seconds limit) {
    const Clock::time_point start = now_ = Clock::now();
    const Clock::time_point end = wanted_ == UINT64_MAX ? start + limit : Clock::time_point::max();
    for (Connection& connection : connections_) ask(connection, in_flight_);
    std::array<epoll_event, 256> events;
    while (answered_ < wanted_) {
      const int count =
          epoll_wait(epoll_.get(), events.data(), events.size(), kSilenceMilliseconds);
      now_ = Clock::now();
      if (count == 0) die("no answer for a minute");
      if (now_ >= end) break;
      for (int i = 0; i < count; ++i) {
        read_answers(connections_[events[static_cast<std::size_t>(i)].data.u64]);
      }
    }
    elapsed_ = now_ - start;
  }

  void print() const {
    const double seconds = std::chrono::duration<double>(elapsed_).count();
    std::printf("questions %lu\nseconds %.3f\nquestions_per_second %.1f\n", answered_, seconds,
                static_cast<double>(answered_) / seconds);
    std::printf("p50_us %.1f\np90_us %.1f\np99_us %.1f\nmax_us %.1f\nwrong %lu\n",
                latencies_.percentile_us(0.50), latencies_.percentile_us(0.90),
                latencies_.percentile_us(0.99), latencies_.max_us(), wrong_);
  }

  std::uint64_t answered() const { return answered_; }
  std::uint64_t wrong() const { return wrong_; }

 private:
  // Writable means connected or refused; a refusal then shows as a failing send.
  void await_connections() {
    Epoll connecting;
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connecting.add(connections_[i].fd, EPOLLOUT | EPOLLONESHOT, i);
    }
    for (std::size_t ready = 0; ready < connections_.size(); ++ready) {
      epoll_event event;
      if (epoll_wait(connecting.get(), &event, 1, kSilenceMilliseconds) != 1) die("connect");
    }
  }

  std::uint32_t choose_name() {
    if (!is_random_) return static_cast<std::uint32_t>(started_ % names_.size());
    return static_cast<std::uint32_t>(random_() % names_.size());
  }

  void ask(Connection& connection, std::size_t count) {
    output_.clear();
    for (std::size_t i = 0; i < count && started_ < wanted_; ++i) {
      const std::uint32_t name = choose_name();
      output_.append(names_[name].question);
      connection.asked.push_back({name, now_});
      ++started_;
    }
    if (output_.empty()) return;
    const ssize_t sent = send(connection.fd.get(), output_.data(), output_.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(output_.size())) die("send");
  }

  void read_answers(Connection& connection) {
    const ssize_t count = recv(connection.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (count == 0) die("the server closed a connection");
    if (count < 0) {
      if (errno != EAGAIN) die("recv");
      return;
    }
    std::string_view input(buffer_.data(), static_cast<std::size_t>(count));
    if (!connection.partial.empty()) {
      connection.partial.append(input);
      input = connection.partial;
    }
    const std::size_t taken = take_answers(connection, input);
    if (taken == input.size()) {
      connection.partial.clear();
    } else {
      connection.partial = std::string(input.substr(taken));
    }
  }

  // Number of bytes in whole answers. Asks as many new questions as answers came.
  std::size_t take_answers(Connection& connection, std::string_view input) {
    std::size_t taken = 0;
    std::size_t answers = 0;
    for (;;) {
      const std::string_view rest = input.substr(taken);
      const std::size_t length = whole_netstring(rest);
      if (length == 0) break;
      if (connection.asked.empty()) die("more answers than questions");
      judge(connection.asked.front(), rest.substr(0, length));
      connection.asked.pop_front();
      taken += length;
      ++answers;
    }
    ask(connection, answers);
    return taken;
  }

  // 0 while the end is still to come.
  static std::size_t whole_netstring(std::string_view input) {
    std::size_t length = 0;
    std::size_t at = 0;
    while (at < input.size() && input[at] >= '0' && input[at] <= '9' && at < 7) {
      length = length * 10 + static_cast<std::size_t>(input[at++] - '0');
    }
    if (at == input.size()) return 0;
    if (at == 0 || input[at] != ':') die("not a netstring");
    return input.size() < at + length + 2 ? 0 : at + length + 2;
  }

  void judge(const Asked& asked, std::string_view answer) {
    const Name& name = names_[asked.name];
    latencies_.add(static_cast<std::uint64_t>((now_ - asked.when).count()));
    ++answered_;
    if (answer == name.answer || answer == name.other_answer) return;
    if (++wrong_ > kWrongAnswersShown) return;
    std::fprintf(stderr, "wrong: %s -> %.*s\n", name.question.c_str(),
                 static_cast<int>(answer.size()), answer.data());
  }

  const std::vector<Name> names_;
  const std::size_t in_flight_;
  std::uint64_t wanted_;
  const bool is_random_;
  std::minstd_rand random_;
  std::vector<Connection> connections_;
  std::vector<char> buffer_;
  std::string output_;
  Epoll epoll_;
  Clock::time_point now_;
  Clock::duration elapsed_{};
  std::uint64_t started_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t wrong_ = 0;
  LatencyHistogram latencies_;
};

// User and system time of all threads (fields 14 and 15 of /proc/PID/stat).
double cpu_seconds(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string line;
  if (!std::getline(file, line)) die("/proc/" + pid + "/stat");
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  std::string field;
  for (int i = 3; i < 14; ++i) fields >> field;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

constexpr OptionSpec kOptions[] = {
    {"server", "127.0.0.1:8461", "address and port"},
    {"map", "postfix", "name of the socketmap"},
    {"connections", "32", "how many"},
    {"in-flight", "1", "questions on the way on each connection"},
    {"kind", "policy", "names: policy (dN.test) or none (noneN.test)"},
    {"first", "0", "number of the first name"},
    {"domains", "10000", "how many names"},
    {"order", "random", "random, or sequence: each name once, then again"},
    {"seed", "8461", "of the random order"},
    {"questions", "0", "how many to ask"},
    {"seconds", "0", "how long to ask; beats --questions"},
    {"fixed-answer", "0", "if not 0: the right answer to everything is that for this domain"},
    {"answer", "secure", "the right level; of a DANE level nothing else is looked at"},
    {"pid", "", "server whose CPU time is measured"}};

}  // namespace
}  // namespace strictmx::bench

int main(int argc, char** argv) {
  using namespace strictmx::bench;
  const Options options(argc, argv, kOptions);
  const std::string& pid = options.text("pid");
  Load load(options);
  const double before = pid.empty() ? 0 : cpu_seconds(pid);
  load.run(std::chrono::seconds(options.number("seconds")));
  load.print();
  if (!pid.empty()) {
    std::printf("cpu_us_per_question %.3f\n",
                (cpu_seconds(pid) - before) * 1e6 / static_cast<double>(load.answered()));
  }
  return load.wrong() == 0 ? 0 : 1;
}
