// mta_sts_clock_step_test.cc - a policy ends by its age and not by who set the clock (RFC 8461
// §3.2; DESIGN "Clock"): the rule in memory, the same rule in the real store, and the whole flow.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/log.h"
#include "common/mta_sts/clock_step.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/store/sqlite_database.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_database.h"
#include "tests/fakes/fake_network.h"

namespace strictmx::mta_sts {
namespace {

using base::ClockStep;
using base::DomainName;
using base::WallTime;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const WallTime kToday{seconds(1768478400)};  // 2026-01-15T12:00:00Z
const WallTime kNineteenSeventy{seconds(600)};

// ---- One policy, before and after: in memory and in the store.

struct Case {
  const char* name;
  ClockStep step;
  // Before.
  WallTime fetched;
  seconds max_age;
  WallTime refresh_at;
  std::int32_t last_used_day;
  // After.
  WallTime fetched_after;
  WallTime expires_after;
  WallTime refresh_at_after;
  std::int32_t last_used_after;
};

const std::int32_t kDay = utc_day(kToday);
const ClockStep kForward{kToday, kToday + hours(24)};
const ClockStep kBack{kToday, kToday - hours(24)};
const ClockStep kAwake{kNineteenSeventy, kToday};

const Case kCases[] = {
    {"a day forward, shorter max_age: lives on, due at once", kForward, kToday - hours(1), hours(2),
     kToday + minutes(10), kDay, kToday + hours(23), kToday + hours(25), kToday + hours(24),
     kDay + 1},
    {"a day forward, a week's max_age: its age stays", kForward, kToday - hours(30), hours(168),
     kToday + hours(2), kDay - 1, kToday - hours(6), kToday + hours(162), kToday + hours(24), kDay},
    {"a day back: lives no longer", kBack, kToday - hours(1), hours(2), kToday + minutes(10), kDay,
     kToday - hours(25), kToday - hours(23), kToday - hours(24), kDay - 1},
    {"a day back, expired: stays so", kBack, kToday - hours(3), hours(2), kToday - hours(2),
     kDay - 9, kToday - hours(27), kToday - hours(25), kToday - hours(26), kDay - 10},
    {"a day forward, expired: stays so", kForward, kToday - hours(3), hours(2), kToday - hours(2),
     kDay, kToday + hours(21), kToday + hours(23), kToday + hours(22), kDay + 1},
    {"max_age 0 has its minute", kForward, kToday - seconds(20), seconds(0), kToday, kDay,
     kToday + hours(24) - seconds(20), kToday + hours(24) + seconds(40), kToday + hours(24),
     kDay + 1},
    {"1970 to today: what the right clock told stays", kAwake, kToday - hours(5), hours(168),
     kToday + hours(7), kDay, kToday - hours(5), kToday + hours(163), kToday + hours(7), kDay},
    {"1970 to today: used in 1970 is used today", kAwake, kToday - hours(5), hours(168),
     kToday + hours(7), 0, kToday - hours(5), kToday + hours(163), kToday + hours(7), kDay},
    {"1970 to today: fetched in 1970 is moved", kAwake, kNineteenSeventy - seconds(60), hours(2),
     kNineteenSeventy + hours(1), 0, kToday - seconds(60), kToday + hours(2) - seconds(60), kToday,
     kDay},
};

CachedPolicy before(const Case& c) {
  CachedPolicy policy;
  policy.body = "version: STSv1\nmode: none\nmax_age: " + std::to_string(c.max_age.count());
  policy.max_age = std::chrono::duration_cast<decltype(policy.max_age)>(c.max_age);
  policy.fetched = c.fetched;
  policy.set_expiry(c.step.before);
  policy.refresh_at = c.refresh_at;
  policy.last_used_day = c.last_used_day;
  policy.days_used = 1;
  return policy;
}

void expect_after(const Case& c, const CachedPolicy& policy) {
  EXPECT_EQ(policy.fetched, c.fetched_after);
  EXPECT_EQ(policy.expires, c.expires_after);
  EXPECT_EQ(policy.refresh_at, c.refresh_at_after);
  EXPECT_EQ(policy.last_used_day, c.last_used_after);
  EXPECT_EQ(policy.days_used, 1);
  EXPECT_LE(policy.expires, c.step.now + policy.life()) << "never past max_age from now";
}

TEST(ClockStep, MovesTimesInMemory) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    Entry entry;
    entry.policy = std::make_unique<CachedPolicy>(before(c));
    const CachedPolicy* const held = entry.policy.get();
    entry.checked_until = c.step.before + seconds(300);
    entry.trouble = std::make_unique<Trouble>();
    entry.trouble->since = c.step.before - seconds(50);
    entry.trouble->retry_at = c.step.before + seconds(250);
    move_times(entry, c.step);
    EXPECT_EQ(entry.policy.get(), held) << "in place";
    expect_after(c, *entry.policy);
    EXPECT_EQ(entry.checked_until, c.step.now + seconds(300));
    EXPECT_EQ(entry.trouble->since, c.step.now - seconds(50));
    EXPECT_EQ(entry.trouble->retry_at, c.step.now + seconds(250));
  }
}

