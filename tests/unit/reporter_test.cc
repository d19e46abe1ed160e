// reporter_test.cc - daily reports over a real store; DNS, recipients and the clock are made up.
#include "common/reporting/reporter.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/reporting/report_schedule.h"
#include "common/reporting/result_rows.h"
#include "common/reporting/result_text.h"
#include "common/store/sqlite_database.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/txt_resolver.h"

namespace strictmx::reporting {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// Answers at once, yet never inside the call.
class PromptResolver : public fakes::TxtResolver {
 public:
  explicit PromptResolver(base::EventLoop& loop) : loop_(loop) {}
  std::map<std::string, dns::DnsResult<std::string>> records;
  int asked = 0;

  void set_rua(const std::string& domain, const std::string& rua) {
    records.insert_or_assign("_smtp._tls." + domain,
                             dns::DnsAnswer<std::string>{{"v=TLSRPTv1; rua=" + rua}, minutes(5)});
  }
  void fail(const std::string& domain, dns::DnsError error) {
    records.insert_or_assign("_smtp._tls." + domain, base::fail(error, "made to fail"));
  }
  void withdraw(const std::string& domain) { records.erase("_smtp._tls." + domain); }

  void txt(const std::string& name, dns::DnsCallback<std::string> callback) override {
    ++asked;
    const auto found = records.find(name);
    dns::DnsResult<std::string> result = dns::DnsAnswer<std::string>{};
    if (found != records.end()) result = found->second;
    loop_.post([callback = std::move(callback), result] { callback(result); });
  }

 private:
  base::EventLoop& loop_;
};

struct Sent {
  std::string uri;
  std::string domain;
  std::string bytes;
  base::WallTime created{};
  Origin origin = Origin::kRecord;
};

class RecordingSender : public ReportSender {
 public:
  explicit RecordingSender(base::EventLoop& loop) : loop_(loop) {}
  std::vector<Sent> attempts;
  std::map<std::string, SubmissionError> failing;  // by uri

  void send(const Delivery& delivery, const Callback& callback) override {
    attempts.push_back(
        {delivery.uri, delivery.domain.text(), *delivery.bytes, delivery.created, delivery.origin});
    base::Outcome<SubmissionError> outcome = base::done();
    const auto found = failing.find(delivery.uri);
    if (found != failing.end()) outcome = base::fail(found->second, "made to fail");
    loop_.post([callback, outcome] { callback(outcome); });
  }

 private:
  base::EventLoop& loop_;
};

// Fails writes as told; reads go on.
class UnreliableDatabase : public store::Database {
 public:
  UnreliableDatabase(base::EventLoop& loop, store::Database& database)
      : loop_(loop), database_(database) {}
  std::function<bool()> fails = [] { return false; };

  void submit(store::Pace pace, store::Work work, store::Done done) override {
    if (!fails()) {
      database_.submit(pace, std::move(work), std::move(done));
      return;
    }
    loop_.post([done = std::move(done)] {
      done(base::fail(store::StoreError::kFull, "made to be full"));
    });
  }

