// questions_test.cc - requests and replies of every map, over a made-up network.
#include "common/service/questions.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/fake_world.h"

namespace strictmx::service {
namespace {

using fakes::FakeWorld;
using std::chrono::hours;
using std::chrono::seconds;

constexpr const char* kEnforce =
    "version: STSv1\nmode: enforce\nmx: mx1.Example.com\nmx: *.example.net\nmax_age: 604800\n";
constexpr const char* kSecure = "OK secure match=mx1.example.com:.example.net servername=hostname";

std::string with_mode(const std::string& mode) {
  return "version: STSv1\nmode: " + mode + "\nmx: mx1.example.com\nmax_age: 604800\n";
}

// PEERS 3.2: byte for byte what postfix-tlspol answers.
TEST(PostfixAnswers, EnforceIsSecure) {
  FakeWorld world;
  world.publish("example.com", kEnforce);
  EXPECT_EQ(world.ask("postfix example.com"), kSecure);
  EXPECT_EQ(world.ask("postfix-tlsrpt example.com"),
            std::string(kSecure) +
                " policy_type=sts policy_domain=example.com mx_host_pattern=mx1.example.com "
                "mx_host_pattern=*.example.net { policy_string = version: STSv1 } "
                "{ policy_string = mode: enforce } { policy_string = mx: mx1.Example.com } "
                "{ policy_string = mx: *.example.net } { policy_string = max_age: 604800 }");
}

TEST(PostfixAnswers, EverythingElseIsNotFound) {
  FakeWorld world;
  world.publish("testing.example", with_mode("testing"));
  world.publish("none.example", with_mode("none"));
  world.publish("invalid.example", "version: STSv1\n");
  world.publish("down.example", kEnforce);
  world.client.fail_policy("down.example", http::HttpError::kConnect);
  for (const char* key : {"testing.example", "none.example", "invalid.example", "down.example",
                          "absent.example", ".example.com", "192.0.2.1", "[192.0.2.1]:25", ""}) {
    SCOPED_TRACE(key);
    EXPECT_EQ(world.ask(std::string("postfix ") + key), "NOTFOUND ");
    EXPECT_EQ(world.ask(std::string("postfix-tlsrpt ") + key), "NOTFOUND ");
  }
}

TEST(PostfixAnswers, LetterCaseAndFormOfTheKeyDoNotMatter) {
  FakeWorld world;
  world.publish("example.com", kEnforce);
  for (const char* key : {"example.com", "EXAMPLE.com", "example.com.", "[example.com]",
                          "[Example.com]:25", "example.com:587"}) {
    SCOPED_TRACE(key);
    EXPECT_EQ(world.ask(std::string("postfix ") + key), kSecure);
  }
  EXPECT_EQ(world.client.asked["mta-sts.example.com"], 1);
}

TEST(PostfixAnswers, ParentsPolicyNeverHolds) {
  FakeWorld world;
  world.publish("example.com", kEnforce);
  EXPECT_EQ(world.ask("postfix sub.example.com"), "NOTFOUND ");
}

// PEERS 3.3: a zone name of postfix-mta-sts-resolver is any map name.
TEST(PostfixAnswers, AnyZoneNameIsThePlainMap) {
  FakeWorld world;
  world.publish("example.com", kEnforce);
  EXPECT_EQ(world.ask("default example.com"), kSecure);
  EXPECT_EQ(world.ask("my_Zone-1 example.com"), kSecure);
}

TEST(Questions, BadRequestsArePermanent) {
  FakeWorld world;
  for (const std::string request :
       {"", "postfix", "sts example.com", "record {}", " example.com", "a.b example.com",
        "\xFF\xFE example.com", "name-that-is-longer-than-32-bytes-x example.com"}) {
    SCOPED_TRACE(request);
    const auto reply = world.ask(request);
    ASSERT_TRUE(reply.has_value());
    EXPECT_TRUE(reply->starts_with("PERM ")) << *reply;
    for (const char c : *reply) EXPECT_TRUE(c >= ' ' && c < 0x7f);
  }
}

// A policy whose text tries to break out of an attribute.
TEST(PostfixAnswers, HostileTextStaysInItsAttribute) {
  FakeWorld world;
  world.publish("example.com",
                "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmax_age: 604800\n"
                "x-one: } policy_failure=validation-failure { a = b\n"
                "x-two: plain = text policy_type=none\n"
                "x-three: {nested}\n");
  const auto reply = world.ask("postfix-tlsrpt example.com");
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->find("x-one"), std::string::npos);
  EXPECT_EQ(reply->find("x-three"), std::string::npos);
  EXPECT_NE(reply->find("{ policy_string = x-two: plain = text policy_type=none }"),
            std::string::npos);
  // Braces come in pairs, never nested.
  int depth = 0;
  for (const char c : *reply) {
    if (c == '{') {
      EXPECT_EQ(++depth, 1);
    } else if (c == '}') {
      EXPECT_EQ(--depth, 0);
    }
  }
  for (const char* mx : {"mx: mx1.example.com servername=x\n", "mx: a:b.example.com\n",
                         "mx: {a}.example.com\n", "mx: a=b.example.com\n"}) {
    SCOPED_TRACE(mx);
    FakeWorld other;
    other.publish("example.com",
                  std::string("version: STSv1\nmode: enforce\nmax_age: 604800\n") + mx);
    EXPECT_EQ(other.ask("postfix example.com"), "NOTFOUND ");
  }
}

// servers/postfix.md 1.1: a reply over 100,000 bytes breaks the lookup.
TEST(PostfixAnswers, LongPolicyLosesItsOptionalAttributesFirst) {
  FakeWorld world;
  std::string body = "version: STSv1\nmode: enforce\nmax_age: 604800\n";
  for (int i = 0; i < 500; ++i) {
    body += "mx: " + std::string(60, 'a') + "." + std::string(45, 'b') + std::to_string(1000 + i) +
            ".example\n";
  }
  ASSERT_LT(body.size(), mta_sts::kMaxPolicyBytes);
  world.publish("example.com", body);
  const auto reply = world.ask("postfix-tlsrpt example.com");
  ASSERT_TRUE(reply.has_value());
  EXPECT_LE(reply->size(), kMaxReplyBytes);
  EXPECT_TRUE(reply->starts_with("OK secure match=aaa"));
  EXPECT_NE(reply->find("policy_type=sts"), std::string::npos);
  EXPECT_NE(reply->find(std::to_string(1499) + ".example servername=hostname"), std::string::npos);
}

TEST(Questions, WaitingQuestionIsAnsweredWhenTheFetchEnds) {
  FakeWorld world;
  world.publish("example.com", kEnforce);
  std::string reply;
  world.questions.ask("postfix example.com",
                      [&](std::string_view framed) { reply = FakeWorld::unframed(framed); });
  EXPECT_TRUE(reply.empty());
  EXPECT_EQ(world.questions.waiting(), 1u);
  world.pending.deliver();
  EXPECT_EQ(reply, kSecure);
  EXPECT_EQ(world.questions.waiting(), 0u);
}

TEST(Questions, WaitEndsWithTempAndItsReason) {
  FakeWorld world;
  world.questions.set_settings({.wait = std::chrono::milliseconds(1)});
  world.publish("slow.example", kEnforce);
  std::string reply;
  world.questions.ask("postfix slow.example", [&](std::string_view framed) {
    reply = FakeWorld::unframed(framed);
    world.loop->stop();
  });
  world.clock.advance(seconds(1));
  world.loop->run();
  EXPECT_TRUE(reply.starts_with("TEMP ")) << reply;
  EXPECT_NE(reply.find("slow.example"), std::string::npos);
  // The resolution went on: the next question is answered.
  world.pending.deliver();
  EXPECT_EQ(world.ask("postfix slow.example"), kSecure);
}

TEST(Questions, ReadyReplyFollowsAChangedPolicy) {
  FakeWorld world;
  world.publish("example.com", kEnforce);
  EXPECT_EQ(world.ask("postfix example.com"), kSecure);
  EXPECT_NE(world.questions.find_ready("postfix example.com", world.clock.now()), nullptr);
  world.publish("example.com", with_mode("none"), "2");
  world.clock.advance(hours(1));
  EXPECT_EQ(world.ask("postfix example.com"), kSecure);  // live; the check runs behind it
  EXPECT_EQ(world.ask("postfix example.com"), "NOTFOUND ");
}

TEST(Questions, ReadyReplyEndsWithThePolicy) {
  FakeWorld world;
  world.publish("example.com",
                "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmax_age: 100\n");
  EXPECT_TRUE(world.ask("postfix example.com")->starts_with("OK"));
  world.client.fail_policy("example.com", http::HttpError::kConnect);
  world.clock.advance(seconds(100));
  EXPECT_EQ(world.ask("postfix example.com"), "NOTFOUND ");
}

TEST(Questions, SteppedClockNeitherEndsNorProlongsAnAnswer) {
  for (const std::chrono::seconds step : {std::chrono::hours(24), -std::chrono::hours(24)}) {
    SCOPED_TRACE(step.count());
    FakeWorld world;
    world.publish("example.com",
                  "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmax_age: 100\n");
    ASSERT_TRUE(world.ask("postfix example.com")->starts_with("OK"));
    world.client.fail_policy("example.com", http::HttpError::kConnect);
    // Asked in both ways: by the bytes that are ready, and by others that mean the same.
    for (const char* request : {"postfix EXAMPLE.com", "postfix example.com"}) {
      world.clock.step(step);
      EXPECT_TRUE(world.ask(request)->starts_with("OK")) << request;
    }
    world.clock.step(step);
    world.clock.advance(seconds(100));
    EXPECT_EQ(world.ask("postfix EXAMPLE.com"), "NOTFOUND ");
    EXPECT_EQ(world.ask("postfix example.com"), "NOTFOUND ");
  }
}

TEST(Questions, SkippedDomainsAreNeverLookedUp) {
  FakeWorld world;
  world.questions.set_settings({.skip_domains = {"corp.example"}});
  world.publish("corp.example", kEnforce);
  world.publish("notcorp.example", kEnforce);
  EXPECT_EQ(world.ask("postfix corp.example"), "NOTFOUND ");
  EXPECT_EQ(world.ask("postfix mail.corp.example"), "NOTFOUND ");
  EXPECT_EQ(world.resolver.asked["_mta-sts.corp.example"], 0);
  EXPECT_EQ(world.ask("postfix notcorp.example"), kSecure);
}

// A signed domain with one MX host, whose TLSA records are at this port.
void publish_dane(FakeWorld& world, const std::string& domain, int port = 25) {
  const std::string host = "mx." + domain;
  dns::DnsAnswer<dns::MxRecord> mx;
  mx.records = {{10, host}};
  mx.ttl = seconds(300);
  mx.is_secure = true;
  world.resolver.mx_records.insert_or_assign(domain, mx);
  dns::DnsAnswer<base::IpAddress> address;
  address.records = {*base::IpAddress::parse("192.0.2.1")};
  address.ttl = seconds(300);
  address.is_secure = true;
  world.resolver.address_records.insert_or_assign(host, address);
  dns::DnsAnswer<dns::TlsaRecord> tlsa;
  tlsa.records = {{3, 1, 1, std::string(32, 'd')}};
  tlsa.ttl = seconds(300);
  tlsa.is_secure = true;
  world.resolver.tlsa_records.insert_or_assign("_" + std::to_string(port) + "._tcp." + host, tlsa);
}

// PEERS 3.2: the map names of postfix-tlspol have DANE answers always, ours when they are on.
TEST(DaneAnswers, AreForMapsThatHaveThem) {
  FakeWorld world;
  publish_dane(world, "example.com");
  EXPECT_EQ(world.ask("QUERY example.com"), "OK dane-only");
  EXPECT_EQ(world.ask("QUERYwithTLSRPT example.com"), "OK dane-only ");
  const int asked = world.resolver.asked["mx.example.com"];
  EXPECT_EQ(world.ask("postfix example.com"), "NOTFOUND ");
  world.questions.replace_format("postfix", world.postfix_dane);
  EXPECT_EQ(world.ask("postfix example.com"), "OK dane-only");
  EXPECT_EQ(world.ask("any_zone example.com"), "OK dane-only");
  EXPECT_EQ(world.resolver.asked["mx.example.com"], asked);
}

TEST(DaneAnswers, AreNotLookedUpForMapsWithoutThem) {
  FakeWorld world;
  publish_dane(world, "example.com");
  EXPECT_EQ(world.ask("postfix example.com"), "NOTFOUND ");
  EXPECT_EQ(world.resolver.asked["example.com"], 0);
}

TEST(DaneAnswers, FollowTheDnsWithinTheTtl) {
  FakeWorld world;
  publish_dane(world, "example.com");
  EXPECT_EQ(world.ask("QUERY example.com"), "OK dane-only");
  dns::DnsAnswer<dns::TlsaRecord> none;
  none.is_secure = true;
  world.resolver.tlsa_records.insert_or_assign("_25._tcp.mx.example.com", none);
  world.clock.advance(seconds(239));
  EXPECT_EQ(world.ask("QUERY example.com"), "OK dane-only");
  world.clock.advance(seconds(2));
  EXPECT_EQ(world.ask("QUERY example.com"), "OK dane-only");  // looked up behind it
  EXPECT_EQ(world.ask("QUERY example.com"), "NOTFOUND ");
}

// DESIGN: DANE state is kept per (host, port); MTA-STS knows the name alone.
TEST(DaneAnswers, SmartHostsHaveTheirOwnPort) {
  FakeWorld world;
  dns::DnsAnswer<base::IpAddress> address;
  address.records = {*base::IpAddress::parse("192.0.2.1")};
  address.is_secure = true;
  world.resolver.address_records.insert_or_assign("relay.example", address);
  dns::DnsAnswer<dns::TlsaRecord> tlsa;
  tlsa.records = {{3, 1, 1, std::string(32, 'd')}};
  tlsa.is_secure = true;
  world.resolver.tlsa_records.insert_or_assign("_587._tcp.relay.example", tlsa);
  dns::DnsAnswer<dns::TlsaRecord> none;
  none.is_secure = true;
  world.resolver.tlsa_records.insert_or_assign("_25._tcp.relay.example", none);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(world.ask("QUERY [relay.example]:587"), "OK dane-only");
    EXPECT_EQ(world.ask("QUERY [relay.example]:submission"), "OK dane-only");
    EXPECT_EQ(world.ask("QUERY [relay.example]"), "NOTFOUND ");
    EXPECT_EQ(world.ask("QUERY relay.example:587"), "OK dane");  // its MX absence is unsigned
  }
}

