// own_results_test.cc - what strictmxd itself tells of failed sessions, over a made-up network (RFC
// 8460 §4.3.2.2, §4.3.3).
#include "common/reporting/own_results.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fakes/fake_world.h"

namespace strictmx::reporting {
namespace {

using fakes::FakeWorld;
using http::HttpError;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using tlsrpt::ResultType;

constexpr const char* kName = "example.com";
constexpr const char* kHost = "mta-sts.example.com";
constexpr const char* kRecordName = "_mta-sts.example.com";

std::string policy_text(const std::string& mode, const std::string& more = "") {
  return "version: STSv1\nmode: " + mode + "\nmx: mx1.example.com\n" + more + "max_age: 604800\n";
}

const std::vector<std::string> kEnforceLines = {"version: STSv1", "mode: enforce",
                                                "mx: mx1.example.com", "max_age: 604800"};

struct OwnWorld : FakeWorld {
  OwnWorld() {
    policies.set_on_fetch_failed([this](const auto& failure) { own.note_fetch_failure(failure); });
    questions.set_on_hosts_told([this](const auto& verdict) { own.note_mx_hosts(verdict); });
  }

  void set_mx(const std::vector<std::string>& hosts, seconds ttl = seconds(300),
              const std::string& domain = kName) {
    dns::DnsAnswer<dns::MxRecord> answer;
    for (const std::string& host : hosts) answer.records.push_back({10, host});
    answer.ttl = ttl;
    resolver.mx_records.insert_or_assign(domain, answer);
  }

  // What came since the last look; each is one failed session with one failure, without a record.
  std::vector<tlsrpt::ResultDatagram> take() {
    std::vector<tlsrpt::ResultDatagram> results;
    for (const std::string& text : std::exchange(told, {})) {
      auto result = tlsrpt::read_result_datagram(text);
      EXPECT_TRUE(result.ok()) << text;
      if (!result.ok()) continue;
      EXPECT_EQ(result.value().record, "");
      EXPECT_EQ(result.value().outcomes.size(), 1U);
      EXPECT_TRUE(result.value().outcomes[0].is_failed);
      EXPECT_EQ(result.value().outcomes[0].failures.size(), 1U);
      EXPECT_EQ(result.value().outcomes[0].policy.type, tlsrpt::PolicyType::kSts);
      EXPECT_EQ(result.value().outcomes[0].policy.domain, result.value().domain.text());
      results.push_back(std::move(result).value());
    }
    return results;
  }