 private:
  base::EventLoop& loop_;
  store::Database& database_;
};

class DailyReports : public testing::Test {
 protected:
  DailyReports() {
    char folder[] = "/tmp/strictmx-reports-XXXXXX";
    folder_ = mkdtemp(folder);
    [[maybe_unused]] const auto opened = base::log_open("test", "error", "stderr");
    settings_.is_on = true;
    settings_.author = {"Example Mail", "tls@sender.test"};
    settings_.max_recipients = 8;
    settings_.max_mails_to_mailbox = 1000;
    settings_.look_interval = std::chrono::milliseconds(2);
    open_store();
  }
  ~DailyReports() override {
    reporter_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  void open_store() {
    auto opened = store::SqliteDatabase::open(*loop_, folder_ + "/strictmx.db", [] {});
    ASSERT_TRUE(opened.ok()) << opened.error().detail;
    database_ = std::move(opened).value();
    unreliable_ = std::make_unique<UnreliableDatabase>(*loop_, *database_);
  }
  void start() {
    reporter_ = std::make_unique<Reporter>(*loop_, *unreliable_, clock_, resolver_, sender_, pool_);
    reporter_->set_settings(settings_);
    reporter_->start();
  }
  void restart() {
    reporter_.reset();
    start();
  }

  DayNumber today() const { return day_of(clock_.now()); }

  template <class T>
  T in_store(const std::function<StoreResult<T>(store::Transaction&)>& read) {
    std::optional<T> value;
    read_with<T>(*database_, read, [&](const StoreResult<T>& result) {
      EXPECT_TRUE(result.ok());
      if (result.ok()) value = result.value();
    });
    run_until([&] { return value.has_value(); });
    return *value;
  }
  void add_results(DayNumber day, const std::string& domain, std::uint64_t succeeded = 1,
                   std::uint64_t failed = 0) {
    tlsrpt::AppliedPolicy policy;
    policy.domain = domain;
    ResultBatch::Rows rows;
    ResultBatch::Counters& counters = rows[{day, domain}];
    ResultBatch::Failures& failures = counters[write_policy(policy, domain)];
    failures[""] = {succeeded, failed};
    if (failed > 0) failures[write_failure({})] = {0, failed};
    in_store<bool>([rows](store::Transaction& transaction) -> StoreResult<bool> {
      auto key = read_text_key(transaction);
      if (!key.ok()) return key.error();
      auto written = write_rows(transaction, key.value(), rows);
      if (!written.ok()) return written.error();
      return true;
    });
  }
  // d0.test and so on, with a result of yesterday and a record.
  void add_domains(int count) {
    ResultBatch::Rows rows;
    for (int i = 0; i < count; ++i) {
      const std::string domain = "d" + std::to_string(i) + ".test";
      resolver_.set_rua(domain, "mailto:tls@" + domain);
      tlsrpt::AppliedPolicy policy;
      policy.domain = domain;
      rows[{today() - 1, domain}][write_policy(policy, domain)][""] = {1, 0};
    }
    in_store<bool>([rows](store::Transaction& transaction) -> StoreResult<bool> {
      auto key = read_text_key(transaction);
      if (!key.ok()) return key.error();
      auto written = write_rows(transaction, key.value(), rows);
      if (!written.ok()) return written.error();
      return true;
    });
  }
  std::optional<ReportRow> row(DayNumber day, const std::string& domain) {
    return in_store<std::optional<ReportRow>>(
        [day, domain](store::Transaction& transaction) -> StoreResult<std::optional<ReportRow>> {
          auto found = read_report(transaction, day, domain);
          if (!found.ok() || !found.value().has_value()) return found;
          auto recipients = read_recipients(transaction, found.value()->id);
          if (!recipients.ok()) return recipients.error();
          found.value()->recipients = std::move(recipients).value();
          return found;
        });
  }
  ReportState state(DayNumber day, const std::string& domain) {
    const auto found = row(day, domain);
    EXPECT_TRUE(found.has_value());
    return found.has_value() ? found->state : ReportState::kGivenUp;
  }
  std::string why(DayNumber day, const std::string& domain) {
    const auto found = row(day, domain);
    return found.has_value() ? found->why : "no row";
  }

  void run_until(const std::function<bool()>& is_done) {
    int left = 20000;  // far more than is needed, under valgrind too
    base::Timer tick(*loop_, [&] {
      if (is_done() || --left == 0) {
        loop_->stop();
      } else {
        tick_->start(std::chrono::milliseconds(1));
      }
    });
    tick_ = &tick;
    tick.start(std::chrono::milliseconds(0));
    loop_->run();
    EXPECT_GT(left, 0) << "did not come";
  }
  // Long enough for several looks, and for everything under way to end.
  void settle() {
    int looks = 0;
    run_until([&] { return ++looks > 25 && reporter_->is_idle(); });
  }
  // Until yesterday's report of this domain is planned: by name, a page of domains at a time.
  void settle_until_planned(const std::string& domain) {
    while (!row(today() - 1, domain).has_value() && !HasFailure()) settle();
  }
  void pass(seconds span) {
    clock_.advance(span);
    settle();
  }

  std::uint64_t send_now(DayNumber day, const std::string& domain) {
    std::optional<std::uint64_t> rows;
    reporter_->send_now(day, domain, [&](const StoreResult<std::uint64_t>& moved) {
      ASSERT_TRUE(moved.ok());
      rows = moved.value();
    });
    run_until([&] { return rows.has_value(); });
    settle();
    return *rows;
  }

  std::string folder_;
  std::unique_ptr<base::EventLoop> loop_ = std::move(base::EventLoop::create()).value();
  fakes::FakeClock clock_;
  PromptResolver resolver_{*loop_};
  RecordingSender sender_{*loop_};
  base::WorkerPool pool_{*loop_, 2, kMaxUnderWay};
  ReporterSettings settings_;
  std::unique_ptr<store::SqliteDatabase> database_;
  std::unique_ptr<UnreliableDatabase> unreliable_;
  std::unique_ptr<Reporter> reporter_;
  base::Timer* tick_ = nullptr;
};

TEST_F(DailyReports, AreSentOnceWhenTheirTimeHasCome) {
  resolver_.set_rua("a.test", "mailto:tls@a.test,https://r.a.test/in");
  start();
  add_results(today(), "a.test", 3, 1);
  settle();
  EXPECT_TRUE(sender_.attempts.empty());
  clock_.advance(hours(12));  // midnight
  settle();
  const auto planned = row(today() - 1, "a.test");
  ASSERT_TRUE(planned.has_value());
  EXPECT_GT(planned->next_at, day_start(today()));
  EXPECT_LE(planned->next_at, day_start(today()) + hours(4));
  EXPECT_TRUE(sender_.attempts.empty());
  pass(planned->next_at - clock_.now() - seconds(1));
  EXPECT_TRUE(sender_.attempts.empty());
  EXPECT_EQ(resolver_.asked, 0);  // the record counts when the report is due
  pass(seconds(1));
  ASSERT_EQ(sender_.attempts.size(), 2U);
  EXPECT_EQ(sender_.attempts[0].bytes, sender_.attempts[1].bytes);
  const auto report = read_built_report(sender_.attempts[0].bytes);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report.value().contact_info, "tls@sender.test");
  EXPECT_EQ(report.value().policies.at(0).successful, 3U);
  EXPECT_EQ(report.value().policies.at(0).failed, 1U);
  EXPECT_EQ(tlsrpt::range_text(report.value()), day_text(today() - 1));
  EXPECT_EQ(state(today() - 1, "a.test"), ReportState::kDone);
  pass(hours(30));
  restart();
  settle();
  EXPECT_EQ(sender_.attempts.size(), 2U);
}

TEST_F(DailyReports, GoToNobodyWhoDoesNotAskWhenTheyAreDue) {
  resolver_.set_rua("late.test", "mailto:tls@late.test");
  start();
  add_results(today(), "never.test");
  add_results(today(), "late.test");
  clock_.advance(hours(12));
  settle();
  resolver_.withdraw("late.test");
  pass(hours(4));
  EXPECT_TRUE(sender_.attempts.empty());
  for (const char* domain : {"never.test", "late.test"}) {
    EXPECT_EQ(state(today() - 1, domain), ReportState::kNotSent);
    EXPECT_EQ(why(today() - 1, domain), "no TLSRPT record");
  }
}

TEST_F(DailyReports, FollowARecordThatChanged) {
  resolver_.set_rua("a.test", "mailto:old@a.test");
  add_results(today() - 1, "a.test");
  start();
  settle();
  resolver_.set_rua("a.test", "mailto:new@a.test");
  pass(kMakeUpSpread);
  ASSERT_EQ(sender_.attempts.size(), 1U);
  EXPECT_EQ(sender_.attempts[0].uri, "mailto:new@a.test");
}

TEST_F(DailyReports, WaitForADnsThatFailsAndAreGivenUpAfterADay) {
  resolver_.fail("a.test", dns::DnsError::kTimeout);
  resolver_.fail("b.test", dns::DnsError::kBogus);
  add_results(today() - 1, "a.test");
  add_results(today() - 1, "b.test");
  const DayNumber day = today() - 1;
  start();
  settle();
  pass(kMakeUpSpread);
  EXPECT_EQ(state(day, "a.test"), ReportState::kWaiting);
  EXPECT_NE(why(day, "a.test").find("made to fail"), std::string::npos);
  resolver_.set_rua("b.test", "mailto:tls@b.test");
  pass(minutes(5));
  EXPECT_EQ(state(day, "b.test"), ReportState::kDone);
  for (int i = 0; i < 8; ++i) pass(hours(4));
  EXPECT_EQ(state(day, "a.test"), ReportState::kGivenUp);
  EXPECT_EQ(sender_.attempts.size(), 1U);
  const int asked = resolver_.asked;
  pass(hours(8));
  EXPECT_EQ(resolver_.asked, asked);
}

TEST_F(DailyReports, AreTriedAgainWithTheSameBytesAlsoAfterARestart) {
  resolver_.set_rua("a.test", "mailto:tls@a.test,https://r.a.test/in");
  sender_.failing.emplace("https://r.a.test/in", SubmissionError::kTemporary);
  add_results(today() - 1, "a.test");
  const DayNumber day = today() - 1;
  start();
  settle();
  pass(kMakeUpSpread);
  ASSERT_EQ(sender_.attempts.size(), 2U);
  EXPECT_EQ(state(day, "a.test"), ReportState::kSending);
  add_results(day, "a.test", 100);  // too late: it is built
  settings_.author.organization = "Renamed";
  restart();
  pass(minutes(4));
  EXPECT_EQ(sender_.attempts.size(), 2U);
  pass(minutes(1));
  ASSERT_EQ(sender_.attempts.size(), 3U);
  sender_.failing.clear();
  restart();
  pass(minutes(10));
  ASSERT_EQ(sender_.attempts.size(), 4U);
  for (std::size_t i = 2; i < 4; ++i) {
    EXPECT_EQ(sender_.attempts[i].uri, "https://r.a.test/in");
    EXPECT_EQ(sender_.attempts[i].bytes, sender_.attempts[0].bytes);
    EXPECT_EQ(sender_.attempts[i].created, sender_.attempts[0].created);
  }
  EXPECT_EQ(state(day, "a.test"), ReportState::kDone);
}

TEST_F(DailyReports, AreGivenUpByRecipientAfterADay) {
  resolver_.set_rua("a.test", "https://r.a.test/in");
  sender_.failing.emplace("https://r.a.test/in", SubmissionError::kTimeout);
  add_results(today() - 1, "a.test");
  const DayNumber day = today() - 1;
  start();
  settle();
  pass(kMakeUpSpread);
  for (int i = 0; i < 7; ++i) pass(hours(4));
  const auto found = row(day, "a.test");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->state, ReportState::kDone);
  ASSERT_EQ(found->recipients.size(), 1U);
  EXPECT_EQ(found->recipients[0].state, RecipientState::kGivenUp);
  EXPECT_EQ(found->recipients[0].why, "made to fail");
  const std::size_t attempts = sender_.attempts.size();
  EXPECT_GE(attempts, kLeastAttempts);
  pass(hours(8));
  EXPECT_EQ(sender_.attempts.size(), attempts);
}