TEST(DaneAnswers, FailureIsTempWithTheReasonAndNotKeptLong) {
  FakeWorld world;
  publish_dane(world, "example.com");
  world.resolver.tlsa_records.insert_or_assign(
      "_25._tcp.mx.example.com", base::fail(dns::DnsError::kServerFailure, "SERV\nFAIL\xff"));
  EXPECT_EQ(world.ask("QUERY example.com"),
            "TEMP DANE of example.com: _25._tcp.mx.example.com: SERV?FAIL?");
  EXPECT_EQ(world.ask("postfix example.com"), "NOTFOUND ");
  EXPECT_TRUE(world.ask("json example.com")->starts_with("TEMP "));
  publish_dane(world, "example.com");
  world.clock.advance(seconds(31));
  EXPECT_EQ(world.ask("QUERY example.com"), "OK dane-only");
}

// A question that waits over a reload is told as it was asked, and its reply is not kept for those
// that come after it.
TEST(DaneAnswers, ReloadWhileAQuestionWaits) {
  FakeWorld world;
  publish_dane(world, "example.com");
  world.publish("example.com", with_mode("testing"));
  std::string got;
  world.questions.ask("postfix example.com",
                      [&got](std::string_view framed) { got = FakeWorld::unframed(framed); });
  world.questions.replace_format("postfix", world.postfix_dane);
  world.pending.deliver();
  EXPECT_EQ(got, "NOTFOUND ");
  EXPECT_EQ(world.ask("postfix example.com"), "OK dane-only");
}

