// bare_client.cc - the limit for first-time resolution: bare DNS, TLS and GET for each domain.
//
// Each of the `--concurrent` slots takes the next domain when it is done with one:
//
//   kTxt -> kAddress (A and AAAA at once) -> kTls -> kBody -> next domain
//
// One thread, one epoll set, one UDP socket, one SSL_CTX. Chain and host name are verified; nothing
// is parsed that the next step does not need. Ends with failure at the first domain that fails.
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

#include "bench_world.h"
#include "dns_message.h"
#include "options.h"
#include "sockets.h"
#include "tls_handles.h"

namespace strictmx::bench {
namespace {

constexpr std::uint64_t kUdpTag = UINT64_MAX;
constexpr int kSilenceMilliseconds = 5000;
constexpr std::size_t kMaxAnswerBytes = 65536;

enum class Step { kTxt, kAddress, kTls, kBody };
// Low two bits of a query's id; the others are the slot.
enum class Query : std::uint16_t { kTxt, kA, kAaaa };

struct Slot {
  Step step = Step::kTxt;
  unsigned number = 0;
  int answers_missing = 0;
  std::uint32_t address = 0;
  Fd fd;
  TlsHandle<SSL> ssl;
  std::string answer;
};

TlsHandle<SSL_CTX> make_context(const std::string& ca_file) {
  TlsHandle<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_read_ahead(context.get(), 1);  // A third of the reads that it makes otherwise.
  if (SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) != 1) die(ca_file);
  return context;
}

class BareClient {
 public:
  BareClient(const Options& options)
      : first_(static_cast<unsigned>(options.number("first"))),
        end_(first_ + static_cast<unsigned>(options.number("domains"))),
        next_(first_),
        port_(htons(static_cast<std::uint16_t>(options.number("port")))),
        udp_(connect_udp(parse_endpoint(options.text("dns")))),
        context_(make_context(options.text("ca"))),
        slots_(options.number("concurrent")) {
    epoll_.add(udp_, EPOLLIN, kUdpTag);
  }

  void run() {
    for (std::size_t slot = 0; slot < slots_.size() && next_ != end_; ++slot) start(slot);
    std::array<epoll_event, 256> events;
    while (done_ != end_ - first_) {
      const int count =
          epoll_wait(epoll_.get(), events.data(), events.size(), kSilenceMilliseconds);
      if (count == 0) die("no answer for five seconds");
      for (int i = 0; i < count; ++i) {
        const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
        if (tag == kUdpTag) {
          read_dns();
        } else if (slots_[tag].ssl != nullptr) {
          advance(tag);
        }
      }
    }
  }

 private:
  void ask(std::size_t slot, Query query, const std::string& name, DnsType type) {
    const auto id = static_cast<std::uint16_t>(slot << 2 | static_cast<std::uint16_t>(query));
    build_query(query_, id, name, type);
    if (send(udp_.get(), query_.data(), query_.size(), 0) < 0) die("send");
  }

  void start(std::size_t slot) {
    const unsigned number = next_++;
    slots_[slot].number = number;
    slots_[slot].step = Step::kTxt;
    const std::string domain = domain_name(DomainKind::kWithPolicy, number);
    ask(slot, Query::kTxt, std::string("_mta-sts.").append(domain), DnsType::kTxt);
  }

  void read_dns() {
    std::array<std::uint8_t, 1500> answer;
    for (;;) {
      const ssize_t count = recv(udp_.get(), answer.data(), answer.size(), 0);
      if (count < 0) return;
      if (static_cast<std::size_t>(count) < kDnsHeaderBytes) die("short DNS answer");
      take_answer({answer.data(), static_cast<std::size_t>(count)});
    }
  }

  void take_answer(std::span<const std::uint8_t> answer) {
    const std::uint16_t id = read_u16(answer, 0);
    const std::size_t at = id >> 2;
    Slot& slot = slots_.at(at);
    const auto query = static_cast<Query>(id & 3);
    const bool has_data = read_u16(answer, 6) != 0;
    if (query == Query::kTxt) {
      if (!has_data) die("no TXT record");
      const std::string host = policy_host(slot.number);
      slot.step = Step::kAddress;
      slot.answers_missing = 2;
      ask(at, Query::kA, host, DnsType::kA);
      ask(at, Query::kAaaa, host, DnsType::kAaaa);
      return;
    }
    if (query == Query::kA && has_data) slot.address = first_address(answer);
    if (--slot.answers_missing == 0) connect(at);
  }

