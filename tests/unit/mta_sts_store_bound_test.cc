// mta_sts_store_bound_test.cc - which policies leave a full store, on the real one (DESIGN
// "Store").
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "common/mta_sts/policy_cache.h"
#include "common/mta_sts/store_bound.h"
#include "common/store/sqlite_database.h"
#include "tests/fakes/fake_clock.h"

namespace strictmx::mta_sts {
namespace {

using std::chrono::hours;

constexpr std::size_t kMax = 6400;
constexpr std::size_t kGoal = kMax - kMax / 64;

class StoreLimit : public testing::Test {
 public:
  StoreLimit() {
    char made[] = "/tmp/strictmx-bound-XXXXXX";
    folder = mkdtemp(made);
    open();
  }
  ~StoreLimit() override {
    cache.reset();
    database.reset();
    std::filesystem::remove_all(folder);
  }
  void open() {
    cache.reset();
    database.reset();
    database =
        std::move(store::SqliteDatabase::open(*loop, folder + "/strictmx.db", [] {})).value();
    // Memory holds few, so that the store alone decides.
    cache = std::make_unique<PolicyCache>(*database, clock, 100, kMax);
  }
  void put(const std::string& name, std::int32_t days_used, std::int32_t days_ago,
           hours expires_in = hours(24)) const {
    CachedPolicy policy;
    policy.id = "1";
    policy.body = "version: STSv1\nmode: none\nmax_age: 86400";
    policy.max_age = hours(24);
    policy.fetched = clock.now() + expires_in - hours(24);
    policy.set_expiry(clock.now());
    policy.days_used = days_used;
    policy.last_used_day = utc_day(clock.now()) - days_ago;
    cache->put(name, policy);
  }
  // Until all that was submitted, and what it has led to, is done.
  void settle() {
    std::size_t works = 0;
    do {
      works = database->counters().works;
      for (int i = 0; i < 3; ++i) {
        database->submit(
            store::Pace::kNow, [](auto&) { return base::done(); },
            [this](const auto&) { loop->stop(); });
        loop->run();
      }
    } while (database->counters().works > works + 3);
  }
  std::set<std::string> names() {
    std::set<std::string> found;
    database->submit(
        store::Pace::kNow,
        [&](store::Transaction& transaction) {
          return transaction.query("SELECT domain FROM policies", {},
                                   [&](const store::Row& row) { found.emplace(row.text(0)); });
        },
        [this](const auto& result) {
          EXPECT_TRUE(result.ok());
          loop->stop();
        });
    loop->run();
    return found;
  }
  static std::size_t count(const std::set<std::string>& names, const std::string& prefix) {
    std::size_t found = 0;
    for (const std::string& name : names) found += name.starts_with(prefix) ? 1 : 0;
    return found;
  }

  std::string folder;
  fakes::FakeClock clock;
  std::unique_ptr<base::EventLoop> loop = std::move(base::EventLoop::create()).value();
  std::unique_ptr<store::SqliteDatabase> database;
  std::unique_ptr<PolicyCache> cache;
};

std::string numbered(const char* kind, std::size_t number) {
  return kind + std::to_string(number) + ".example";
}

TEST_F(StoreLimit, ExpiredThenUsedOnceThenNobody) {
  // 2000 kept, 1000 expired, 1400 old and 2000 new ones used once: just full.
  for (std::size_t i = 0; i < 2000; ++i) put(numbered("kept", i), 2, 25);
  for (std::size_t i = 0; i < 1000; ++i) put(numbered("expired", i), 1, 0, -hours(1));
  for (std::size_t i = 0; i < 1400; ++i) put(numbered("old", i), 1, 5);
  for (std::size_t i = 0; i < 2000; ++i) put(numbered("new", i), 1, 0);
  settle();
  EXPECT_EQ(names().size(), kMax);
  EXPECT_EQ(cache->store_evictions(), 0u) << "full is not too many";

  put("one-more.example", 1, 0);
  settle();
  auto left = names();
  EXPECT_EQ(left.size(), kGoal);
  EXPECT_EQ(count(left, "expired"), 1000 - (kMax + 1 - kGoal));
  EXPECT_EQ(count(left, "old"), 1400u);
  EXPECT_EQ(cache->store_evictions(), kMax + 1 - kGoal);

  for (std::size_t i = 0; i < 1500; ++i) put(numbered("newer", i), 1, 0);
  settle();
  left = names();
  EXPECT_LE(left.size(), kMax);
  EXPECT_EQ(count(left, "expired"), 0u);
  EXPECT_LT(count(left, "old"), 1400u);
  EXPECT_EQ(count(left, "new"), 3500u) << "used today stays while there are older ones";
  EXPECT_EQ(count(left, "kept"), 2000u);

  for (std::size_t i = 0; i < 20000; ++i) put(numbered("flood", i), 1, 0);
  settle();
  left = names();
  EXPECT_LE(left.size(), kMax);
  EXPECT_GE(left.size(), kGoal);
  EXPECT_EQ(count(left, "kept"), 2000u);
  EXPECT_EQ(count(left, "old"), 0u);
}

TEST_F(StoreLimit, KeptOnesStayAboveTheLimitAndAFloodDoesNotPileUpOnThem) {
  for (std::size_t i = 0; i < kMax + 100; ++i) put(numbered("kept", i), 2, 20);
  settle();
  EXPECT_EQ(names().size(), kMax + 100);
  EXPECT_EQ(cache->store_evictions(), 0u);
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < 1000; ++i) put(numbered("flood", i + 1000 * round), 1, 0);
    settle();
  }
  const auto left = names();
  EXPECT_EQ(count(left, "kept"), kMax + 100);
  EXPECT_LE(count(left, "flood"), static_cast<std::size_t>(kPruneBatch));
}

TEST_F(StoreLimit, LoweredLimitIsReachedAtTheNextStart) {
  for (std::size_t i = 0; i < 3000; ++i) put(numbered("once", i), 1, 0);
  settle();
  open();
  cache->set_max_stored(1000);
  cache->load([](const auto& result) { EXPECT_TRUE(result.ok()); });
  settle();
  EXPECT_LE(names().size(), 1000u);
}

TEST_F(StoreLimit, RewrittenAndRemovedRowsAreNotCountedTwice) {
  for (int round = 0; round < 5; ++round) {
    for (std::size_t i = 0; i < kMax; ++i) put(numbered("once", i), 1, 0);
    settle();
  }
  EXPECT_EQ(names().size(), kMax);
  EXPECT_EQ(cache->store_evictions(), 0u);
  // Names that go by other ways make the count too high; it is taken anew before anything goes.
  for (std::size_t i = 0; i < 50; ++i) cache->forget(numbered("once", i), [](const auto&) {});
  for (std::size_t i = 0; i < 50; ++i) put(numbered("other", i), 1, 0);
  settle();
  EXPECT_EQ(names().size(), kMax);
  EXPECT_EQ(cache->store_evictions(), 0u);
}

}  // namespace
}  // namespace strictmx::mta_sts