// While DNS is slow about DANE, the policy that was there first may change.
TEST(DaneAnswers, TheHalfThatCameFirstIsTakenAnew) {
  FakeWorld world;
  world.publish("example.com", with_mode("testing"));
  EXPECT_EQ(world.ask("postfix example.com"), "NOTFOUND ");
  std::string got;
  world.questions.ask("QUERY example.com",
                      [&got](std::string_view framed) { got = FakeWorld::unframed(framed); });
  mta_sts::CachedPolicy enforce;
  enforce.id = "2";
  enforce.mode = mta_sts::PolicyMode::kEnforce;
  enforce.body = "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmax_age: 604800";
  enforce.fetched = world.clock.now();
  enforce.expires = world.clock.now() + hours(100);
  world.cache.put("example.com", enforce);
  world.pending.deliver();
  EXPECT_EQ(got, "OK secure match=mx1.example.com servername=hostname");
}

TEST(Overrides, ChangeAnswersThatWereReady) {
  FakeWorld world;
  world.publish("example.com", kEnforce);
  EXPECT_EQ(world.ask("postfix example.com"), kSecure);
  verdict::Override none;
  none.domain = "example.com";
  none.until = world.clock.now() + seconds(100);
  world.overrides.set(none, 0, [](const auto& outcome) { EXPECT_TRUE(outcome.ok()); });
  world.pending.deliver();
  EXPECT_EQ(world.ask("postfix example.com"), "NOTFOUND ");
  EXPECT_EQ(world.ask("QUERY example.com"), "NOTFOUND ");
  const auto json = world.ask("json example.com");
  EXPECT_NE(json->find("\"source\":\"override\""), std::string::npos) << *json;
  EXPECT_NE(json->find("\"override\":{\"mode\":\"none\",\"until\":"), std::string::npos);
  world.clock.advance(seconds(100));
  EXPECT_EQ(world.ask("postfix example.com"), kSecure);
  world.overrides.remove("example.com", [](const auto& outcome) { EXPECT_TRUE(outcome.ok()); });
  world.pending.deliver();
  EXPECT_EQ(world.ask("QUERY example.com"), kSecure);
}