  // The only record there is: after the question a pointer, type, class, TTL and length.
  static std::uint32_t first_address(std::span<const std::uint8_t> answer) {
    static Question question;
    if (!read_question(answer, question) || question.end + 16 > answer.size()) die("bad A record");
    std::uint32_t address;
    std::memcpy(&address, &answer[question.end + 12], sizeof(address));
    return address;
  }

  void connect(std::size_t at) {
    Slot& slot = slots_[at];
    const std::string host = policy_host(slot.number);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = port_;
    address.sin_addr.s_addr = slot.address;
    slot.fd = start_tcp(address);
    slot.ssl.reset(SSL_new(context_.get()));
    SSL_set_fd(slot.ssl.get(), slot.fd.get());
    SSL_set_tlsext_host_name(slot.ssl.get(), host.c_str());
    SSL_set1_host(slot.ssl.get(), host.c_str());
    slot.step = Step::kTls;
    slot.answer.clear();
    epoll_.add(slot.fd, EPOLLIN | EPOLLOUT | EPOLLET, at);
  }

  void advance(std::size_t at) {
    Slot& slot = slots_[at];
    if (slot.step == Step::kTls) {
      const int result = SSL_connect(slot.ssl.get());
      if (result != 1) return expect_more(slot, result);
      send_request(slot);
    }
    read_body(at);
  }

  void expect_more(const Slot& slot, int result) {
    const int error = SSL_get_error(slot.ssl.get(), result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
    ERR_print_errors_fp(stderr);
    die("TLS with " + policy_host(slot.number));
  }

  void send_request(Slot& slot) {
    const std::string request =
        "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: " + policy_host(slot.number) +
        "\r\nConnection: close\r\n\r\n";
    const int length = static_cast<int>(request.size());
    if (SSL_write(slot.ssl.get(), request.data(), length) != length) die("SSL_write");
    slot.step = Step::kBody;
  }

  // Everything up to the server's close_notify.
  void read_body(std::size_t at) {
    Slot& slot = slots_[at];
    std::array<char, 4096> buffer;
    for (;;) {
      const int count = SSL_read(slot.ssl.get(), buffer.data(), static_cast<int>(buffer.size()));
      if (count > 0) {
        slot.answer.append(buffer.data(), static_cast<std::size_t>(count));
        if (slot.answer.size() > kMaxAnswerBytes) die("answer too long");
      } else if (SSL_get_error(slot.ssl.get(), count) == SSL_ERROR_ZERO_RETURN) {
        return finish(at);
      } else {
        return expect_more(slot, count);
      }
    }
  }

  void finish(std::size_t at) {
    Slot& slot = slots_[at];
    if (!slot.answer.starts_with("HTTP/1.1 200 ") ||
        !slot.answer.ends_with(policy_text(slot.number))) {
      die("wrong policy from " + policy_host(slot.number));
    }
    slot.ssl.reset();
    slot.fd.close();
    ++done_;
    if (next_ != end_) start(at);
  }

  const unsigned first_;
  const unsigned end_;
  unsigned next_;
  unsigned done_ = 0;
  const in_port_t port_;
  Fd udp_;
  TlsHandle<SSL_CTX> context_;
  std::vector<Slot> slots_;
  Epoll epoll_;
  std::vector<std::uint8_t> query_;
};

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

constexpr OptionSpec kOptions[] = {{"dns", "127.0.0.1:53", "name server"},
                                   {"port", "443", "port of the policy hosts"},
                                   {"ca", "bench-ca.pem", "file with the root certificate"},
                                   {"first", "0", "number of the first domain"},
                                   {"domains", "10000", "how many domains to resolve"},
                                   {"concurrent", "64", "domains in flight at once"}};

}  // namespace
}  // namespace strictmx::bench

int main(int argc, char** argv) {
  using namespace strictmx::bench;
  using Clock = std::chrono::steady_clock;
  const Options options(argc, argv, kOptions);
  std::signal(SIGPIPE, SIG_IGN);
  BareClient client(options);
  const double cpu_before = own_cpu_seconds();
  const Clock::time_point start = Clock::now();
  client.run();
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  const auto domains = static_cast<double>(options.number("domains"));
  std::printf("domains %.0f\nseconds %.3f\ndomains_per_second %.1f\ncpu_us_per_domain %.1f\n",
              domains, elapsed, domains / elapsed,
              (own_cpu_seconds() - cpu_before) * 1e6 / domains);
}