  std::vector<std::string> told;
  OwnResults own{steps, [this](std::string text) { told.push_back(std::move(text)); }};
};

tlsrpt::FailureDetails failure_of(const tlsrpt::ResultDatagram& result) {
  return result.outcomes.at(0).failures.at(0);
}

TEST(Rfc8460Sec4322OwnResults, EachKindOfFailedFetch) {
  struct Case {
    const char* name;
    std::function<void(OwnWorld&)> happens;
    ResultType type;
    std::string reason;
  };
  const auto respond = [](int status, const char* type, const char* body) {
    return [=](OwnWorld& world) {
      world.client.responses.insert_or_assign(kHost, http::HttpResponse{status, type, body});
    };
  };
  const auto fail_with = [](HttpError error) {
    return [=](OwnWorld& world) { world.client.fail_policy(kName, error); };
  };
  const Case cases[] = {
      {"refused", fail_with(HttpError::kConnect), ResultType::kStsPolicyFetchError, "made to fail"},
      {"silent", fail_with(HttpError::kTimeout), ResultType::kStsPolicyFetchError, "made to fail"},
      {"certificate", fail_with(HttpError::kCertificate), ResultType::kStsWebpkiInvalid,
       "made to fail"},
      {"TLS", fail_with(HttpError::kTls), ResultType::kStsWebpkiInvalid, "made to fail"},
      {"404", respond(404, "text/plain", ""), ResultType::kStsPolicyFetchError,
       "HTTP status 404, only 200 counts"},
      {"html", respond(200, "text/html", ""), ResultType::kStsPolicyFetchError,
       "media type is not text/plain but text/html"},
      {"hostile media type", respond(200, "\x1b[31m\n", ""), ResultType::kStsPolicyFetchError,
       "media type is not text/plain but \\x1b[31m\\x0a"},
      {"no policy", respond(200, "text/plain", "version: STSv1\nmode: none\n"),
       ResultType::kStsPolicyInvalid, "max_age is missing"},
      {"no address of the policy host",
       [](OwnWorld& world) { world.resolver.address_records.clear(); },
       ResultType::kStsPolicyFetchError, "mta-sts.example.com: no address in DNS"},
      // RFC 8461 §3.3: DNS of the policy host belongs to the fetch. The resolver's own words stay
      // here.
      {"DNS of the policy host",
       [](OwnWorld& world) {
         world.resolver.address_records.insert_or_assign(
             kHost, base::fail(dns::DnsError::kBogus, "no signatures from 10.0.0.53"));
       },
       ResultType::kStsPolicyFetchError, "mta-sts.example.com: DNS: bogus"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    OwnWorld world;
    world.publish(kName, policy_text("enforce"));
    c.happens(world);
    EXPECT_EQ(world.ask("postfix example.com"), "NOTFOUND ");
    const auto results = world.take();
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].domain.text(), kName);
    EXPECT_TRUE(results[0].outcomes[0].policy.strings.empty());
    EXPECT_TRUE(results[0].outcomes[0].policy.mx_hosts.empty());
    tlsrpt::FailureDetails want;
    want.type = c.type;
    want.reason_code = failure_of(results[0]).reason_code;
    EXPECT_EQ(failure_of(results[0]), want);
    EXPECT_NE(want.reason_code.find(c.reason), std::string::npos) << want.reason_code;
  }
}

TEST(Rfc8460Sec4322OwnResults, AnAttemptCountsOnceHoweverManyAsk) {
  OwnWorld world;
  world.publish(kName, policy_text("enforce"));
  world.client.fail_policy(kName, HttpError::kConnect);
  for (int i = 0; i < 50; ++i) {
    world.questions.ask("postfix example.com", [](std::string_view) {});
    world.questions.ask("route example.com", [](std::string_view) {});
  }
  world.pending.deliver();
  EXPECT_EQ(world.take().size(), 1U);
  // Answers of the back-off are no attempts; the next attempt is.
  int attempts = 1;
  for (int minute = 1; minute <= 60; ++minute) {
    world.clock.advance(minutes(1));
    world.ask("postfix example.com");
    world.ask("json example.com");
    attempts += static_cast<int>(world.take().size());
    EXPECT_EQ(attempts, world.client.asked[kHost]);
  }
  EXPECT_EQ(attempts, 4);  // now, and after 5, 10 and 20 minutes each
  EXPECT_EQ(world.own.counters().fetch_errors, 4U);
}

TEST(Rfc8460Sec4322OwnResults, WhatIsNoFailedFetch) {
  struct Case {
    const char* name;
    std::function<void(OwnWorld&)> happens;
  };
  const Case cases[] = {
      {"all is well", [](OwnWorld&) {}},
      {"no record", [](OwnWorld& world) { world.resolver.txt_records.clear(); }},
      {"two records",
       [](OwnWorld& world) {
         world.resolver.set_txt(kRecordName, {"v=STSv1; id=1;", "v=STSv1; id=2;"});
       }},
      {"wrong record",
       [](OwnWorld& world) { world.resolver.set_txt(kRecordName, {"v=STSv1; id=-;"}); }},
      {"DNS of the record",
       [](OwnWorld& world) {
         world.resolver.fail_txt(kRecordName, dns::DnsError::kServerFailure);
       }},
      {"a lack of our own",
       [](OwnWorld& world) { world.client.fail_policy(kName, HttpError::kSystem); }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    OwnWorld world;
    world.publish(kName, policy_text("enforce"));
    c.happens(world);
    world.ask("postfix example.com");
    EXPECT_TRUE(world.told.empty());
  }
}

TEST(Rfc8460Sec4322OwnResults, WithTheLivePolicyThatStays) {
  OwnWorld world;
  world.publish(kName, policy_text("enforce"));
  world.ask("postfix example.com");
  world.publish(kName, "mode: enforce\n", "2");
  world.clock.advance(hours(1));
  EXPECT_TRUE(world.ask("postfix example.com")->starts_with("OK secure "));
  // Postfix would report it once more.
  EXPECT_EQ(world.ask("postfix-tlsrpt example.com")->find("policy_failure"), std::string::npos);
  const auto results = world.take();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(failure_of(results[0]).type, ResultType::kStsPolicyInvalid);
  EXPECT_EQ(results[0].outcomes[0].policy.strings, kEnforceLines);
  EXPECT_EQ(results[0].outcomes[0].policy.mx_hosts, std::vector<std::string>{"mx1.example.com"});
  // Once it has expired it is told no more.
  world.clock.advance(hours(24 * 7));
  world.ask("postfix example.com");
  const auto later = world.take();
  ASSERT_EQ(later.size(), 1U);
  EXPECT_TRUE(later[0].outcomes[0].policy.strings.empty());
}

void refresh(OwnWorld& world) {
  world.policies.refresh(base::DomainName::parse(kName).value(), [](const auto&) {});
  world.pending.deliver();
}

// RFC 8461 §10.2: a refresh fetches whatever the TXT record says, and its failures matter, but for
// a policy that its owner takes back (§8.3).
TEST(Rfc8461Sec102OwnResults, RefreshOfAPolicyWhoseRecordIsGone) {
  for (const char* mode : {"enforce", "testing", "none"}) {
    SCOPED_TRACE(mode);
    OwnWorld world;
    world.publish(kName, policy_text(mode));
    world.ask("postfix example.com");
    world.resolver.txt_records.clear();
    world.client.responses.clear();
    refresh(world);
    EXPECT_EQ(world.client.asked[kHost], 2);
    EXPECT_EQ(world.take().size(), std::string(mode) == "none" ? 0U : 1U);
  }
  // A new id says that there is a policy again.
  OwnWorld world;
  world.publish(kName, policy_text("none"));
  world.ask("postfix example.com");
  world.publish(kName, "", "2");
  world.clock.advance(hours(1));
  world.ask("postfix example.com");
  EXPECT_EQ(world.take().size(), 1U);
}

TEST(Rfc8461Sec102OwnResults, EachForcedRefreshIsAnAttempt) {
  OwnWorld world;
  world.publish(kName, policy_text("enforce"));
  world.client.fail_policy(kName, HttpError::kConnect);
  for (int i = 0; i < 3; ++i) refresh(world);
  EXPECT_EQ(world.take().size(), 3U);
}

TEST(OwnResults, LongReasonsAreCut) {
  OwnWorld world;
  world.publish(kName, policy_text("enforce"));
  world.client.responses.insert_or_assign(
      kHost, http::HttpResponse{200, std::string(5000, 'x') + "\xFF", ""});
  world.ask("postfix example.com");
  const auto results = world.take();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_LE(failure_of(results[0]).reason_code.size(), kMaxReasonBytes + 8);
}

TEST(OwnResults, ForgedMxHostIsToldOnceForALookup) {
  for (const char* mode : {"enforce", "testing"}) {
    for (const char* map : {"route", "json"}) {
      SCOPED_TRACE(std::string(mode) + " " + map);
      OwnWorld world;
      world.publish(kName, policy_text(mode));
      world.set_mx({"mx1.example.com", "evil.example.org"});
      const std::string question = std::string(map) + " example.com";
      for (int i = 0; i < 50; ++i) world.questions.ask(question, [](std::string_view) {});
      world.pending.deliver();
      for (int i = 0; i < 5; ++i) world.ask(question);
      const auto results = world.take();
      ASSERT_EQ(results.size(), 1U);
      EXPECT_EQ(results[0].domain.text(), kName);
      tlsrpt::FailureDetails want;
      want.type = ResultType::kValidationFailure;
      want.receiving_mx_hostname = "evil.example.org";
      want.reason_code = "mtasts-policy-mx-mismatch";
      EXPECT_EQ(failure_of(results[0]), want);
      std::vector<std::string> lines = kEnforceLines;
      lines[1] = std::string("mode: ") + mode;
      EXPECT_EQ(results[0].outcomes[0].policy.strings, lines);
      EXPECT_EQ(results[0].outcomes[0].policy.mx_hosts,
                std::vector<std::string>{"mx1.example.com"});
      EXPECT_EQ(world.own.counters().mx_mismatches, 1U);
      // The TTL of the look-up is over, the next one counts.
      world.clock.advance(seconds(301));
      world.ask(question);
      EXPECT_EQ(world.take().size(), 1U);
    }
  }
}

// A look-up whose hosts are in trouble is repeated long before its MX records run out.
TEST(OwnResults, TheLifeOfALookupIsItsMxTtl) {
  struct Case {
    seconds ttl;
    seconds still;
    seconds again;
  };
  for (const Case& c :
       {Case{seconds(0), seconds(59), seconds(61)}, Case{seconds(600), seconds(599), seconds(601)},
        Case{hours(48), seconds(3599), seconds(3601)}}) {
    SCOPED_TRACE(c.ttl.count());
    OwnWorld world;
    world.publish(kName, policy_text("enforce"));
    world.set_mx({"evil.example.org"}, c.ttl);
    world.resolver.address_records.insert_or_assign(
        "evil.example.org", base::fail(dns::DnsError::kTimeout, "made to fail"));
    world.ask("route example.com");
    EXPECT_EQ(world.take().size(), 1U);
    world.clock.advance(c.still);
    world.ask("route example.com");
    EXPECT_GT(world.resolver.asked[kName], 1);
    EXPECT_TRUE(world.told.empty());
    world.clock.advance(c.again - c.still);
    world.ask("route example.com");
    EXPECT_EQ(world.take().size(), 1U);
  }
}

TEST(OwnResults, EachHostAndEachDomainCounts) {
  OwnWorld world;
  for (const char* domain : {"a.example", "b.example"}) {
    world.publish(domain, policy_text("enforce"));
    world.set_mx({"x.example.org", "mx1.example.com", "y.example.org", "x.example.org"},
                 seconds(300), domain);
    world.ask(std::string("route ") + domain);
  }
  std::vector<std::string> seen;
  for (const auto& result : world.take()) {
    seen.push_back(result.domain.text() + " " + failure_of(result).receiving_mx_hostname);
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"a.example x.example.org", "a.example y.example.org",
                                            "b.example x.example.org", "b.example y.example.org"}));
  // A policy that changes under the same look-up: what it refuses as well is new.
  world.publish("a.example", "version: STSv1\nmode: enforce\nmx: z.example.org\nmax_age: 604800\n",
                "2");
  world.policies.refresh(base::DomainName::parse("a.example").value(), [](const auto&) {});
  world.pending.deliver();
  world.ask("route a.example");
  const auto results = world.take();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(failure_of(results[0]).receiving_mx_hostname, "mx1.example.com");
}