TEST_F(DailyReports, ARecipientThatRefusesIsLeftAlone) {
  resolver_.set_rua("a.test", "mailto:gone@a.test,https://10.0.0.1/in");
  sender_.failing.emplace("mailto:gone@a.test", SubmissionError::kRefused);
  add_results(today() - 1, "a.test");
  const DayNumber day = today() - 1;
  start();
  settle();
  pass(kMakeUpSpread);
  pass(hours(10));
  EXPECT_EQ(sender_.attempts.size(), 1U);
  const auto found = row(day, "a.test");
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->recipients.size(), 2U);
  EXPECT_EQ(found->recipients[0].state, RecipientState::kRefused);
  EXPECT_EQ(found->recipients[1].state, RecipientState::kRefused);
}

TEST_F(DailyReports, OneMailboxGetsOnlySoMany) {
  settings_.max_mails_to_mailbox = 3;
  for (int i = 0; i < 5; ++i) {
    const std::string domain = "d" + std::to_string(i) + ".test";
    resolver_.set_rua(domain, "mailto:all@host.test");
    add_results(today() - 1, domain);
  }
  start();
  settle();
  pass(kMakeUpSpread);
  EXPECT_EQ(sender_.attempts.size(), 3U);
  int refused = 0;
  for (int i = 0; i < 5; ++i) {
    const auto found = row(today() - 1, "d" + std::to_string(i) + ".test");
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->state, ReportState::kDone);
    ASSERT_EQ(found->recipients.size(), 1U);
    if (found->recipients[0].state != RecipientState::kRefused) continue;
    ++refused;
    EXPECT_NE(found->recipients[0].why.find("max_mails_to_mailbox"), std::string::npos);
  }
  EXPECT_EQ(refused, 2);
}

