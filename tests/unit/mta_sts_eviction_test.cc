// mta_sts_eviction_test.cc - what a flood of random names pushes out of memory (DESIGN "Store": a
// policy used on two days or more is not evicted by a flood).
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

#include "common/base/log.h"
#include "common/mta_sts/policy_resolver.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_database.h"
#include "tests/fakes/fake_network.h"

namespace strictmx::mta_sts {
namespace {

using base::DomainName;
using std::chrono::hours;
using std::chrono::minutes;

constexpr std::size_t kEntries = 1000;
constexpr int kFlood = 200000;
constexpr const char* kPolicy =
    "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmax_age: 604800\n";

class Eviction : public testing::Test {
 public:
  Eviction() {
    // A line for each of the flood would be most of the test's time.
    [[maybe_unused]] const auto opened = base::log_open("test", "error", "stderr");
  }

  void publish(const std::string& name) {
    resolver.set_txt("_mta-sts." + name, {"v=STSv1; id=1;"});
    resolver.set_address("mta-sts." + name);
    client.set_policy(name, kPolicy);
  }
  void withdraw(const std::string& name) {
    resolver.txt_records.erase("_mta-sts." + name);
    resolver.address_records.erase("mta-sts." + name);
    client.responses.erase("mta-sts." + name);
    database.policies.erase(name);  // the flood is to fill this cache, not the test's memory
  }
  bool ask(const std::string& name) {
    bool has_policy = false;
    const auto note = [&](const PolicyAnswer& answer) { has_policy = answer.policy != nullptr; };
    const auto now = policies.ask(DomainName::parse(name).value(), note);
    if (now.has_value()) note(*now);
    pending.deliver();
    return has_policy;
  }
  static std::string domain(const char* kind, int number) {
    return kind + std::to_string(number) + ".example";
  }
  int in_memory(const char* kind, int count) {
    int found = 0;
    for (int i = 0; i < count; ++i) {
      const Entry* entry = cache.find(domain(kind, i));
      if (entry != nullptr && entry->policy != nullptr) ++found;
    }
    return found;
  }
  // Names nobody has asked for before; of `with_policy` in a hundred each has its own policy.
  template <class Each>
  void flood(int with_policy, const Each& each) {
    std::mt19937_64 random(8461);
    for (int i = 0; i < kFlood; ++i) {
      const std::string name = "r" + std::to_string(random()) + ".flood.example";
      const bool has_policy = static_cast<int>(random() % 100) < with_policy;
      if (has_policy) publish(name);
      EXPECT_EQ(ask(name), has_policy);
      withdraw(name);
      each(i);
    }
  }