// An override that says all needs no answer from DNS.
TEST(Overrides, AreGivenWithoutWaiting) {
  FakeWorld world;
  verdict::Override own;
  own.domain = "example.com";
  own.mode = mta_sts::PolicyMode::kEnforce;
  own.mx = {"mx1.example.com"};
  world.overrides.set_configured({own});
  std::string got;
  world.questions.ask("QUERY example.com",
                      [&got](std::string_view framed) { got = FakeWorld::unframed(framed); });
  EXPECT_EQ(got, "OK secure match=mx1.example.com servername=hostname");
  world.pending.deliver();
  EXPECT_EQ(world.resolver.asked["_mta-sts.example.com"], 1);  // looked up all the same
}

TEST(Questions, ResultsAreTakenFromThoseWhoMayRecord) {
  FakeWorld world;
  std::string taken;
  world.questions.set_recorder([&taken](std::string_view text) {
    taken = text;
    return "OK accepted";
  });
  const auto ask = [&world](const char* request, Access access) {
    std::string reply;
    world.questions.ask(
        request, [&reply](std::string_view framed) { reply = framed; }, access);
    return reply;
  };
  EXPECT_EQ(ask("record {\"d\": 1}", Access::kAskAndRecord), "11:OK accepted,");
  EXPECT_EQ(taken, "{\"d\": 1}");
  taken.clear();
  EXPECT_EQ(ask("record {}", Access::kAsk), "44:PERM results are taken on UNIX sockets alone,");
  EXPECT_EQ(taken, "");
  EXPECT_NE(ask("record", Access::kAskAndRecord).find("PERM "), std::string::npos);
  EXPECT_EQ(world.ask("recorder example.com"), "NOTFOUND ");
}