TEST(ClockStep, NeverCheckedStaysSo) {
  Entry entry;
  move_times(entry, kAwake);
  EXPECT_EQ(entry.checked_until, WallTime{});
}

// Rows as save() writes them, moved by the statement, read back as list() reads them.
template <class DatabaseOf>
void expect_same_in_store(const DatabaseOf& store_of) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    auto world = store_of();
    const CachedPolicy policy = before(c);
    const auto number = [](auto value) { return store::Value{std::int64_t{value}}; };
    const auto at = [&](WallTime time) { return number(time.time_since_epoch().count()); };
    std::vector<store::Value> row{std::string("a.example"),
                                  std::string("1"),
                                  policy.body,
                                  at(policy.fetched),
                                  at(policy.fetched + policy.life()),
                                  at(policy.refresh_at),
                                  number(policy.last_used_day),
                                  number(policy.days_used)};
    world->run([&](store::Transaction& transaction) {
      return transaction.run(
          "INSERT INTO policies (domain, id, body, fetched, expires, refresh_at, last_used, "
          "days_used) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
          row);
    });
    world->run([&](store::Transaction& t) { return move_stored_times(t, c.step); });
    int rows = 0;
    world->run([&](store::Transaction& transaction) {
      return transaction.query(
          "SELECT domain, id, body, fetched, expires, refresh_at, last_used, days_used FROM "
          "policies WHERE domain = ?1",
          {std::string("a.example")}, [&](const store::Row& found) {
            ++rows;
            const auto time = [&](int column) { return WallTime(seconds(found.number(column))); };
            CachedPolicy read = policy;
            read.fetched = time(3);
            read.refresh_at = time(5);
            read.last_used_day = static_cast<std::int32_t>(found.number(6));
            read.days_used = static_cast<std::int32_t>(found.number(7));
            EXPECT_EQ(time(4), read.fetched + read.life()) << "schema.h: fetched + max_age";
            read.set_expiry(c.step.now);
            expect_after(c, read);
          });
    });
    EXPECT_EQ(rows, 1);
  }
}

struct RealStore {
  RealStore() {
    char made[] = "/tmp/strictmx-step-XXXXXX";
    folder = mkdtemp(made);
    database =
        std::move(store::SqliteDatabase::open(*loop, folder + "/strictmx.db", [] {})).value();
  }
  ~RealStore() {
    database.reset();
    std::filesystem::remove_all(folder);
  }
  void run(store::Work work) {
    database->submit(store::Pace::kNow, std::move(work), [this](const auto& result) {
      EXPECT_TRUE(result.ok()) << result.error().detail;
      loop->stop();
    });
    loop->run();
  }
  std::string folder;
  std::unique_ptr<base::EventLoop> loop = std::move(base::EventLoop::create()).value();
  std::unique_ptr<store::SqliteDatabase> database;
};

