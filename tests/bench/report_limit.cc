// report_limit.cc - the limit for reports: the same reports built, signed and sent by one thread
// that keeps nothing.
//
// Makes the report of each domain as result_load tells of it, JSON and gzip, with the functions of
// common/; writes them into a folder; makes the mails, unsigned and signed; then sends the signed
// ones over one connection, one after the other. Prints the seconds of each step as figures by
// name.
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/text_hash.h"
#include "common/dkim/signer.h"
#include "common/reporting/report_builder.h"
#include "common/reporting/report_sender.h"
#include "options.h"
#include "sockets.h"

namespace strictmx::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kFrom = "reports@bench.test";
constexpr const char* kMailbox = "reports@sink.test";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

base::DomainName parsed(const std::string& name) {
  auto domain = base::DomainName::parse(name);
  if (!domain.ok()) die(name);
  return std::move(domain).value();
}

reporting::DomainResults results_of(unsigned long number, reporting::DayNumber day) {
  using tlsrpt::ResultType;
  const std::string domain = "d" + std::to_string(number) + ".test";
  const std::string host = "mx1." + domain;
  reporting::StoredPolicy policy;
  policy.policy.type = tlsrpt::PolicyType::kSts;
  policy.policy.domain = domain;
  policy.policy.strings = {"version: STSv1", "mode: enforce", "mx: " + host, "max_age: 604800"};
  policy.policy.mx_hosts = {host};
  policy.sessions.failed = 3;
  for (const ResultType type : {ResultType::kCertificateExpired, ResultType::kStarttlsNotSupported,
                                ResultType::kCertificateHostMismatch}) {
    tlsrpt::FailureDetails details;
    details.type = type;
    details.sending_mta_ip = "192.0.2.1";
    details.receiving_mx_hostname = host;
    details.receiving_mx_helo =
        "250-" + host + "\\r\\n250-PIPELINING\\r\\n250-STARTTLS\\r\\n250 SIZE 10000000";
    details.receiving_ip = "198.51.100.7";
    policy.failures.push_back({details, 1});
  }
  return {day, domain, {policy}, 0};
}

std::vector<reporting::Delivery> build_all(unsigned long domains) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const reporting::DayNumber yesterday = now.time_since_epoch().count() / 86400 - 1;
  std::vector<reporting::Delivery> reports;
  for (unsigned long number = 0; number < domains; ++number) {
    const auto results = results_of(number, yesterday);
    auto built =
        reporting::build_report(results, {"Bench", kFrom},
                                reporting::report_id(base::HashKey{}, yesterday, results.domain));
    if (!built.ok()) die(built.error().detail);
    reports.push_back({parsed(results.domain), std::string("mailto:") + kMailbox,
                       reporting::Origin::kRule, now,
                       std::make_shared<const std::string>(std::move(built).value())});
  }
  return reports;
}

std::vector<std::string> compose_all(const std::vector<reporting::Delivery>& reports,
                                     const reporting::MailAuthor& author) {
  std::vector<std::string> mails;
  for (const reporting::Delivery& report : reports) {
    auto mail = reporting::compose_mail(author, report, kMailbox);
    if (!mail.ok()) die(mail.error().detail);
    mails.push_back(std::move(mail).value());
  }
  return mails;
}

void write_all(const std::vector<reporting::Delivery>& reports, const std::string& folder) {
  for (const reporting::Delivery& report : reports) {
    const auto written = reporting::write_to_folder(folder, report);
    if (!written.ok()) die(written.error().detail);
  }
}

// A connection that sends one line or text, reads one reply, and so on.
class Connection {
 public:
  explicit Connection(const sockaddr_in& server)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) {
      die("connect");
    }
    await('2');
  }

  void exchange(std::string_view words, char wanted) {
    while (!words.empty()) {
      const ssize_t count = send(fd_.get(), words.data(), words.size(), MSG_NOSIGNAL);
      if (count <= 0) die("send");
      words.remove_prefix(static_cast<std::size_t>(count));
    }
    await(wanted);
  }

 private:
  void await(char wanted) {
    std::array<char, 512> reply;
    const ssize_t count = recv(fd_.get(), reply.data(), reply.size(), 0);
    if (count <= 0 || reply[0] != wanted) die("reply of the SMTP server");
  }

  Fd fd_;
};

void send_all(const std::string& server, const std::vector<std::string>& mails) {
  Connection connection(parse_endpoint(server));
  connection.exchange("EHLO bench.test\r\n", '2');
  for (const std::string& mail : mails) {
    connection.exchange(std::string("MAIL FROM:<") + kFrom + ">\r\n", '2');
    connection.exchange(std::string("RCPT TO:<") + kMailbox + ">\r\n", '2');
    connection.exchange("DATA\r\n", '3');
    connection.exchange(mail + ".\r\n", '2');  // no line of a report mail begins with a dot
  }
  connection.exchange("QUIT\r\n", '2');
}

reporting::MailAuthor signing_author(const std::string& key_file) {
  auto key = dkim::PrivateKey::load(key_file);
  if (!key.ok()) die(key.error().detail);
  std::vector<dkim::SigningKey> keys;
  keys.push_back({std::move(key).value(), "bench"});
  auto signer = dkim::Signer::create(parsed("bench.test"), std::move(keys));
  if (!signer.ok()) die(signer.error().detail);
  return {kFrom, std::make_shared<const dkim::Signer>(std::move(signer).value())};
}

constexpr OptionSpec kOptions[] = {{"domains", "10000", "reports"},
                                   {"folder", "", "where the reports are written"},
                                   {"key", "", "file of the key that signs"},
                                   {"server", "127.0.0.1:2525", "ADDRESS:PORT of an SMTP server"}};

}  // namespace
}  // namespace strictmx::bench

int main(int argc, char** argv) {
  using namespace strictmx::bench;
  const Options options(argc, argv, kOptions);
  const auto author = signing_author(options.text("key"));
  auto start = Clock::now();
  const auto reports = build_all(options.number("domains"));
  std::printf("build_seconds %.3f\n", seconds_since(start));
  start = Clock::now();
  write_all(reports, options.text("folder"));
  std::printf("write_seconds %.3f\n", seconds_since(start));
  start = Clock::now();
  compose_all(reports, {kFrom, nullptr});
  std::printf("compose_seconds %.3f\n", seconds_since(start));
  start = Clock::now();
  const auto mails = compose_all(reports, author);
  std::printf("compose_signed_seconds %.3f\n", seconds_since(start));
  start = Clock::now();
  send_all(options.text("server"), mails);
  std::printf("smtp_seconds %.3f\n", seconds_since(start));
}