TEST(JsonAnswers, TellTheVerdict) {
  FakeWorld world;
  world.publish("example.com", kEnforce);
  EXPECT_EQ(world.ask("json example.com"),
            "OK {\"version\":1,\"domain\":\"example.com\",\"policy\":\"sts\",\"mode\":\"enforce\","
            "\"mx\":[\"mx1.example.com\",\"*.example.net\"],\"id\":\"1\",\"max_age\":604800,"
            "\"fetched\":\"2026-01-15T12:00:00Z\",\"expires\":\"2026-01-22T12:00:00Z\","
            "\"source\":\"network\",\"mx-dnssec\":\"insecure\","
            "\"dane\":{\"example.com\":{\"state\":\"no-address\"}}}");
  const auto failed = world.ask("json absent.example");
  EXPECT_EQ(failed,
            "OK {\"version\":1,\"domain\":\"absent.example\",\"policy\":\"none\",\"mode\":\"none\","
            "\"source\":\"cache\",\"mx-dnssec\":\"insecure\","
            "\"dane\":{\"absent.example\":{\"state\":\"no-address\"}}}");
}

TEST(JsonAnswers, TellTheFailure) {
  FakeWorld world;
  world.publish("example.com", kEnforce);
  world.client.fail_policy("example.com", http::HttpError::kCertificate);
  const auto reply = world.ask("json example.com");
  ASSERT_TRUE(reply.has_value());
  EXPECT_NE(reply->find("\"result-type\":\"sts-webpki-invalid\""), std::string::npos) << *reply;
}