struct FakeStore {
  void run(store::Work work) {
    database.submit(store::Pace::kNow, std::move(work),
                    [](const auto& result) { EXPECT_TRUE(result.ok()); });
    pending.deliver();
  }
  fakes::Pending pending;
  fakes::FakeDatabase database{pending};
};

TEST(ClockStep, MovesTimesInTheStoreByTheSameRule) {
  expect_same_in_store([] { return std::make_unique<RealStore>(); });
}

TEST(ClockStep, MovesTimesInTheFakeStoreByTheSameRule) {
  expect_same_in_store([] { return std::make_unique<FakeStore>(); });
}

// ---- The whole flow: clock, cache, resolver.

constexpr const char* kName = "example.com";
constexpr const char* kRecordName = "_mta-sts.example.com";
constexpr const char* kHost = "mta-sts.example.com";

class ClockStepFlow : public testing::Test {
 public:
  ClockStepFlow() { start(); }

  void publish(seconds max_age, const std::string& name = kName) {
    resolver.set_txt("_mta-sts." + name, {"v=STSv1; id=1;"}, hours(1));
    resolver.set_address("mta-sts." + name);
    client.set_policy(name, "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmax_age: " +
                                std::to_string(max_age.count()) + "\n");
  }
  void cut_off() {
    resolver.fail_txt(kRecordName, dns::DnsError::kTimeout);
    client.fail_policy(kName, http::HttpError::kConnect);
  }
  bool has_policy(const std::string& name = kName) {
    bool has = false;
    const auto note = [&](const PolicyAnswer& answer) { has = answer.policy != nullptr; };
    const auto now = policies->ask(DomainName::parse(name).value(), note);
    if (now.has_value()) note(*now);
    pending.deliver();
    return has;
  }
  const CachedPolicy& cached() const { return *cache->find(kName)->policy; }
  std::int64_t stored(std::size_t column) {
    return std::get<std::int64_t>(database.policies.at(kName)[column]);
  }

  void start(std::size_t max_entries = 1000) {
    policies.reset();
    pending.deliver();
    steps = std::make_unique<base::StepClock>(clock);
    cache = std::make_unique<PolicyCache>(database, *steps, max_entries);
    policies =
        std::make_unique<PolicyResolver>(*cache, resolver, fetcher, *steps, RefreshSettings{});
    steps->set_on_step([this](const ClockStep& step) { cache->on_clock_step(step); });
    cache->load([](const auto&) {});
    pending.deliver();
  }

  fakes::Pending pending;
  fakes::FakeClock clock;
  fakes::FakeResolver resolver{pending};
  fakes::FakeHttpClient client{pending};
  fakes::FakeDatabase database{pending};
  PolicyFetcher fetcher{resolver, client};
  std::unique_ptr<base::StepClock> steps;
  std::unique_ptr<PolicyCache> cache;
  std::unique_ptr<PolicyResolver> policies;
};