TEST_F(DailyReports, FollowTheRules) {
  const auto add = [this](RuleTexts texts) {
    auto rule = read_rule(texts);
    ASSERT_TRUE(rule.ok()) << rule.error().detail;
    ASSERT_TRUE(settings_.rules.add(std::move(rule).value()).ok());
  };
  add({"skipped.test", "true", {}, {}});
  add({"own.test", "", {"mailto:me@sender.test"}, {}});
  add({"*", "", {}, {"file:/var/lib/copies"}});
  for (const char* domain : {"skipped.test", "copied.test"}) {
    resolver_.set_rua(domain, std::string("mailto:tls@") + domain);
  }
  for (const char* domain : {"skipped.test", "copied.test", "own.test", "silent.test"}) {
    add_results(today() - 1, domain);
  }
  start();
  settle();
  pass(kMakeUpSpread);
  std::vector<std::string> sent;
  for (const Sent& one : sender_.attempts) sent.push_back(one.domain + " " + one.uri);
  std::sort(sent.begin(), sent.end());
  EXPECT_EQ(sent, (std::vector<std::string>{"copied.test file:/var/lib/copies",
                                            "copied.test mailto:tls@copied.test",
                                            "own.test mailto:me@sender.test"}));
  for (const Sent& one : sender_.attempts) {
    EXPECT_EQ(one.origin, one.uri == "mailto:tls@copied.test" ? Origin::kRecord : Origin::kRule);
  }
  EXPECT_EQ(why(today() - 1, "skipped.test"), "a rule skips it");
}

