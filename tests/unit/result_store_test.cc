// result_store_test.cc - results from the spool into a real store: each counted exactly once.
#include "common/reporting/result_store.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/reporting/result_text.h"
#include "common/store/sqlite_database.h"
#include "tests/fakes/fake_clock.h"

namespace strictmx::reporting {
namespace {

using std::chrono::days;
using tlsrpt::PolicyType;
using tlsrpt::ResultType;

constexpr std::size_t kSegment = 256 * 1024;

std::string success(const std::string& domain) {
  return R"({"dpv": "1","d": ")" + domain +
         R"(","pr": "v=TLSRPTv1; rua=mailto:r@a.test","policies":[{"policy-type":2,)"
         R"("policy-domain": ")" +
         domain +
         R"(","policy-string":["version: STSv1","mode: enforce"],"mx-host":["mx.a.test"],)"
         R"("t":0,"f":0}]})";
}
std::string failure(const std::string& domain, int code, const std::string& helo = "250 mx",
                    const std::string& more = "") {
  return R"({"dpv": "1","d": ")" + domain +
         R"(","pr": "v=TLSRPTv1; rua=mailto:r@a.test","policies":[{"policy-type":2,)"
         R"("policy-domain": ")" +
         domain +
         R"(","policy-string":["version: STSv1","mode: enforce"],"mx-host":["mx.a.test"],)"
         R"("failure-details":[{"c":)" +
         std::to_string(code) + R"(,"n": "mx.a.test","h": ")" + helo + R"("}],"t":1,"f":1}])" +
         more + "}";
}

class ResultsInStore : public testing::Test {
 protected:
  ResultsInStore() {
    char folder[] = "/tmp/strictmx-results-XXXXXX";
    folder_ = mkdtemp(folder);
    [[maybe_unused]] const auto opened = base::log_open("test", "error", "stderr");
    start();
  }
  ~ResultsInStore() override {
    stop();
    std::filesystem::remove_all(folder_);
  }

  void start() {
    auto opened =
        store::SqliteDatabase::open(*loop_, folder_ + "/strictmx.db", [this] { ++resets_; });
    ASSERT_TRUE(opened.ok()) << opened.error().detail;
    database_ = std::move(opened).value();
    results_ = std::make_unique<ResultStore>(*loop_, *database_, clock_,
                                             ResultStoreSettings{days(30), folder_ + "/broken"});
    SpoolPosition position;
    results_->load([&](const auto& loaded) {
      EXPECT_TRUE(loaded.ok());
      if (loaded.ok()) position = loaded.value();
      loop_->stop();
    });
    loop_->run();
    auto spool = Spool::open(
        {folder_ + "/spool", 64 * kSegment, kSegment, tlsrpt::kMaxDatagramBytes, days(1)}, clock_,
        position);
    ASSERT_TRUE(spool.ok()) << spool.error().detail;
    spool_ = std::move(spool).value();
  }
  // As after a kill: the spool stays as it is, the store has what was committed.
  void stop() {
    results_.reset();
    database_.reset();
    spool_.reset();
  }
  void put(const std::string& text) {
    for (int i = 0; i < 50; ++i) {
      if (spool_->append(text).ok()) return;
      spool_->wait_for_room();
    }
    ADD_FAILURE() << "no room in the spool";
  }
  void apply() {
    results_->start(spool_);
    wait_until_applied();
  }
  void wait_until_applied() {
    base::Timer check(*loop_, [&] {
      if (results_->is_idle()) {
        loop_->stop();
      } else {
        check_again_->start(std::chrono::milliseconds(2));
      }
    });
    check_again_ = &check;
    check.start(std::chrono::milliseconds(2));
    loop_->run();
  }
  DomainResults results(DayNumber day, const std::string& domain) {
    DomainResults got;
    results_->results(day, domain, [&](const auto& read) {
      EXPECT_TRUE(read.ok());
      if (read.ok()) got = read.value();
      loop_->stop();
    });
    loop_->run();
    return got;
  }
  ResultPage list(const ResultQuery& query) {
    ResultPage page;
    results_->list(query, [&](const auto& read) {
      EXPECT_TRUE(read.ok());
      if (read.ok()) page = read.value();
      loop_->stop();
    });
    loop_->run();
    return page;
  }
  store::StoreError run(store::Work work) {
    store::StoreError error{};
    is_ok_ = false;
    database_->submit(store::Pace::kNow, std::move(work), [&](const auto& outcome) {
      is_ok_ = outcome.ok();
      if (!is_ok_) error = outcome.error().code;
      loop_->stop();
    });
    loop_->run();
    return error;
  }
  std::int64_t number(const char* sql) {
    std::int64_t value = -1;
    run([&](store::Transaction& transaction) {
      return transaction.query(sql, {}, [&](const store::Row& row) { value = row.number(0); });
    });
    return value;
  }
  DayNumber today() const { return day_of(clock_.now()); }