TEST_F(ClockStepFlow, PolicyEndsByItsAge) {
  struct Flow {
    const char* name;
    seconds max_age;
    std::vector<seconds> steps;  // each followed by ten minutes
    seconds left;                // of the two hours or whatever, as the stepped clock has it
  };
  const seconds two = hours(2);
  const Flow flows[] = {
      {"no step", two, {seconds(0)}, hours(2) - minutes(10)},
      {"a day forward", two, {hours(24)}, hours(2) - minutes(10)},
      {"a day back", two, {-hours(24)}, hours(2) - minutes(10)},
      {"a day back, a week", hours(168), {-hours(24)}, hours(168) - minutes(10)},
      {"forward and back", two, {hours(24), -hours(24)}, hours(2) - minutes(20)},
      {"forty days and more", two, {hours(960), hours(960)}, hours(2) - minutes(20)},
      {"an hour is no step", two, {hours(1)}, hours(1) - minutes(10)},
      {"59 minutes are none", two, {minutes(59)}, minutes(51)},
      {"59 minutes back are none", two, {-minutes(59)}, minutes(169)},
      {"3601 seconds are one", two, {seconds(3601)}, hours(2) - minutes(10)},
  };
  int number = 0;
  for (const Flow& flow : flows) {
    SCOPED_TRACE(flow.name);
    database.policies.clear();
    clock = fakes::FakeClock();
    clock.advance(hours(1000 * ++number));
    publish(flow.max_age);
    start();
    ASSERT_TRUE(has_policy());
    cut_off();
    for (const seconds step : flow.steps) {
      clock.step(step);
      EXPECT_TRUE(has_policy());
      clock.advance(minutes(10));
      EXPECT_TRUE(has_policy());
    }
    EXPECT_EQ(cached().expires - steps->now(), flow.left);
    EXPECT_EQ(cached().days_used, 1);
    EXPECT_EQ(stored(4), cached().expires.time_since_epoch().count());
    clock.advance(flow.left - seconds(1));
    EXPECT_TRUE(has_policy());
    clock.advance(seconds(1));
    EXPECT_FALSE(has_policy());
  }
}

TEST_F(ClockStepFlow, LivePoliciesAreFetchedAnewWhenTheNetworkIsThere) {
  for (const seconds step : {seconds(hours(24)), -seconds(hours(24)), seconds(hours(24 * 40))}) {
    SCOPED_TRACE(step.count());
    database.policies.clear();
    publish(hours(200));
    start();
    ASSERT_TRUE(has_policy());
    const int before = client.asked[kHost];
    policies->refresh_due();
    pending.deliver();
    EXPECT_EQ(client.asked[kHost], before) << "not due without a step";
    clock.step(step);
    policies->refresh_due();
    pending.deliver();
    EXPECT_EQ(client.asked[kHost], before + 1);
    EXPECT_EQ(cached().fetched, clock.now());
  }
}

TEST_F(ClockStepFlow, ThoseThatEndSoonestAreFetchedFirst) {
  // More than one round: the store's order decides. The fake store knows none.
  RealStore real;
  PolicyCache on_disk(*real.database, *steps, 1000);
  steps->set_on_step([&](const ClockStep& step) { on_disk.on_clock_step(step); });
  for (const int hours_left : {9, 3, 7, 1, 5}) {
    CachedPolicy policy;
    policy.id = "1";
    policy.body = "version: STSv1\nmode: none\nmax_age: " + std::to_string(hours_left * 3600);
    policy.max_age = std::chrono::duration<std::int32_t>(hours_left * 3600);
    policy.fetched = steps->now();
    policy.set_expiry(steps->now());
    policy.refresh_at = policy.expires;
    policy.last_used_day = utc_day(steps->now());
    on_disk.put("h" + std::to_string(hours_left) + ".example", policy);
  }
  clock.step(hours(24));
  std::vector<std::string> due;
  steps->now();
  on_disk.due_for_refresh(0, 3, [&](std::vector<std::string> names) {
    due = std::move(names);
    real.loop->stop();
  });
  real.loop->run();
  EXPECT_EQ(due, (std::vector<std::string>{"h1.example", "h3.example", "h5.example"}));
}