TEST_F(DailyReports, OnlyFailuresWhereThatIsWanted) {
  settings_.only_failures = true;
  for (const char* domain : {"good.test", "bad.test"}) {
    resolver_.set_rua(domain, std::string("mailto:tls@") + domain);
  }
  add_results(today() - 1, "good.test", 5, 0);
  add_results(today() - 1, "bad.test", 5, 1);
  start();
  settle();
  pass(kMakeUpSpread);
  ASSERT_EQ(sender_.attempts.size(), 1U);
  EXPECT_EQ(sender_.attempts[0].domain, "bad.test");
  EXPECT_EQ(state(today() - 1, "good.test"), ReportState::kNotSent);
}

// Each report mail is a session with the reader's domain, which a server may count.
TEST_F(DailyReports, DoNotTriggerReports) {
  settings_.ignores_own_mails = true;
  resolver_.set_rua("a.test", "mailto:tls@a.test");
  add_results(today() - 1, "a.test");
  start();
  settle();
  pass(kMakeUpSpread);
  ASSERT_EQ(sender_.attempts.size(), 1U);
  for (int day = 0; day < 5; ++day) {
    // One session for each mail so far today.
    const std::size_t before = sender_.attempts.size();
    if (day == 0) add_results(today(), "a.test");
    pass(hours(12));
    pass(hours(12));
    EXPECT_EQ(sender_.attempts.size(), before) << day;
  }
  // A session more is one that somebody wants to hear of.
  add_results(today(), "a.test", 1);
  pass(hours(12));
  pass(hours(12));
  EXPECT_EQ(sender_.attempts.size(), 2U);
}