  std::string folder_;
  fakes::FakeClock clock_;
  int resets_ = 0;
  bool is_ok_ = false;
  base::Timer* check_again_ = nullptr;
  std::unique_ptr<base::EventLoop> loop_ = std::move(base::EventLoop::create()).value();
  std::unique_ptr<store::SqliteDatabase> database_;
  std::shared_ptr<Spool> spool_;
  std::unique_ptr<ResultStore> results_;
};

TEST_F(ResultsInStore, CountersOfRfc8460Sec44) {
  put(success("a.test"));
  put(success("A.Test"));
  put(failure("a.test", 204));
  put(failure("a.test", 204));
  put(failure("a.test", 202));
  put(success("b.test"));
  apply();
  const DomainResults a = results(today(), "a.test");
  ASSERT_EQ(a.policies.size(), 1U) << "the policy domain is folded too";
  const StoredPolicy& policy = a.policies.front();
  EXPECT_EQ(policy.policy.type, PolicyType::kSts);
  EXPECT_EQ(policy.policy.domain, "a.test");
  EXPECT_EQ(policy.policy.mx_hosts, std::vector<std::string>{"mx.a.test"});
  EXPECT_EQ(policy.sessions.succeeded, 2U);
  EXPECT_EQ(policy.sessions.failed, 3U);
  ASSERT_EQ(policy.failures.size(), 2U);
  std::uint64_t expired = 0;
  for (const StoredFailure& one : policy.failures) {
    if (one.details.type == ResultType::kCertificateExpired) expired = one.sessions;
    EXPECT_EQ(one.details.receiving_mx_helo, "250 mx");
  }
  EXPECT_EQ(expired, 2U);
  EXPECT_EQ(results(today(), "b.test").policies.size(), 1U);
  EXPECT_TRUE(results(today(), "c.test").policies.empty());
  EXPECT_TRUE(results(today() - 1, "a.test").policies.empty());
  EXPECT_EQ(results_->counters().batches.results, 6U);
}

TEST_F(ResultsInStore, TextsThatRepeatAreParsedOnce) {
  for (int i = 0; i < 600; ++i) put(i % 2 == 0 ? success("a.test") : success("b.test"));
  apply();
  EXPECT_EQ(results_->counters().batches.results, 600U);
  EXPECT_EQ(results_->counters().batches.parsed, 2U);
  EXPECT_EQ(results(today(), "a.test").policies.at(0).sessions.succeeded, 300U);
}

// Otherwise a sender could choose texts of one hash, and each look-up would compare with all of
// them.
TEST_F(ResultsInStore, HashesOfTextsAreThisStoresOwn) {
  const auto hash = [this] { return number("SELECT hash FROM result_texts"); };
  put(success("a.test"));
  apply();
  const std::int64_t before = hash();
  stop();
  start();
  put(success("a.test"));
  apply();
  EXPECT_EQ(number("SELECT COUNT(*) FROM result_texts"), 1) << "found again after a restart";
  EXPECT_EQ(hash(), before);
  stop();
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directory(folder_);
  start();
  put(success("a.test"));
  apply();
  EXPECT_EQ(number("SELECT COUNT(*) FROM result_texts"), 1);
  EXPECT_NE(hash(), before);
}