TEST(OwnResults, WhoDoesNotNameHostsTellsNothing) {
  OwnWorld world;
  world.publish(kName, policy_text("enforce"));
  world.set_mx({"evil.example.org"});
  for (const char* map : {"postfix", "postfix-tlsrpt", "QUERY", "QUERYwithTLSRPT"}) {
    world.ask(std::string(map) + " example.com");
  }
  EXPECT_TRUE(world.told.empty());
}

TEST(OwnResults, WhatNoPolicyRefuses) {
  struct Case {
    const char* name;
    std::function<void(OwnWorld&)> happens;
    const char* question;
  };
  const Case cases[] = {
      {"mode none", [](OwnWorld& world) { world.publish(kName, policy_text("none")); },
       "route example.com"},
      {"no policy", [](OwnWorld& world) { world.resolver.txt_records.clear(); },
       "route example.com"},
      {"an override",
       [](OwnWorld& world) {
         verdict::Override set;
         set.domain = kName;
         set.mode = mta_sts::PolicyMode::kEnforce;
         set.mx = {"other.example"};
         world.overrides.set_configured({set});
       },
       "route example.com"},
      {"named by this site", [](OwnWorld&) {}, "route [example.com]:25"},
      {"allowed hosts", [](OwnWorld& world) { world.set_mx({"MX1.example.com"}); },
       "route example.com"},
      {"null MX", [](OwnWorld& world) { world.set_mx({""}); }, "route example.com"},
      {"MX can't be had",
       [](OwnWorld& world) {
         world.resolver.mx_records.insert_or_assign(
             kName, base::fail(dns::DnsError::kServerFailure, "SERVFAIL"));
       },
       "route example.com"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    OwnWorld world;
    world.publish(kName, policy_text("enforce"));
    world.set_mx({"evil.example.org"});
    c.happens(world);
    ASSERT_TRUE(world.ask(c.question).has_value());
    EXPECT_TRUE(world.told.empty());
  }
}

TEST(OwnResults, ImplicitMxIsAHostToo) {
  OwnWorld world;
  world.publish(kName, policy_text("enforce"));
  world.ask("route example.com");
  const auto results = world.take();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(failure_of(results[0]).receiving_mx_hostname, kName);
}

TEST(OwnResults, AFloodIsBoundedByTheHour) {
  OwnWorld world;
  const auto fail_one = [&world](std::uint64_t number) {
    const auto domain = base::DomainName::parse("d" + std::to_string(number) + ".example").value();
    const std::string reason = "made to fail";
    world.own.note_fetch_failure({domain, ResultType::kStsWebpkiInvalid, reason, nullptr});
  };
  for (std::uint64_t i = 0; i < kMaxResultsAnHour + 5; ++i) fail_one(i);
  EXPECT_EQ(world.take().size(), kMaxResultsAnHour);
  EXPECT_EQ(world.own.counters().webpki_invalid, kMaxResultsAnHour);
  EXPECT_EQ(world.own.counters().too_many, 5U);
  world.clock.advance(minutes(59));
  fail_one(0);
  EXPECT_EQ(world.take().size(), 0U);
  world.clock.advance(minutes(1));
  fail_one(0);
  EXPECT_EQ(world.take().size(), 1U);
}

// More hosts than are remembered: those beyond are not told, rather than told each time.
TEST(OwnResults, RememberedHostsAreBounded) {
  OwnWorld world;
  verdict::Verdict verdict;
  verdict.domain = kName;
  verdict.mode = mta_sts::PolicyMode::kEnforce;
  verdict.mx = {"mx1.example.com"};
  verdict.fetched = world.clock.now();
  const auto ask_hosts = [&](std::size_t first, std::size_t count) {
    dane::DaneAnswer answer;
    answer.mx_state = dane::MxState::kInsecure;
    answer.mx_ttl = seconds(600);
    for (std::size_t i = first; i < first + count; ++i) {
      answer.hosts.push_back(
          {10, "h" + std::to_string(i) + ".example", std::make_shared<const dane::HostDane>()});
    }
    verdict.dane = std::make_shared<const dane::DaneAnswer>(std::move(answer));
    world.own.note_mx_hosts(verdict);
    return world.take().size();
  };
  ASSERT_LT(kMaxResultsAnHour, kMaxHosts);
  EXPECT_EQ(ask_hosts(0, kMaxHosts + 7), kMaxResultsAnHour);
  EXPECT_EQ(world.own.counters().hosts_full, 7U);
  EXPECT_EQ(ask_hosts(0, 100), 0U);
  world.clock.advance(seconds(601));
  EXPECT_EQ(ask_hosts(kMaxHosts, 7), 0U);  // of another hour
  world.clock.advance(hours(1));
  EXPECT_EQ(ask_hosts(kMaxHosts, 7), 7U);
}

}  // namespace
}  // namespace strictmx::reporting
