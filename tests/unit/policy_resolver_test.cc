// policy_resolver_test.cc - the control flow of RFC 8461 §3 and §5.1, with a made-up world.
#include "common/mta_sts/policy_resolver.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_database.h"
#include "tests/fakes/fake_network.h"

namespace strictmx::mta_sts {
namespace {

using base::DomainName;
using dns::DnsError;
using http::HttpError;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using tlsrpt::ResultType;

constexpr const char* kName = "example.com";
constexpr const char* kRecordName = "_mta-sts.example.com";
constexpr const char* kHost = "mta-sts.example.com";

std::string policy_text(const std::string& mode, const std::string& max_age = "604800") {
  return "version: STSv1\nmode: " + mode + "\nmx: mx1.example.com\nmax_age: " + max_age + "\n";
}

// What an asker was told, kept past the callback.
struct Told {
  bool is_answered = false;
  bool has_policy = false;
  bool is_from_network = false;
  PolicyMode mode = PolicyMode::kNone;
  std::string id;
  std::optional<ResultType> trouble;
  std::string reason;
};

class Rfc8461Sec51Flow : public testing::Test {
 protected:
  Rfc8461Sec51Flow() { publish("1", "enforce"); }

  void publish(const std::string& id, const std::string& mode) {
    resolver.set_txt(kRecordName, {"v=STSv1; id=" + id + ";"});
    resolver.set_address(kHost);
    client.set_policy(kName, policy_text(mode));
  }

  std::shared_ptr<Told> ask(const std::string& name = kName) {
    auto told = std::make_shared<Told>();
    const auto note = [told](const PolicyAnswer& answer) {
      told->is_answered = true;
      told->has_policy = answer.policy != nullptr;
      told->is_from_network = answer.is_from_network;
      if (answer.policy != nullptr) {
        told->mode = answer.policy->mode;
        told->id = answer.policy->id;
      }
      if (answer.trouble != nullptr) {
        told->trouble = answer.trouble->type;
        told->reason = answer.trouble->reason;
      }
    };
    const auto now = policies->ask(DomainName::parse(name).value(), note);
    if (now.has_value()) note(*now);
    return told;
  }

  Told ask_and_wait(const std::string& name = kName) {
    const auto told = ask(name);
    pending.deliver();
    EXPECT_TRUE(told->is_answered);
    return *told;
  }

  // The daemon ends and starts again on the same store.
  void restart(std::size_t max_entries = 1000) {
    policies.reset();
    cache = std::make_unique<PolicyCache>(database, clock, max_entries);
    policies =
        std::make_unique<PolicyResolver>(*cache, resolver, fetcher, clock, RefreshSettings{});
    cache->load([](const auto&) {});
    pending.deliver();
  }