TEST_F(ResultsInStore, DayIsThatOfTheSession) {
  put(success("a.test"));
  clock_.advance(std::chrono::hours(12));  // midnight
  put(success("a.test"));
  const auto at = [this](std::chrono::seconds from_now) {
    const auto time = (clock_.now() + from_now).time_since_epoch().count();
    return failure("b.test", 201, "250 mx", R"(,"strictmx":{"time":)" + std::to_string(time) + "}");
  };
  using std::chrono::hours;
  put(at(-hours(1)));        // replayed after midnight
  put(at(-hours(24 * 31)));  // older than what is kept: on the day of its receipt
  put(at(hours(2)));         // a clock ahead
  put(failure("b.test", 201, "250 mx", R"(,"strictmx":{"time":-9223372036854775808})"));
  put(failure("b.test", 201, "250 mx", R"(,"strictmx":{"time":9223372036854775807})"));
  apply();
  EXPECT_EQ(results(today() - 1, "a.test").policies.at(0).sessions.succeeded, 1U);
  EXPECT_EQ(results(today(), "a.test").policies.at(0).sessions.succeeded, 1U);
  EXPECT_EQ(results(today() - 1, "b.test").policies.at(0).sessions.failed, 1U);
  EXPECT_EQ(results(today(), "b.test").policies.at(0).sessions.failed, 4U);
}

// Each row is one moment at which the process dies.
TEST_F(ResultsInStore, ExactlyOnceHoweverOftenItDies) {
  std::uint64_t sent = 0;
  const auto put_some = [&](std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      put(i % 3 == 0 ? failure("a.test", 205) : success("a.test"));
    }
    sent += count;
  };
  const auto counted = [&] {
    std::uint64_t sum = 0;
    for (const auto& policy : results(today(), "a.test").policies) {
      sum += policy.sessions.succeeded + policy.sessions.failed;
    }
    return sum;
  };
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(round);
    put_some(100);
    stop();  // before anything of it is applied
    start();
    put_some(50);
    results_->start(spool_);  // submitted; what happens to the commit is not waited for
    stop();
    start();
    apply();
    EXPECT_EQ(counted(), sent);
    put_some(7);
    results_->apply_soon();
    wait_until_applied();
    stop();  // after the commit
    start();
    apply();
    EXPECT_EQ(counted(), sent);
  }
}

TEST_F(ResultsInStore, BatchThatFailsIsAppliedLaterAndOnce) {
  put(success("a.test"));
  apply();
  run([](store::Transaction& t) { return t.run("ALTER TABLE results RENAME TO gone", {}); });
  put(success("a.test"));
  results_->apply_soon();
  base::Timer later(*loop_, [&] { loop_->stop(); });
  later.start(std::chrono::milliseconds(300));
  loop_->run();
  EXPECT_GE(results_->counters().failures, 1U);
  run([](store::Transaction& t) { return t.run("ALTER TABLE gone RENAME TO results", {}); });
  wait_until_applied();
  EXPECT_EQ(results(today(), "a.test").policies.at(0).sessions.succeeded, 2U);
}

TEST_F(ResultsInStore, SpoolThatCantBeReadIsAppliedLaterAndOnce) {
  put(success("a.test"));
  const std::string file = folder_ + "/spool/results-00000000000000000001";
  std::filesystem::rename(file, folder_ + "/away");
  std::filesystem::create_symlink(folder_ + "/away", file);  // is not followed
  stop();
  start();
  results_->start(spool_);
  base::Timer later(*loop_, [&] { loop_->stop(); });
  later.start(std::chrono::milliseconds(300));
  loop_->run();
  EXPECT_TRUE(results_->is_failing());
  EXPECT_GE(results_->counters().failures, 1U);
  std::filesystem::rename(folder_ + "/away", file);
  wait_until_applied();
  EXPECT_FALSE(results_->is_failing());
  EXPECT_EQ(results(today(), "a.test").policies.at(0).sessions.succeeded, 1U);
}

TEST_F(ResultsInStore, FilesGoOnlyWhenApplied) {
  std::size_t sent = 0;
  while (spool_->counters().bytes < 4 * kSegment) {
    put(success("a.test"));
    ++sent;
  }
  const auto first = spool_->first_segment();
  apply();
  for (int i = 0; i < 100 && spool_->first_segment() <= first + 1; ++i) {
    put(success("a.test"));
    ++sent;
    results_->apply_soon();
    wait_until_applied();
  }
  EXPECT_GT(spool_->first_segment(), first + 1);
  stop();
  start();
  apply();
  EXPECT_EQ(results(today(), "a.test").policies.at(0).sessions.succeeded, sent);
}