TEST(RouteAnswers, JudgeEachMxHost) {
  FakeWorld world;
  world.publish("example.com", kEnforce);
  dns::DnsAnswer<dns::MxRecord> mx;
  mx.records = {{10, "mx1.example.com"}, {20, "a.example.net"}, {30, "evil.example.org"}};
  world.resolver.mx_records.insert_or_assign("example.com", mx);
  for (const auto& record : mx.records) world.resolver.set_address(record.host);
  const auto reply = world.ask("route example.com");
  ASSERT_TRUE(reply.has_value());
  EXPECT_NE(reply->find("{\"host\":\"mx1.example.com\",\"preference\":10,\"allowed\":true"),
            std::string::npos);
  EXPECT_NE(reply->find("{\"host\":\"a.example.net\",\"preference\":20,\"allowed\":true"),
            std::string::npos);
  EXPECT_NE(reply->find("{\"host\":\"evil.example.org\",\"preference\":30,\"allowed\":false"),
            std::string::npos);
}

TEST(RouteAnswers, KnowImplicitNullAndBracketedHosts) {
  FakeWorld world;
  EXPECT_NE(world.ask("route a.example")->find("\"implicit_mx\":true"), std::string::npos);
  dns::DnsAnswer<dns::MxRecord> null_mx;
  null_mx.records = {{0, ""}};
  world.resolver.mx_records.insert_or_assign("b.example", null_mx);
  EXPECT_NE(world.ask("route b.example")->find("\"null_mx\":true"), std::string::npos);
  const auto bracketed = world.ask("route [relay.example]:587");
  EXPECT_NE(bracketed->find("\"host\":\"relay.example\""), std::string::npos);
  // Its addresses were asked for, its MX records were not.
  EXPECT_EQ(world.resolver.asked["relay.example"], 1);
  world.resolver.mx_records.insert_or_assign("c.example",
                                             base::fail(dns::DnsError::kServerFailure, "SERVFAIL"));
  EXPECT_EQ(world.ask("route c.example"), "TEMP DANE of c.example: MX of c.example: SERVFAIL");
  // A policy in force is applied whatever DNS says (RFC 8461 §5.1).
  world.publish("c.example", kEnforce);
  world.clock.advance(seconds(400));
  EXPECT_NE(world.ask("route c.example")->find("\"mx_error\":\"DNS: MX of c.example: SERVFAIL\""),
            std::string::npos);
}

}  // namespace
}  // namespace strictmx::service