TEST_F(DailyReports, WhatPassedWhileReportsWereOffIsNotMadeUpFor) {
  resolver_.set_rua("a.test", "mailto:tls@a.test");
  settings_.is_on = false;
  for (int i = 1; i < 5; ++i) add_results(today() - i, "a.test");
  start();
  pass(hours(30));
  EXPECT_TRUE(sender_.attempts.empty());
  add_results(today(), "a.test");
  settings_.is_on = true;
  reporter_->set_settings(settings_);
  settle();
  pass(hours(8));
  EXPECT_TRUE(sender_.attempts.empty());
  pass(hours(24));
  EXPECT_EQ(sender_.attempts.size(), 1U);
}

TEST_F(DailyReports, MissedNightsAreMadeUpFor) {
  resolver_.set_rua("a.test", "mailto:tls@a.test");
  for (int i = 1; i < 6; ++i) add_results(today() - i, "a.test", static_cast<unsigned>(i));
  start();
  settle();
  pass(kMakeUpSpread);
  ASSERT_EQ(sender_.attempts.size(), 5U);
  std::map<std::string, std::uint64_t> sessions;
  for (const Sent& one : sender_.attempts) {
    const auto report = read_built_report(one.bytes);
    ASSERT_TRUE(report.ok());
    sessions[tlsrpt::range_text(report.value())] = tlsrpt::totals(report.value()).successful;
  }
  for (int i = 1; i < 6; ++i) EXPECT_EQ(sessions[day_text(today() - i)], static_cast<unsigned>(i));
}

TEST_F(DailyReports, ADomainWhoseResultsCameLateIsStillReported) {
  resolver_.set_rua("a.test", "mailto:tls@a.test");
  resolver_.set_rua("late.test", "mailto:tls@late.test");
  start();
  add_results(today(), "a.test");
  pass(hours(12));
  pass(hours(5));
  EXPECT_EQ(sender_.attempts.size(), 1U);
  add_results(today() - 1, "late.test");
  pass(minutes(61));
  pass(kMakeUpSpread);
  EXPECT_EQ(sender_.attempts.size(), 2U);
}

TEST_F(DailyReports, TheOperatorSendsThemNowAndAgainWhatWasGivenUp) {
  resolver_.set_rua("a.test", "mailto:tls@a.test,https://r.a.test/in");
  sender_.failing.emplace("https://r.a.test/in", SubmissionError::kTemporary);
  add_results(today() - 1, "a.test");
  const DayNumber day = today() - 1;
  start();
  EXPECT_EQ(send_now(day, "a.test"), 1U);
  EXPECT_EQ(sender_.attempts.size(), 2U);
  for (int i = 0; i < 9; ++i) pass(hours(4));
  EXPECT_EQ(state(day, "a.test"), ReportState::kDone);
  const std::size_t before = sender_.attempts.size();
  sender_.failing.clear();
  EXPECT_EQ(send_now(day, "a.test"), 1U);
  ASSERT_EQ(sender_.attempts.size(), before + 1);
  EXPECT_EQ(sender_.attempts.back().uri, "https://r.a.test/in");
  EXPECT_EQ(sender_.attempts.back().bytes, sender_.attempts.front().bytes);
  EXPECT_EQ(sender_.attempts.back().created, sender_.attempts.front().created);
  EXPECT_EQ(send_now(day, "a.test"), 0U);
  EXPECT_EQ(sender_.attempts.size(), before + 1);
}