// A store that is set aside right behind a commit; a new, empty one does what comes after it, but
// not before the caller has heard of the first durable work.
class StoreSetAside : public store::Database {
 public:
  StoreSetAside(store::Database& before, store::Database& after) : now_(&before), after_(after) {}
  void submit(store::Pace pace, store::Work work, store::Done done) override {
    if (is_waiting_) {
      held_.emplace_back([=, this] { now_->submit(pace, work, done); });
    } else if (pace != store::Pace::kDurable || now_ == &after_) {
      now_->submit(pace, std::move(work), std::move(done));
    } else {
      now_ = &after_;
      is_waiting_ = true;
      now_->submit(pace, std::move(work), [this, done = std::move(done)](const auto& outcome) {
        done(outcome);
        is_waiting_ = false;
        for (const auto& held : std::exchange(held_, {})) held();
      });
    }
  }

 private:
  store::Database* now_;
  store::Database& after_;
  bool is_waiting_ = false;
  std::vector<std::function<void()>> held_;
};

TEST_F(ResultsInStore, FilesThatANewStoreHasNotCountedStay) {
  std::size_t sent = 0;
  while (spool_->counters().bytes < 4 * kSegment) {
    put(success("a.test"));
    ++sent;
  }
  auto opened = store::SqliteDatabase::open(*loop_, folder_ + "/new.db", [] {});
  ASSERT_TRUE(opened.ok()) << opened.error().detail;
  const auto fresh = std::move(opened).value();
  StoreSetAside both(*database_, *fresh);
  results_ = std::make_unique<ResultStore>(*loop_, both, clock_,
                                           ResultStoreSettings{days(30), folder_ + "/broken"});
  apply();
  EXPECT_EQ(results(today(), "a.test").policies.at(0).sessions.succeeded, sent);
  results_.reset();
}

TEST_F(ResultsInStore, BrokenOnesAreCountedAndKeptForStudy) {
  put("hello");
  put(R"({"d":"a.test","policies":[]})");
  put("hello");
  put(success("a.test"));
  apply();
  const auto& broken = results_->counters().batches.broken;
  EXPECT_EQ(broken[static_cast<std::size_t>(tlsrpt::DatagramError::kSyntax)], 2U);
  EXPECT_EQ(broken[static_cast<std::size_t>(tlsrpt::DatagramError::kShape)], 1U);
  EXPECT_EQ(results_->counters().batches.results, 1U);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(folder_ + "/broken"))
    ++files;
  EXPECT_EQ(files, 1U) << "one in a second";
}

TEST(BrokenResultsFiles, TheOldestIsReplaced) {
  char name[] = "/tmp/strictmx-broken-XXXXXX";
  const std::string folder = mkdtemp(name);
  fakes::FakeClock clock;
  [[maybe_unused]] const auto opened = base::log_open("test", "error", "stderr");
  BrokenResults broken(folder + "/broken");
  for (std::size_t i = 0; i < kMaxBrokenFiles + 5; ++i) {
    clock.advance(kBrokenPause);
    broken.note({"text " + std::to_string(i), {tlsrpt::DatagramError::kSyntax, "is not JSON"}},
                clock.now(), clock.steady());
  }
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder + "/broken"))
    ++files;
  EXPECT_EQ(files, kMaxBrokenFiles);
  std::filesystem::remove_all(folder);
}

TEST_F(ResultsInStore, KindsOfFailureAreBoundedAndStillCounted) {
  for (std::size_t i = 0; i < kMaxRowsADomain + 200; ++i) {
    put(failure("a.test", 205, "250 mx" + std::to_string(i)));
  }
  apply();
  put(failure("a.test", 205, "250 mx1"));  // is there already
  put(failure("a.test", 205, "250 another"));
  results_->apply_soon();
  wait_until_applied();
  EXPECT_LE(number("SELECT COUNT(*) FROM results"), static_cast<std::int64_t>(kMaxRowsADomain) + 5);
  EXPECT_EQ(number("SELECT SUM(failed) FROM results WHERE failure = 0"),
            static_cast<std::int64_t>(kMaxRowsADomain) + 202);
  EXPECT_EQ(number("SELECT SUM(failed) FROM results WHERE failure <> 0"),
            static_cast<std::int64_t>(kMaxRowsADomain) + 202);
  EXPECT_GE(results_->counters().folded, 200U);
}

