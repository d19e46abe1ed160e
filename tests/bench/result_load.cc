// result_load.cc - mail servers that send results of TLS sessions as datagrams.
//
// Each sender is a thread with a socket of its own. Without a rate they send as fast as they can
// and wait while the queue is full. With one they do as libtlsrpt does: they do not wait, and what
// finds the queue full is lost; the gaps between results are exponential, as independent
// deliveries make them. With --kinds each domain is told of once for each kind of failure, in order
// instead of at random. Prints figures by name.
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "fd.h"
#include "options.h"

namespace strictmx::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Load {
  std::string path;
  unsigned long count;    // of each sender
  unsigned long domains;  // names at random among so many
  unsigned long per_mille_failed;
  double rate;  // results a second of each sender; 0: wait for room instead
  unsigned long senders;
  unsigned long kinds;  // of failures; 0: domains and outcomes at random
  std::string time;     // of the sessions, UTC seconds; empty: now
};

struct Outcome {
  unsigned long sent = 0;
  unsigned long lost = 0;
};

Fd connect_datagram(const std::string& path) {
  Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) die("path of the socket is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    die("connect");
  }
  return fd;
}

// expired, no STARTTLS, another host's certificate: as libtlsrpt numbers them.
constexpr std::array<int, 3> kFailureCodes = {204, 201, 202};

// As Postfix sends them: under an MTA-STS policy, some failed. Without a code it succeeded.
std::string result(const Load& load, unsigned long number, std::optional<int> code) {
  const std::string domain = "d" + std::to_string(number) + ".test";
  std::string text = R"({"dpv": "1","d": ")" + domain +
                     R"(","pr": "v=TLSRPTv1; rua=mailto:reports@)" + domain +
                     R"(","policies":[{"policy-type":2,"policy-domain": ")" + domain +
                     R"(","policy-string":["version: STSv1","mode: enforce","mx: mx1.)" + domain +
                     R"(","max_age: 604800"],"mx-host":["mx1.)" + domain + R"("],)";
  if (code.has_value()) {
    text += R"("failure-details":[{"c":)" + std::to_string(*code) +
            R"(,"s": "192.0.2.1","n": "mx1.)" + domain + R"(","h": "250-mx1.)" + domain +
            R"(\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 SIZE 10000000","r": "198.51.100.7"}],)";
  }
  text += code.has_value() ? R"("t":1,"f":1}])" : R"("t":0,"f":0}])";
  if (!load.time.empty()) text += R"(,"strictmx":{"time":)" + load.time + "}";
  return text + "}";
}

Outcome send_each(const Load& load, unsigned long sender) {
  const Fd fd = connect_datagram(load.path);
  Outcome outcome;
  for (unsigned long number = sender; number < load.domains; number += load.senders) {
    for (unsigned long kind = 0; kind < load.kinds; ++kind) {
      const std::string text = result(load, number, kFailureCodes[kind]);
      if (send(fd.get(), text.data(), text.size(), 0) < 0) die("send");
      ++outcome.sent;
    }
  }
  return outcome;
}

Outcome send_all(const Load& load, unsigned seed) {
  const Fd fd = connect_datagram(load.path);
  std::minstd_rand random(seed + 1);
  std::exponential_distribution<double> gap(load.rate > 0 ? load.rate : 1);
  std::vector<std::string> texts;
  for (unsigned long i = 0; i < std::min(load.domains, load.count); ++i) {
    const unsigned long number = random() % load.domains;
    const bool is_failed = random() % 1000 < load.per_mille_failed;
    texts.push_back(
        result(load, number, is_failed ? std::optional(kFailureCodes[0]) : std::nullopt));
  }
  Outcome outcome;
  auto due = Clock::now();
  for (unsigned long i = 0; i < load.count; ++i) {
    if (load.rate > 0) {
      due +=
          std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(gap(random)));
      std::this_thread::sleep_until(due);
    }
    const std::string& text = texts[random() % texts.size()];
    const int flags = load.rate > 0 ? MSG_DONTWAIT : 0;
    if (send(fd.get(), text.data(), text.size(), flags) >= 0) {
      ++outcome.sent;
    } else if (errno == EAGAIN) {
      ++outcome.lost;
    } else {
      die("send");
    }
  }
  return outcome;
}

constexpr OptionSpec kOptions[] = {
    {"socket", "", "path of the receiver's socket"},
    {"senders", "4", "threads"},
    {"count", "100000", "results in all"},
    {"domains", "1000", "policy domains, chosen at random"},
    {"per-mille-failed", "50", "sessions that failed, of a thousand"},
    {"rate", "0", "results a second in all, sent without waiting; 0: wait for room"},
    {"kinds", "0", "1 to 3: each domain once for each of so many kinds of failure"},
    {"time", "", "UTC seconds at which the sessions were, if not now"}};

}  // namespace
}  // namespace strictmx::bench

int main(int argc, char** argv) {
  using namespace strictmx::bench;
  const Options options(argc, argv, kOptions);
  const unsigned long senders = options.number("senders");
  const Load load{options.text("socket"),
                  options.number("count") / senders,
                  options.number("domains"),
                  options.number("per-mille-failed"),
                  static_cast<double>(options.number("rate")) / static_cast<double>(senders),
                  senders,
                  options.number("kinds"),
                  options.text("time")};
  if (load.kinds > kFailureCodes.size()) die("--kinds knows three");
  std::vector<Outcome> outcomes(senders);
  std::vector<std::thread> threads;
  const auto start = Clock::now();
  for (unsigned i = 0; i < senders; ++i) {
    threads.emplace_back(
        [&, i] { outcomes[i] = load.kinds == 0 ? send_all(load, i) : send_each(load, i); });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  Outcome sum;
  for (const Outcome& outcome : outcomes) {
    sum.sent += outcome.sent;
    sum.lost += outcome.lost;
  }
  std::printf("seconds %.6f\nsent %lu\nlost %lu\nresults_per_second %.1f\nlost_percent %.3f\n",
              seconds, sum.sent, sum.lost, static_cast<double>(sum.sent) / seconds,
              100.0 * static_cast<double>(sum.lost) / static_cast<double>(sum.sent + sum.lost));
}