TEST_F(ClockStepFlow, StartsInNineteenSeventyAndIsSetRight) {
  publish(hours(168));
  ASSERT_TRUE(has_policy());
  clock.advance(hours(1));
  const WallTime expires = cached().expires;
  const seconds away = clock.now().time_since_epoch() - minutes(5);
  cut_off();
  clock.step(-away);
  start();
  EXPECT_TRUE(has_policy()) << "a policy from its future holds";
  EXPECT_LE(cached().expires, clock.now() + hours(168)) << "but no longer than max_age";
  publish(hours(2), "young.example");
  EXPECT_TRUE(has_policy("young.example"));
  clock.advance(minutes(10));
  clock.step(away);
  EXPECT_TRUE(has_policy());
  EXPECT_EQ(cached().expires, expires) << "its times were right";
  EXPECT_TRUE(has_policy("young.example"));
  EXPECT_EQ(cache->find("young.example")->policy->expires, clock.now() + hours(2) - minutes(10));
  // And the store has the same after the next start.
  start();
  EXPECT_TRUE(has_policy());
  EXPECT_EQ(cached().expires, expires);
}

TEST_F(ClockStepFlow, ClockSetBackWhileDownGivesNoLongerLife) {
  publish(hours(2));
  ASSERT_TRUE(has_policy());
  clock.step(-hours(240));
  start();
  EXPECT_TRUE(has_policy());
  EXPECT_EQ(cached().expires, clock.now() + hours(2));
  // Left in the store alone, it is read by the same rule.
  start(1);
  cache->make("pushes-it-out.example");
  ASSERT_EQ(cache->find(kName), nullptr);
  EXPECT_TRUE(has_policy());
  EXPECT_EQ(cached().expires, clock.now() + hours(2));
}

TEST_F(ClockStepFlow, RowReadWhileTheClockIsSetIsReadAgain) {
  publish(hours(2));
  ASSERT_TRUE(has_policy());
  start(1);
  cache->make("pushes-it-out.example");
  ASSERT_EQ(cache->find(kName), nullptr);
  bool is_loaded = false;
  cache->load_one(kName, [&](bool found) { is_loaded = found; });
  clock.step(hours(24));
  pending.deliver();
  ASSERT_TRUE(is_loaded);
  EXPECT_EQ(cached().expires, clock.now() + hours(2));
}

TEST_F(ClockStepFlow, AbsenceIsBelievedNoLongerAndNoShorter) {
  resolver.negative_ttl = seconds(600);
  for (const seconds step : {seconds(hours(24)), -seconds(hours(24))}) {
    SCOPED_TRACE(step.count());
    const std::string name = step.count() > 0 ? "one.example" : "two.example";
    EXPECT_FALSE(has_policy(name));
    clock.step(step);
    clock.advance(seconds(599));
    EXPECT_FALSE(has_policy(name));
    EXPECT_EQ(resolver.asked["_mta-sts." + name], 1);
    clock.advance(seconds(2));
    EXPECT_FALSE(has_policy(name));
    EXPECT_EQ(resolver.asked["_mta-sts." + name], 2);
  }
}

TEST_F(ClockStepFlow, BackOffAfterAFailedFetchStaysAsLong) {
  publish(hours(2));
  client.fail_policy(kName, http::HttpError::kConnect);
  EXPECT_FALSE(has_policy());
  clock.step(-hours(24));
  clock.advance(kMinBackOff - seconds(1));
  EXPECT_FALSE(has_policy());
  EXPECT_EQ(client.asked[kHost], 1);
  clock.advance(seconds(2));
  EXPECT_FALSE(has_policy());
  EXPECT_EQ(client.asked[kHost], 2);
}

TEST_F(ClockStepFlow, WhatTheStoreMissedIsWrittenLater) {
  publish(hours(2));
  ASSERT_TRUE(has_policy());
  database.is_full = true;
  clock.step(hours(24));
  EXPECT_TRUE(has_policy());
  EXPECT_TRUE(cache->is_store_failing());
  database.is_full = false;
  cache->retry_store();
  pending.deliver();
  EXPECT_FALSE(cache->is_store_failing());
  EXPECT_EQ(stored(4), cached().expires.time_since_epoch().count());
}

}  // namespace
}  // namespace strictmx::mta_sts