  fakes::Pending pending;
  fakes::FakeClock clock;
  fakes::FakeResolver resolver{pending};
  fakes::FakeHttpClient client{pending};
  fakes::FakeDatabase database{pending};
  PolicyFetcher fetcher{resolver, client};
  PolicyCache cache{database, clock, kEntries};
  PolicyResolver policies{cache, resolver, fetcher, clock, RefreshSettings{}};
};

TEST_F(Eviction, FloodPushesOutNothingThatIsUsed) {
  // Most of the cache is worth keeping, so that a few picked at random would often be.
  constexpr int kKept = 800;
  constexpr int kToday = 100;
  for (const int with_policy : {0, 50, 100}) {
    SCOPED_TRACE(with_policy);
    cache.forget_all([](const auto&) {});
    pending.deliver();
    for (int i = 0; i < kKept; ++i) publish(domain("kept", i));
    for (int i = 0; i < kToday; ++i) publish(domain("today", i));
    for (int i = 0; i < kKept; ++i) ASSERT_TRUE(ask(domain("kept", i)));
    clock.advance(hours(24));
    for (int i = 0; i < kKept; ++i) ASSERT_TRUE(ask(domain("kept", i)));
    // In use today alone: asked for again now and then, more seldom than the cache has entries.
    for (int i = 0; i < kToday; ++i) ASSERT_TRUE(ask(domain("today", i)));
    clock.advance(minutes(5));
    for (int i = 0; i < kToday; ++i) ASSERT_TRUE(ask(domain("today", i)));
    flood(with_policy, [&](int i) {
      if (i % 2000 == 0) {
        EXPECT_TRUE(ask(domain("today", i / 2000 % kToday)));
      }
    });
    EXPECT_EQ(in_memory("kept", kKept), kKept);
    EXPECT_EQ(in_memory("today", kToday), kToday);
    EXPECT_LE(cache.size(), kEntries);
  }
}

TEST_F(Eviction, FloodThatAsksTwicePushesOutNoKeptOne) {
  constexpr int kKept = 800;
  for (int i = 0; i < kKept; ++i) {
    CachedPolicy policy;
    policy.body = kPolicy;
    policy.days_used = kDaysToKeep;
    cache.put(domain("kept", i), policy);
  }
  for (int i = 0; i < 20000; ++i) {
    const std::string name = domain("twice", i);
    publish(name);
    EXPECT_TRUE(ask(name));
    EXPECT_TRUE(ask(name));
    withdraw(name);
  }
  EXPECT_EQ(in_memory("kept", kKept), kKept);
  EXPECT_EQ(cache.size(), kEntries);
}

TEST_F(Eviction, LongestUnusedGoesFirstWithinARank) {
  for (int i = 0; i < static_cast<int>(kEntries); ++i) {
    publish(domain("once", i));
    ASSERT_TRUE(ask(domain("once", i)));
  }
  ASSERT_TRUE(ask(domain("once", 0)));  // again: goes after all that were asked for once
  for (int i = 0; i < 10; ++i) {
    publish(domain("new", i));
    ASSERT_TRUE(ask(domain("new", i)));
  }
  EXPECT_NE(cache.find(domain("once", 0)), nullptr);
  for (int i = 1; i <= 10; ++i) EXPECT_EQ(cache.find(domain("once", i)), nullptr);
  EXPECT_NE(cache.find(domain("once", 11)), nullptr);
}

TEST_F(Eviction, KeptOnesMakeRoomWhenThereIsNothingElse) {
  for (int i = 0; i < static_cast<int>(kEntries) + 50; ++i) {
    CachedPolicy policy;
    policy.body = kPolicy;
    policy.days_used = kDaysToKeep;
    cache.put(domain("kept", i), policy);
  }
  EXPECT_EQ(cache.size(), kEntries);
  EXPECT_EQ(cache.evictions(), 50u);
  EXPECT_EQ(cache.find(domain("kept", 49)), nullptr);
  EXPECT_NE(cache.find(domain("kept", 50)), nullptr);
}

TEST_F(Eviction, EntriesUnderWorkStay) {
  for (int i = 0; i < static_cast<int>(kEntries); ++i) cache.hold(cache.make(domain("busy", i)));
  cache.make(domain("new", 0));
  EXPECT_EQ(cache.size(), kEntries + 1) << "bounded by the number of jobs";
  cache.make(domain("new", 1));
  EXPECT_EQ(cache.find(domain("new", 0)), nullptr);
  cache.release(cache.make(domain("busy", 7)));
  cache.make(domain("new", 2));
  cache.make(domain("new", 3));
  EXPECT_EQ(cache.find(domain("busy", 7)), nullptr);
  EXPECT_NE(cache.find(domain("busy", 8)), nullptr);
}

TEST_F(Eviction, LongPoliciesPushOutPoliciesAndNotWhatWeighsNothing) {
  for (int i = 0; i < 500; ++i) cache.make(domain("absent", i));
  CachedPolicy kept;
  kept.body = kPolicy;
  kept.days_used = kDaysToKeep;
  for (int i = 0; i < 100; ++i) cache.put(domain("kept", i), kept);
  CachedPolicy heavy;
  heavy.body = kPolicy;
  heavy.body.append(60000, '\n');
  heavy.days_used = 1;
  for (int i = 0; i < 300; ++i) cache.put(domain("heavy", i), heavy);
  EXPECT_EQ(in_memory("kept", 100), 100);
  EXPECT_LT(in_memory("heavy", 300), 20);
  for (int i = 0; i < 500; ++i) EXPECT_NE(cache.find(domain("absent", i)), nullptr);
}

}  // namespace
}  // namespace strictmx::mta_sts