// A policy may have 64 KiB (RFC 8461 sec. 3.3); each of these is another.
std::string large_policy(const std::string& domain, int number) {
  std::string text =
      R"({"d":")" + domain + R"(","policies":[{"policy-type":2,"f":0,"policy-string":[)";
  const std::string line = '"' + std::string(2000, 'x') + std::to_string(number) + "\",";
  for (int i = 0; i < 30; ++i) text += line;
  return text + R"("end"]}]})";
}

TEST_F(ResultsInStore, TextOfADomainIsBoundedAndStillCounted) {
  constexpr int kPolicies = 40;
  for (int i = 0; i < kPolicies; ++i) put(large_policy("a.test", i));
  apply();
  put(large_policy("a.test", 0));  // some of the first ones are there already
  put(large_policy("a.test", kPolicies));
  results_->apply_soon();
  wait_until_applied();
  EXPECT_LE(number("SELECT SUM(bytes) FROM result_texts"),
            static_cast<std::int64_t>(kMaxTextADomain) + 1000);
  EXPECT_GE(number("SELECT COUNT(*) FROM results"), 10);
  EXPECT_EQ(number("SELECT SUM(succeeded) FROM results"), kPolicies + 2);
  EXPECT_EQ(number("SELECT SUM(bytes <> LENGTH(text)) FROM result_texts"), 0);
}

// One long text that many policies name is stored once, and shown as often as it is named.
TEST_F(ResultsInStore, TextThatRepeatsIsBoundedToo) {
  const std::string line(2000, 'y');
  for (int i = 0; i < 400; ++i) {
    put(R"({"d":"a.test","policies":[{"policy-type":2,"f":1,"policy-string":[")" +
        std::to_string(i) + R"("],"failure-details":[{"c":205,"h":")" + line + R"(","a":")" + line +
        R"("}]}]})");
    if (i % 100 == 99) {
      results_->start(spool_);
      wait_until_applied();
    }
  }
  EXPECT_LE(results(today(), "a.test").text_bytes, kMaxTextADomain + 100 * 1000);
  EXPECT_EQ(number("SELECT SUM(failed) FROM results WHERE failure <> 0"), 400);
}

TEST_F(ResultsInStore, PageEndsWhenItHasEnoughText) {
  for (int domain = 0; domain < 10; ++domain) {
    for (int i = 0; i < 5; ++i) put(large_policy("d" + std::to_string(domain) + ".test", i));
  }
  apply();
  ResultQuery query;
  std::size_t domains = 0;
  std::size_t pages = 0;
  while (true) {
    const ResultPage page = list(query);
    std::size_t bytes = 0;
    for (const DomainResults& one : page.results) bytes += one.text_bytes;
    EXPECT_LE(bytes, kMaxTextAPage + kMaxTextADomain);
    domains += page.results.size();
    ++pages;
    if (!page.has_more || page.results.empty()) break;
    query.after = std::pair(page.results.back().day, page.results.back().domain);
  }
  EXPECT_EQ(domains, 10U);
  EXPECT_GE(pages, 2U);
}

// A failure beyond the limit stays beside the sessions of its policy.
TEST_F(ResultsInStore, FoldedFailureKeepsItsPolicy) {
  for (std::size_t i = 0; i < kMaxRowsADomain + 200; ++i) {
    put(failure("a.test", 205, "250 mx" + std::to_string(i)));
  }
  apply();
  const DomainResults a = results(today(), "a.test");
  ASSERT_EQ(a.policies.size(), 1U);
  EXPECT_EQ(a.policies[0].sessions.failed, kMaxRowsADomain + 200);
  std::uint64_t folded = 0;
  for (const StoredFailure& one : a.policies[0].failures) {
    if (one.details.receiving_mx_helo.empty()) folded += one.sessions;
  }
  EXPECT_GE(folded, 200U);
}