  fakes::Pending pending;
  fakes::FakeClock clock;
  fakes::FakeResolver resolver{pending};
  fakes::FakeHttpClient client{pending};
  fakes::FakeDatabase database{pending};
  PolicyFetcher fetcher{resolver, client};
  std::unique_ptr<PolicyCache> cache = std::make_unique<PolicyCache>(database, clock, 1000);
  std::unique_ptr<PolicyResolver> policies =
      std::make_unique<PolicyResolver>(*cache, resolver, fetcher, clock, RefreshSettings{});
};

TEST_F(Rfc8461Sec51Flow, FirstQuestionFetchesAndTheNextIsAnsweredAtOnce) {
  const Told first = ask_and_wait();
  EXPECT_TRUE(first.has_policy);
  EXPECT_TRUE(first.is_from_network);
  EXPECT_EQ(first.mode, PolicyMode::kEnforce);
  EXPECT_EQ(client.last_request.path, "/.well-known/mta-sts.txt");
  const auto second = ask();
  EXPECT_TRUE(second->is_answered);
  EXPECT_FALSE(second->is_from_network);
  EXPECT_EQ(client.asked[kHost], 1);
}

TEST_F(Rfc8461Sec51Flow, AskersOfOneDomainShareOneResolution) {
  std::vector<std::shared_ptr<Told>> all;
  for (int i = 0; i < 50; ++i) all.push_back(ask());
  pending.deliver();
  for (const auto& told : all) EXPECT_TRUE(told->is_answered && told->has_policy);
  EXPECT_EQ(resolver.asked[kRecordName], 1);
  EXPECT_EQ(client.asked[kHost], 1);
  EXPECT_EQ(policies->counters().shared, 49u);
}

TEST_F(Rfc8461Sec51Flow, AbsenceIsCachedByTheSoaRuleWithinBounds) {
  struct Case {
    const char* name;
    seconds ttl;
    seconds still_cached;
    seconds asked_again;
  };
  const Case cases[] = {
      {"the SOA's value", seconds(600), seconds(599), seconds(601)},
      {"at least a minute", seconds(0), seconds(59), seconds(61)},
      {"at most an hour", hours(48), seconds(3599), seconds(3601)},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string name = std::string("none") + std::to_string(c.ttl.count()) + ".example";
    const std::string record = "_mta-sts." + name;
    resolver.negative_ttl = c.ttl;
    EXPECT_FALSE(ask_and_wait(name).has_policy);
    EXPECT_EQ(resolver.asked[record], 1);
    clock.advance(c.still_cached);
    EXPECT_TRUE(ask(name)->is_answered);
    EXPECT_EQ(resolver.asked[record], 1);
    clock.advance(c.asked_again - c.still_cached);
    ask_and_wait(name);
    EXPECT_EQ(resolver.asked[record], 2);
    EXPECT_EQ(client.asked["mta-sts." + name], 0);
  }
}

// §3.1: not exactly one valid record is no available policy, and discovery stops.
TEST_F(Rfc8461Sec51Flow, NoUsableRecordMeansNoFetch) {
  struct Case {
    const char* name;
    std::vector<std::string> texts;
    bool is_trouble;
  };
  const Case cases[] = {
      {"unrelated record of a wildcard zone", {"v=spf1 -all"}, false},
      {"two valid records", {"v=STSv1; id=1;", "v=STSv1; id=2;"}, true},
      {"no id", {"v=STSv1;"}, true},
      {"id with a hyphen", {"v=STSv1; id=a-b;"}, true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    restart();
    resolver.set_txt(kRecordName, c.texts);
    const Told told = ask_and_wait();
    EXPECT_FALSE(told.has_policy);
    EXPECT_EQ(told.trouble.has_value(), c.is_trouble) << told.reason;
    EXPECT_EQ(client.asked[kHost], 0);
  }
}

// §3.3: a live cached policy is used whatever DNS and HTTPS say, and nobody waits for them.
TEST_F(Rfc8461Sec51Flow, LivePolicyHoldsWhateverHappens) {
  struct Case {
    const char* name;
    std::function<void()> happens;
  };
  const Case cases[] = {
      {"record gone", [this] { resolver.set_txt(kRecordName, {}); }},
      {"record broken", [this] { resolver.set_txt(kRecordName, {"v=STSv1; nonsense"}); }},
      {"DNS fails", [this] { resolver.fail_txt(kRecordName, DnsError::kServerFailure); }},
      {"DNS silent", [this] { resolver.fail_txt(kRecordName, DnsError::kTimeout); }},
      {"DNS bogus", [this] { resolver.fail_txt(kRecordName, DnsError::kBogus); }},
      {"new id, policy host down",
       [this] {
         publish("2", "none");
         client.fail_policy(kName, HttpError::kConnect);
       }},
      {"new id, foreign certificate",
       [this] {
         publish("3", "none");
         client.fail_policy(kName, HttpError::kCertificate);
       }},
      {"new id, invalid body",
       [this] {
         publish("4", "none");
         client.set_policy(kName, "mode: none\n");
       }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    database.policies.clear();
    restart();
    publish("1", "enforce");
    ask_and_wait();
    clock.advance(hours(2));  // the record's TTL is over
    c.happens();
    const auto at_once = ask();
    EXPECT_TRUE(at_once->is_answered && at_once->has_policy);
    pending.deliver();
    const auto later = ask();
    EXPECT_TRUE(later->is_answered && later->has_policy);
    EXPECT_EQ(later->mode, PolicyMode::kEnforce);
    EXPECT_EQ(later->id, "1");
    // A restart on the same store changes nothing.
    restart();
    const auto restarted = ask();
    EXPECT_TRUE(restarted->is_answered && restarted->has_policy);
    EXPECT_EQ(restarted->mode, PolicyMode::kEnforce);
  }
}

TEST_F(Rfc8461Sec51Flow, ExpiredPolicyDoesNotHold) {
  ask_and_wait();
  client.fail_policy(kName, HttpError::kTimeout);
  clock.advance(seconds(604800 + 1));
  const Told told = ask_and_wait();
  EXPECT_FALSE(told.has_policy);
  EXPECT_EQ(told.trouble, ResultType::kStsPolicyFetchError);
}

TEST_F(Rfc8461Sec51Flow, NewIdIsSeenOnUseWithinTheTtlAndDelaysNobody) {
  ask_and_wait();
  publish("2", "testing");
  clock.advance(seconds(299));  // inside the record's TTL of 300
  ask_and_wait();
  EXPECT_EQ(resolver.asked[kRecordName], 1);
  clock.advance(seconds(2));
  const auto told = ask();
  EXPECT_TRUE(told->is_answered);
  EXPECT_EQ(told->id, "1");  // the live policy answers, the check goes on behind it
  pending.deliver();
  const auto after = ask();
  EXPECT_EQ(after->id, "2");
  EXPECT_EQ(after->mode, PolicyMode::kTesting);
  EXPECT_EQ(policies->counters().downgrades, 1u);
}

TEST_F(Rfc8461Sec51Flow, ModeNoneReplacesAnOlderPolicy) {
  ask_and_wait();
  publish("2", "none");
  clock.advance(hours(1));
  ask_and_wait();
  EXPECT_EQ(ask()->mode, PolicyMode::kNone);
}

TEST_F(Rfc8461Sec51Flow, UnchangedIdIsNotFetchedAgain) {
  ask_and_wait();
  for (int i = 0; i < 5; ++i) {
    clock.advance(hours(1));
    ask_and_wait();
  }
  EXPECT_EQ(client.asked[kHost], 1);
  EXPECT_EQ(resolver.asked[kRecordName], 6);
}

// §3.3: five minutes or longer between attempts per id; ours grow to an hour.
TEST_F(Rfc8461Sec51Flow, FailedFetchBacksOffPerId) {
  client.fail_policy(kName, HttpError::kConnect);
  EXPECT_EQ(ask_and_wait().trouble, ResultType::kStsPolicyFetchError);
  const seconds waits[] = {minutes(5), minutes(10), minutes(20), minutes(40), hours(1), hours(1)};
  int fetches = 1;
  for (const seconds wait : waits) {
    SCOPED_TRACE(wait.count());
    clock.advance(wait - seconds(1));
    ask_and_wait();
    EXPECT_EQ(client.asked[kHost], fetches);
    clock.advance(seconds(1));
    ask_and_wait();
    EXPECT_EQ(client.asked[kHost], ++fetches);
  }
}

TEST_F(Rfc8461Sec51Flow, NewIdEndsTheBackOff) {
  client.fail_policy(kName, HttpError::kConnect);
  ask_and_wait();
  publish("2", "enforce");
  clock.advance(minutes(6));
  ask_and_wait();
  client.fail_policy(kName, HttpError::kConnect);
  const int before = client.asked[kHost];
  EXPECT_EQ(before, 2);
  EXPECT_TRUE(ask()->has_policy);
}

TEST_F(Rfc8461Sec51Flow, BackOffAnswersAtOnce) {
  client.fail_policy(kName, HttpError::kTimeout);
  ask_and_wait();
  clock.advance(seconds(70));  // beyond the record's check, inside the back-off
  const auto told = ask();
  EXPECT_TRUE(told->is_answered);
  EXPECT_FALSE(told->has_policy);
  EXPECT_EQ(told->trouble, ResultType::kStsPolicyFetchError);
}

TEST_F(Rfc8461Sec51Flow, EachFailureHasItsResultType) {
  struct Case {
    const char* name;
    std::function<void()> happens;
    ResultType want;
  };
  const auto respond = [this](int status, const char* type, const char* body) {
    client.responses.insert_or_assign(kHost, http::HttpResponse{status, type, body});
  };
  const Case cases[] = {
      {"404", [&] { respond(404, "text/plain", ""); }, ResultType::kStsPolicyFetchError},
      {"redirect", [&] { respond(301, "text/plain", ""); }, ResultType::kStsPolicyFetchError},
      {"204", [&] { respond(204, "text/plain", ""); }, ResultType::kStsPolicyFetchError},
      {"html", [&] { respond(200, "text/html", "version: STSv1"); },
       ResultType::kStsPolicyFetchError},
      {"no media type", [&] { respond(200, "", "version: STSv1"); },
       ResultType::kStsPolicyFetchError},
      {"media type that only begins alike", [&] { respond(200, "text/plainer", ""); },
       ResultType::kStsPolicyFetchError},
      {"empty body", [&] { respond(200, "text/plain", ""); }, ResultType::kStsPolicyInvalid},
      {"certificate", [&] { client.fail_policy(kName, HttpError::kCertificate); },
       ResultType::kStsWebpkiInvalid},
      {"handshake", [&] { client.fail_policy(kName, HttpError::kTls); },
       ResultType::kStsWebpkiInvalid},
      {"too large", [&] { client.fail_policy(kName, HttpError::kTooLarge); },
       ResultType::kStsPolicyFetchError},
      {"no address", [&] { resolver.address_records.clear(); }, ResultType::kStsPolicyFetchError},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    restart();
    publish("1", "enforce");
    c.happens();
    const Told told = ask_and_wait();
    EXPECT_FALSE(told.has_policy);
    EXPECT_EQ(told.trouble, c.want);
    EXPECT_FALSE(told.reason.empty());
  }
}

TEST_F(Rfc8461Sec51Flow, MediaTypeParametersAreIgnored) {
  client.responses.insert_or_assign(
      kHost, http::HttpResponse{200, "Text/Plain; charset=iso-8859-1", policy_text("enforce")});
  EXPECT_TRUE(ask_and_wait().has_policy);
}

// Not covered by the RFC: treated as no policy for now, and not as a cached absence.
TEST_F(Rfc8461Sec51Flow, DnsFailureIsNoPolicyButSoonAskedAgain) {
  resolver.fail_txt(kRecordName, DnsError::kTimeout);
  const Told told = ask_and_wait();
  EXPECT_FALSE(told.has_policy);
  EXPECT_FALSE(told.trouble.has_value());  // RFC 8460 has no type for it
  EXPECT_FALSE(told.reason.empty());
  publish("1", "enforce");
  clock.advance(kDnsFailureHold);
  EXPECT_TRUE(ask_and_wait().has_policy);
}

// §10.2: refreshed before expiry, also when the record is gone, for domains in use.
TEST_F(Rfc8461Sec51Flow, RefreshComesBeforeExpiryWhateverTheRecordSays) {
  ask_and_wait();
  resolver.set_txt(kRecordName, {});
  clock.advance(hours(25));
  policies->refresh_due();
  pending.deliver();
  EXPECT_EQ(client.asked[kHost], 2);
  clock.advance(seconds(604800) - hours(2));  // the first fetch alone would be over
  EXPECT_TRUE(ask()->has_policy);
}

TEST_F(Rfc8461Sec51Flow, FailingRefreshKeepsThePolicyAndBacksOff) {
  ask_and_wait();
  client.fail_policy(kName, HttpError::kConnect);
  clock.advance(hours(25));
  for (int i = 0; i < 10; ++i) {
    policies->refresh_due();
    pending.deliver();
  }
  EXPECT_EQ(client.asked[kHost], 2);
  EXPECT_TRUE(ask()->has_policy);
}

TEST_F(Rfc8461Sec51Flow, UnusedPoliciesAreNotRefreshed) {
  client.set_policy(kName, policy_text("enforce", "31557600"));
  ask_and_wait();
  clock.advance(std::chrono::days(31));
  policies->refresh_due();
  pending.deliver();
  EXPECT_EQ(client.asked[kHost], 1);
  EXPECT_TRUE(ask()->has_policy);  // still live: used, and from today refreshed again
  pending.deliver();
  policies->refresh_due();
  pending.deliver();
  EXPECT_EQ(client.asked[kHost], 2);
}

// §3.2 allows max_age 0; §3.3's "current delivery" may ask several times.
TEST_F(Rfc8461Sec51Flow, MaxAgeZeroServesTheCurrentDelivery) {
  client.set_policy(kName, policy_text("enforce", "0"));
  EXPECT_TRUE(ask_and_wait().has_policy);
  clock.advance(seconds(30));
  EXPECT_TRUE(ask()->has_policy);
  client.fail_policy(kName, HttpError::kConnect);
  clock.advance(seconds(31));
  EXPECT_FALSE(ask_and_wait().has_policy);
}

TEST_F(Rfc8461Sec51Flow, RenewedPolicyLivesFromItsLastFetch) {
  ask_and_wait();
  clock.advance(seconds(604800 - 10));
  resolver.set_txt(kRecordName, {"v=STSv1; id=2;"});  // same body, new id
  ask_and_wait();
  clock.advance(hours(24));
  EXPECT_TRUE(ask()->has_policy);
}

TEST_F(Rfc8461Sec51Flow, NameTooLongForTheRecordHasNoPolicy) {
  const std::string label(60, 'a');
  const std::string name = label + "." + label + "." + label + "." + label + ".example";
  ASSERT_GT(name.size() + 9, base::kMaxNameBytes);
  resolver.txt_records.insert_or_assign("", base::fail(DnsError::kName, "name can't be asked for"));
  EXPECT_FALSE(ask_and_wait(name).has_policy);
}

TEST_F(Rfc8461Sec51Flow, ForcedRefreshIgnoresIdAndBackOff) {
  client.fail_policy(kName, HttpError::kConnect);
  ask_and_wait();
  publish("1", "enforce");
  bool has_policy = false;
  policies->refresh(DomainName::parse(kName).value(),
                    [&](const PolicyAnswer& answer) { has_policy = answer.policy != nullptr; });
  pending.deliver();
  EXPECT_TRUE(has_policy);
}

TEST_F(Rfc8461Sec51Flow, MorePoliciesThanMemoryAreServedFromTheStore) {
  constexpr int kDomains = 300;
  restart(100);
  const auto name_of = [](int i) { return "d" + std::to_string(i) + ".example"; };
  for (int i = 0; i < kDomains; ++i) {
    const std::string name = name_of(i);
    resolver.set_txt("_mta-sts." + name, {"v=STSv1; id=1;"});
    resolver.set_address("mta-sts." + name);
    client.set_policy(name, policy_text("enforce"));
    ASSERT_TRUE(ask_and_wait(name).has_policy);
  }
  EXPECT_LE(cache->size(), 100u);
  client.responses.clear();
  resolver.txt_records.clear();
  for (int i = 0; i < kDomains; ++i) {
    SCOPED_TRACE(i);
    EXPECT_TRUE(ask_and_wait(name_of(i)).has_policy);
  }
  restart(100);
  for (int i = 0; i < kDomains; ++i) EXPECT_TRUE(ask_and_wait(name_of(i)).has_policy);
}

TEST_F(Rfc8461Sec51Flow, FullDiskServesFromMemoryAndIsMadeUpFor) {
  database.is_full = true;
  EXPECT_TRUE(ask_and_wait().has_policy);
  EXPECT_TRUE(cache->is_store_failing());
  EXPECT_EQ(cache->unsaved(), 1u);
  EXPECT_TRUE(ask()->has_policy);
  database.is_full = false;
  cache->retry_store();
  pending.deliver();
  EXPECT_FALSE(cache->is_store_failing());
  EXPECT_EQ(database.policies.count(kName), 1u);
}

TEST_F(Rfc8461Sec51Flow, PurgedPolicyIsFetchedAnew) {
  ask_and_wait();
  cache->forget(kName, [](const auto&) {});
  pending.deliver();
  EXPECT_TRUE(database.policies.empty());
  EXPECT_TRUE(ask_and_wait().is_from_network);
  EXPECT_EQ(client.asked[kHost], 2);
}

TEST_F(Rfc8461Sec51Flow, ChangesAreTold) {
  std::vector<std::string> changed;
  policies->set_on_change([&](const std::string& domain) { changed.push_back(domain); });
  ask_and_wait();
  publish("2", "none");
  clock.advance(hours(1));
  ask_and_wait();
  EXPECT_EQ(changed, (std::vector<std::string>{kName, kName}));
}

}  // namespace
}  // namespace strictmx::mta_sts