// The operator may be impatient; the day that a recipient has to come back is as long as ever.
TEST_F(DailyReports, SendingNowShortensNobodysTime) {
  resolver_.set_rua("a.test", "https://r.a.test/in");
  sender_.failing.emplace("https://r.a.test/in", SubmissionError::kTemporary);
  add_results(today() - 1, "a.test");
  const DayNumber day = today() - 1;
  start();
  settle();
  pass(kMakeUpSpread);
  ASSERT_EQ(sender_.attempts.size(), 1U);
  EXPECT_EQ(send_now(day, "a.test"), 1U);
  EXPECT_EQ(sender_.attempts.size(), 2U);
  for (int i = 0; i < 12; ++i) pass(minutes(30));
  EXPECT_EQ(state(day, "a.test"), ReportState::kSending);
  sender_.failing.clear();
  pass(hours(4));
  EXPECT_EQ(state(day, "a.test"), ReportState::kDone);
}

TEST_F(DailyReports, SendingOneDomainsSendsNoOther) {
  settings_.is_on = false;
  for (const char* domain : {"a.test", "b.test"}) {
    resolver_.set_rua(domain, std::string("mailto:tls@") + domain);
    add_results(today() - 3, domain);
  }
  const DayNumber day = today() - 3;
  start();
  settle();
  settings_.is_on = true;
  reporter_->set_settings(settings_);
  settle();
  EXPECT_EQ(send_now(day, "a.test"), 1U);
  pass(hours(5));
  ASSERT_EQ(sender_.attempts.size(), 1U);
  EXPECT_EQ(sender_.attempts[0].domain, "a.test");
  EXPECT_EQ(send_now(day, "none.test"), 0U);
  EXPECT_EQ(send_now(day, ""), 1U);
  EXPECT_EQ(sender_.attempts.size(), 2U);
}

TEST_F(DailyReports, WhoIsNamedNoMoreGetsNothingWhenItIsBuiltAgain) {
  resolver_.set_rua("a.test", "mailto:old@a.test");
  resolver_.fail("a.test", dns::DnsError::kTimeout);
  add_results(today() - 1, "a.test");
  const DayNumber day = today() - 1;
  start();
  settle();
  // An earlier build that was lost with the store's bytes, as a store from before may have it.
  const auto planned = row(day, "a.test");
  ASSERT_TRUE(planned.has_value());
  ReportRow stale = *planned;
  stale.recipients = {{"mailto:old@a.test", Origin::kRecord, RecipientState::kWaiting, 1, {}, ""}};
  in_store<bool>([stale](store::Transaction& transaction) -> StoreResult<bool> {
    auto written = write_report(transaction, stale);
    if (!written.ok()) return written.error();
    return true;
  });
  resolver_.set_rua("a.test", "mailto:new@a.test,https://r.a.test/in");
  sender_.failing.emplace("https://r.a.test/in", SubmissionError::kTemporary);
  pass(kMakeUpSpread);
  pass(hours(1));
  restart();
  pass(hours(4));
  for (const Sent& one : sender_.attempts) EXPECT_NE(one.uri, "mailto:old@a.test");
  EXPECT_GE(sender_.attempts.size(), 3U);
}

TEST_F(DailyReports, AClockThatWasAheadHoldsNothingUp) {
  resolver_.set_rua("a.test", "mailto:tls@a.test");
  add_results(today() - 1, "a.test");
  const DayNumber day = today() - 1;
  const DayNumber true_today = today();
  clock_.step(hours(24 * 30));
  start();
  settle();
  clock_.step(-hours(24 * 30));
  reporter_->on_clock_step();
  settle();
  pass(kMakeUpSpread);
  ASSERT_EQ(sender_.attempts.size(), 1U);
  EXPECT_EQ(state(day, "a.test"), ReportState::kDone);
  // The real today was closed by the clock that was ahead.
  resolver_.set_rua("b.test", "mailto:tls@b.test");
  add_results(true_today, "b.test");
  pass(hours(17));
  pass(kMakeUpSpread);
  EXPECT_EQ(sender_.attempts.size(), 2U);
}

