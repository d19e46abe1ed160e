// report_crash_tool.cc - what strictmxd does with results and reports, in a time that runs fast,
// for report_crash_test.py to kill.
//
// Use: report_crash_tool FOLDER EPOCH SPEED SEED   a socket for results is descriptor 3. The clock
//   shows midnight of day 20000 at EPOCH (Unix seconds, a fraction allowed) and runs SPEED times as
//   fast. Every domain asks for reports at two places; the look-up fails now and then.
// Recipients: take a report by appending a line to FOLDER/outbox, "DOMAIN URI DATE BASE64", and
// then
//   fail, hang or answer by chance: what was taken may come again. FOLDER/ready is written once.
// Exit: SIGTERM ends it in order (0); 1 with the reason on stderr.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/base/base64.h"
#include "common/base/log.h"
#include "common/reporting/reporter.h"
#include "common/reporting/result_store.h"
#include "common/service/result_socket.h"
#include "common/store/sqlite_database.h"
#include "tests/fakes/txt_resolver.h"

namespace {

namespace base = strictmx::base;
namespace dns = strictmx::dns;
namespace reporting = strictmx::reporting;
namespace service = strictmx::service;
namespace store = strictmx::store;

constexpr int kResultSocket = 3;
constexpr long long kFirstDay = 20000;
constexpr double kSecondsADay = 86400;
constexpr std::chrono::milliseconds kEndCheck{5};
constexpr std::chrono::minutes kSlack{15};

// Both times run fast; from any thread.
class FastClock : public base::Clock {
 public:
  FastClock(double epoch, double speed) : epoch_(epoch), speed_(speed) {}
  base::WallTime now() const override {
    const double passed = (seconds(CLOCK_REALTIME) - epoch_) * speed_;
    return base::WallTime(
        std::chrono::seconds(static_cast<long long>(kFirstDay * kSecondsADay + passed)));
  }
  base::SteadyTime steady() const override {
    return base::SteadyTime(
        std::chrono::microseconds(static_cast<long long>(seconds(CLOCK_MONOTONIC) * speed_ * 1e6)));
  }

 private:
  static double seconds(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  }
  double epoch_;
  double speed_;
};

class AskingDomains : public strictmx::fakes::TxtResolver {
 public:
  AskingDomains(base::EventLoop& loop, std::mt19937& chance) : loop_(loop), chance_(chance) {}
  void txt(const std::string& name, dns::DnsCallback<std::string> callback) override {
    const std::string domain = name.substr(std::string("_smtp._tls.").size());
    dns::DnsResult<std::string> result = dns::DnsAnswer<std::string>{
        {"v=TLSRPTv1; rua=mailto:tls@" + domain + ",https://in." + domain + "/tls"},
        std::chrono::seconds(300)};
    if (chance_() % 4 == 0) result = base::fail(dns::DnsError::kTimeout, "made to fail");
    loop_.post([callback = std::move(callback), result] { callback(result); });
  }

 private:
  base::EventLoop& loop_;
  std::mt19937& chance_;
};

class Outbox : public reporting::ReportSender {
 public:
  Outbox(base::EventLoop& loop, const std::string& path, std::mt19937& chance)
      : loop_(loop),
        file_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)),
        chance_(chance) {}

  void send(const reporting::Delivery& delivery, const Callback& callback) override {
    const unsigned fate = chance_() % 10;
    if (fate <= 7) take(delivery);
    if (fate == 9) return hang(callback);
    loop_.post([callback, is_told = fate < 7] {
      if (is_told) return callback(base::done());
      callback(base::fail(reporting::SubmissionError::kTemporary, "made to fail"));
    });
  }

 private:
  void take(const reporting::Delivery& delivery) {
    const std::string line = delivery.domain.text() + " " + delivery.uri + " " +
                             base::format_utc(delivery.created) + " " +
                             base::base64_encode(*delivery.bytes) + "\n";
    if (write(file_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      std::abort();
    }
  }
  // Until somebody's patience ends.
  void hang(const Callback& callback) {
    timers_.push_back(std::make_unique<base::Timer>(loop_, [callback] {
      callback(base::fail(reporting::SubmissionError::kTimeout, "made to hang"));
    }));
    timers_.back()->start(std::chrono::milliseconds(20));
  }

  base::EventLoop& loop_;
  base::UniqueDescriptor file_;
  std::mt19937& chance_;
  std::vector<std::unique_ptr<base::Timer>> timers_;
};

reporting::ReporterSettings reporter_settings() {
  reporting::ReporterSettings settings;
  settings.is_on = true;
  settings.author = {"Example Mail", "tls@sender.test"};
  settings.max_recipients = 8;
  settings.max_mails_to_mailbox = 1000;
  settings.look_interval = std::chrono::milliseconds(3);
  return settings;
}

int fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  return 1;
}

int run(const std::string& folder, double epoch, double speed, unsigned seed) {
  const FastClock clock(epoch, speed);
  std::mt19937 chance(seed);
  auto loop = std::move(base::EventLoop::create()).value();
  auto opened = store::SqliteDatabase::open(*loop, folder + "/strictmx.db", [] {});
  if (!opened.ok()) return fail(opened.error().detail);
  auto database = std::move(opened).value();
  reporting::ResultStore results(*loop, *database, clock,
                                 {std::chrono::days(30), folder + "/broken"});
  AskingDomains resolver(*loop, chance);
  Outbox outbox(*loop, folder + "/outbox", chance);
  base::WorkerPool builders(*loop, 1, reporting::kMaxUnderWay);
  reporting::Reporter reporter(*loop, *database, clock, resolver, outbox, builders);
  reporter.set_settings(reporter_settings());
  // What is received just before midnight is applied just after it; here the seconds in between,
  // for which reports wait in any case, are shorter than that.
  reporter.set_completeness([&results] {
    results.apply_soon();
    return results.complete_until() - kSlack;
  });
  results.set_on_caught_up([&] {
    reporter.start();
    const base::UniqueDescriptor ready(
        open((folder + "/ready").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  });
  std::shared_ptr<reporting::Spool> spool;
  std::unique_ptr<service::ResultSocket> receiver;
  std::string problem;
  results.load([&](const auto& position) {
    if (position.ok()) {
      auto made = reporting::Spool::open({.folder = folder + "/spool"}, clock, position.value());
      if (made.ok()) spool = std::move(made).value();
      if (!made.ok()) problem = made.error().detail;
    } else {
      problem = position.error().detail;
    }
    if (spool == nullptr) return loop->stop();
    results.start(spool);
    std::vector<base::UniqueDescriptor> sockets;
    sockets.emplace_back(kResultSocket);
    receiver = std::make_unique<service::ResultSocket>(*loop, spool, std::move(sockets),
                                                       [&results] { results.apply_soon(); });
  });
  base::Timer* again = nullptr;
  base::Timer end(*loop, [&] {
    if (results.is_idle() && reporter.is_idle()) return loop->stop();
    again->start(kEndCheck);
  });
  again = &end;
  const base::SignalWatch terminate(*loop, SIGTERM, [&] {
    receiver.reset();
    results.apply_soon();
    reporter.stop();
    end.start(kEndCheck);
  });
  loop->run();
  return problem.empty() ? 0 : fail(problem);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 5) return fail("wants FOLDER EPOCH SPEED SEED");
    if (!base::log_open("report_crash_tool", "error", "stderr").ok()) return fail("no log");
    return run(argv[1], std::atof(argv[2]), std::atof(argv[3]),
               static_cast<unsigned>(std::atoi(argv[4])));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