TEST_F(ResultsInStore, WorkOfManyRowsIsDoneInParts) {
  constexpr std::size_t kResults = kMaxRowsABatch;  // of two rows each
  for (std::size_t i = 0; i < kResults; ++i) {
    put(failure("d" + std::to_string(i) + ".test", 205));
    if (i % 2 == 0) put(failure("again.test", 205));
  }
  apply();
  EXPECT_EQ(results_->counters().batches.results, kResults + kResults / 2);
  EXPECT_GT(results_->counters().batches.parsed, kResults + 1) << "again.test, in each part";
  EXPECT_EQ(number("SELECT SUM(failed) FROM results WHERE failure = 0"),
            static_cast<std::int64_t>(kResults + kResults / 2));
  EXPECT_EQ(results(today(), "again.test").policies.at(0).sessions.failed, kResults / 2);
}

TEST_F(ResultsInStore, DaysAreKeptAsLongAsTold) {
  put(success("a.test"));
  put(failure("a.test", 201));
  apply();
  clock_.advance(days(30));
  put(success("a.test"));  // names the same policy
  results_->apply_soon();
  wait_until_applied();
  results_->drop_old();
  EXPECT_EQ(number("SELECT COUNT(DISTINCT day) FROM results"), 2);
  clock_.advance(days(1));
  put(success("a.test"));
  results_->apply_soon();
  wait_until_applied();
  results_->drop_old();
  EXPECT_EQ(number("SELECT COUNT(DISTINCT day) FROM results"), 2);
  EXPECT_EQ(number("SELECT COUNT(*) FROM result_texts"), 1) << "the failure's text goes too";
  EXPECT_EQ(results(today() - 1, "a.test").policies.at(0).sessions.succeeded, 1U);
}

TEST_F(ResultsInStore, AClockThatIsAheadTakesNoDays) {
  put(success("a.test"));
  apply();
  const DayNumber day = today();
  clock_.advance(days(3650));
  results_->drop_old();
  EXPECT_EQ(number("SELECT COUNT(*) FROM results"), 1);
  clock_.advance(-days(3650));
  EXPECT_EQ(results(day, "a.test").policies.at(0).sessions.succeeded, 1U);
  clock_.advance(-days(3));  // behind: what is newer stays
  results_->drop_old();
  EXPECT_EQ(number("SELECT COUNT(*) FROM results"), 1);
}

TEST_F(ResultsInStore, PagesNewestDayFirst) {
  for (const char* domain : {"a.test", "b.test", "c.test"}) put(success(domain));
  clock_.advance(days(1));
  put(success("b.test"));
  apply();
  using Names = std::vector<std::string>;
  const auto names = [](const ResultPage& page) {
    Names found;
    for (const auto& one : page.results) found.push_back(day_text(one.day).substr(8) + one.domain);
    return found;
  };
  EXPECT_EQ(names(list({})), (Names{"16b.test", "15a.test", "15b.test", "15c.test"}));
  ResultPage page = list({.limit = 2});
  EXPECT_EQ(names(page), (Names{"16b.test", "15a.test"}));
  EXPECT_TRUE(page.has_more);
  page =
      list({.after = std::pair(page.results.back().day, page.results.back().domain), .limit = 2});
  EXPECT_EQ(names(page), (Names{"15b.test", "15c.test"}));
  EXPECT_FALSE(page.has_more);
  EXPECT_EQ(names(list({.day = today() - 1})), (Names{"15a.test", "15b.test", "15c.test"}));
  EXPECT_EQ(names(list({.domain = "b.test"})), (Names{"16b.test", "15b.test"}));
  EXPECT_EQ(names(list({.day = today(), .domain = "c.test"})), Names{});
  EXPECT_EQ(names(list({.after = std::pair(today() - 1, std::string("c.test"))})), Names{});

  Names domains;
  results_->domains(today() - 1, "a.test", 10, [&](const auto& read) {
    domains = read.value();
    loop_->stop();
  });
  loop_->run();
  EXPECT_EQ(domains, (Names{"b.test", "c.test"}));
}

TEST_F(ResultsInStore, ANewStoreAfterDamageTakesWhatTheSpoolHas) {
  put(success("a.test"));
  stop();
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().filename().string().starts_with("strictmx.db")) {
      std::filesystem::remove(entry.path());
    }
  }
  start();
  apply();
  EXPECT_EQ(results(today(), "a.test").policies.at(0).sessions.succeeded, 1U);
}

}  // namespace
}  // namespace strictmx::reporting
