// result_load.cc - mail servers that send results of TLS sessions as datagrams.
//
// Each sender is a thread with a socket of its own. Without a rate they send as fast as they can
// and wait while the queue is full. With one they do as libtlsrpt does: they do not wait, and what
// finds the queue full is lost; the gaps between results are exponential, as independent
// deliveries make them. Prints figures by name.
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
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

// As Postfix sends them: under an MTA-STS policy, some failed at an expired certificate.
std::string result(unsigned long number, bool is_failed) {
  const std::string domain = "d" + std::to_string(number) + ".test";
  std::string text = R"({"dpv": "1","d": ")" + domain +
                     R"(","pr": "v=TLSRPTv1; rua=mailto:reports@)" + domain +
                     R"(","policies":[{"policy-type":2,"policy-domain": ")" + domain +
                     R"(","policy-string":["version: STSv1","mode: enforce","mx: mx1.)" + domain +
                     R"(","max_age: 604800"],"mx-host":["mx1.)" + domain + R"("],)";
  if (is_failed) {
    text += R"("failure-details":[{"c":204,"s": "192.0.2.1","n": "mx1.)" + domain +
            R"(","h": "250-mx1.)" + domain +
            R"(\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 SIZE 10000000","r": "198.51.100.7"}],)";
  }
  return text + (is_failed ? R"("t":1,"f":1}]})" : R"("t":0,"f":0}]})");
}

Outcome send_all(const Load& load, unsigned seed) {
  const Fd fd = connect_datagram(load.path);
  std::minstd_rand random(seed + 1);
  std::exponential_distribution<double> gap(load.rate > 0 ? load.rate : 1);
  std::vector<std::string> texts;
  for (unsigned long i = 0; i < std::min(load.domains, load.count); ++i) {
    texts.push_back(result(random() % load.domains, random() % 1000 < load.per_mille_failed));
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
    {"rate", "0", "results a second in all, sent without waiting; 0: wait for room"}};

}  // namespace
}  // namespace strictmx::bench

int main(int argc, char** argv) {
  using namespace strictmx::bench;
  const Options options(argc, argv, kOptions);
  const unsigned long senders = options.number("senders");
  const Load load{options.text("socket"), options.number("count") / senders,
                  options.number("domains"), options.number("per-mille-failed"),
                  static_cast<double>(options.number("rate")) / static_cast<double>(senders)};
  std::vector<Outcome> outcomes(senders);
  std::vector<std::thread> threads;
  const auto start = Clock::now();
  for (unsigned i = 0; i < senders; ++i) {
    threads.emplace_back([&, i] { outcomes[i] = send_all(load, i); });
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