TEST_F(DailyReports, NothingIsSentTwiceWhileTheStoreIsFull) {
  resolver_.set_rua("a.test", "mailto:tls@a.test");
  add_results(today() - 1, "a.test");
  start();
  settle();
  // The outcome of the attempt is the first write after it.
  unreliable_->fails = [this] { return !sender_.attempts.empty(); };
  clock_.advance(kMakeUpSpread);
  run_until([&] { return reporter_->counters().store_failures > 3; });
  EXPECT_EQ(sender_.attempts.size(), 1U);
  unreliable_->fails = [] { return false; };
  settle();
  EXPECT_EQ(sender_.attempts.size(), 1U);
  EXPECT_EQ(state(today() - 1, "a.test"), ReportState::kDone);
}

TEST_F(DailyReports, NothingIsSentThatIsNotStoredFirst) {
  resolver_.set_rua("a.test", "mailto:tls@a.test");
  add_results(today() - 1, "a.test");
  start();
  settle();
  unreliable_->fails = [this] { return resolver_.asked > 0; };
  clock_.advance(kMakeUpSpread);
  run_until([&] { return reporter_->counters().store_failures > 3; });
  EXPECT_TRUE(sender_.attempts.empty());
  unreliable_->fails = [] { return false; };
  settle();
  EXPECT_EQ(sender_.attempts.size(), 1U);
}

TEST_F(DailyReports, ManyDomainsAreAllSentOnce) {
  constexpr int kDomains = 3000;  // several pages of planning, many more than are under way
  add_domains(kDomains);
  start();
  // Whoever is planned after the next step of the clock is due later still.
  settle_until_planned("d999.test");
  clock_.advance(kMakeUpSpread);
  run_until([&] { return sender_.attempts.size() >= kDomains; });
  settle();
  std::map<std::string, int> times;
  for (const Sent& one : sender_.attempts) ++times[one.uri];
  EXPECT_EQ(times.size(), static_cast<std::size_t>(kDomains));
  EXPECT_EQ(sender_.attempts.size(), static_cast<std::size_t>(kDomains));
}

TEST_F(DailyReports, WhatIsDueDoesNotWaitForTheNextLook) {
  settings_.look_interval = hours(1);
  // Around what fits at once: all, some more, and a rest that is seen and not yet begun.
  for (const int domains : {100, 256, 257, 380, 500, 1000}) {
    SCOPED_TRACE(domains);
    reporter_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
    open_store();
    sender_.attempts.clear();
    add_domains(domains);
    start();
    settle_until_planned("d0.test");
    clock_.advance(kMakeUpSpread);
    // This looks for what is due.
    reporter_->send_now(today() - 1, "d0.test", [](const StoreResult<std::uint64_t>&) {});
    run_until([&] { return sender_.attempts.size() >= static_cast<std::size_t>(domains); });
    run_until([&] { return reporter_->is_idle(); });
    EXPECT_EQ(sender_.attempts.size(), static_cast<std::size_t>(domains));
  }
}

TEST_F(DailyReports, OldOnesGoWithTheirResults) {
  resolver_.set_rua("a.test", "mailto:tls@a.test");
  add_results(today() - 1, "a.test");
  const DayNumber day = today() - 1;
  start();
  settle();
  pass(kMakeUpSpread);
  EXPECT_EQ(state(day, "a.test"), ReportState::kDone);
  clock_.advance(hours(24 * 40));
  settle();
  EXPECT_TRUE(row(day, "a.test").has_value());  // a clock that is ahead takes nothing away
  add_results(today(), "a.test");
  pass(hours(2));
  EXPECT_FALSE(row(day, "a.test").has_value());
}

}  // namespace
}  // namespace strictmx::reporting
