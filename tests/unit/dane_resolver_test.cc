// dane_resolver_test.cc - lookups of RFC 7672 §2.2 over a made-up DNS: hosts, MX sets, lives.
#include "common/dane/dane_resolver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_network.h"

namespace strictmx::dane {
namespace {

using dns::DnsError;
using std::chrono::seconds;

const std::string kDigest(32, 'd');

struct World {
  // `alias`: where a CNAME chain from the host ends.
  void host(const std::string& name, bool is_secure, const std::string& alias = "",
            seconds ttl = seconds(300)) {
    dns::DnsAnswer<base::IpAddress> answer;
    answer.records = {*base::IpAddress::parse("192.0.2.1")};
    answer.ttl = ttl;
    answer.is_secure = is_secure;
    answer.alias_target = alias;
    resolver.address_records.insert_or_assign(name, answer);
  }
  void cname(const std::string& name, bool is_secure, std::vector<std::string> targets) {
    resolver.cname_records.insert_or_assign(
        name, dns::DnsAnswer<std::string>{std::move(targets), seconds(300), true, is_secure});
  }
  void tlsa(const std::string& base, bool is_secure, std::vector<dns::TlsaRecord> records,
            seconds ttl = seconds(300), int port = 25) {
    resolver.tlsa_records.insert_or_assign(
        "_" + std::to_string(port) + "._tcp." + base,
        dns::DnsAnswer<dns::TlsaRecord>{std::move(records), ttl, true, is_secure});
  }
  void no_tlsa(const std::string& base) { tlsa(base, true, {}); }
  void fail_tlsa(const std::string& base, DnsError error) {
    resolver.tlsa_records.insert_or_assign("_25._tcp." + base, base::fail(error, "made to fail"));
  }
  void mx(const std::string& domain, bool is_secure, const std::vector<std::string>& hosts,
          seconds ttl = seconds(300)) {
    dns::DnsAnswer<dns::MxRecord> answer;
    unsigned preference = 0;
    for (const std::string& name : hosts) answer.records.push_back({preference += 10, name});
    answer.ttl = ttl;
    answer.is_secure = is_secure;
    resolver.mx_records.insert_or_assign(domain, answer);
  }
  int asked_tlsa(const std::string& base) { return resolver.asked["_25._tcp." + base]; }

  HostDane look_up(const std::string& name, std::uint16_t port = 25) {
    std::optional<HostDane> got;
    look_up_host(resolver, name, port, [&got](HostDane dane) { got = std::move(dane); });
    EXPECT_FALSE(got.has_value()) << "the callback ran inside the call";
    pending.deliver();
    return got.value_or(HostDane{});
  }

  NextHop hop(const std::string& domain, bool is_bracketed = false, std::uint16_t port = 25) {
    return NextHop{base::DomainName::parse(domain).value(), is_bracketed, port};
  }
  // Null while it waits.
  std::shared_ptr<const DaneAnswer> ask(const NextHop& next_hop, bool delivers = true) {
    auto got = std::make_shared<DaneResult>();
    const DaneResult now = dane.ask(next_hop, [got](const DaneResult& late) { *got = late; });
    if (now.answer != nullptr) *got = now;
    if (delivers) pending.deliver();
    valid_for = got->valid_for;
    return got->answer;
  }
  std::shared_ptr<const DaneAnswer> ask(const std::string& domain) { return ask(hop(domain)); }

  fakes::Pending pending;
  fakes::FakeClock clock;
  fakes::FakeResolver resolver{pending};
  DaneResolver dane{resolver, clock, 100};
  seconds valid_for{0};
};

std::vector<HostState> states(const DaneAnswer& answer) {
  std::vector<HostState> out;
  for (const MxHost& host : answer.hosts) out.push_back(host.dane->state);
  return out;
}

TEST(Rfc7672Sec22Host, SecureUsableRecordsAreFound) {
  World world;
  world.host("mx.example", true);
  world.tlsa("mx.example", true, {{3, 1, 1, kDigest}, {0, 0, 1, kDigest}});
  const HostDane got = world.look_up("mx.example");
  EXPECT_EQ(got.state, HostState::kUsable);
  EXPECT_EQ(got.base_domain, "mx.example");
  EXPECT_EQ(got.records.size(), 2u);
  EXPECT_EQ(got.records[0].substr(0, 8), "3 1 1 64");
}

TEST(Rfc7672Sec22Host, NoUsableRecordStillDemandsTls) {
  World world;
  world.host("mx.example", true);
  world.tlsa("mx.example", true, {{1, 1, 1, kDigest}});
  const HostDane got = world.look_up("mx.example");
  EXPECT_EQ(got.state, HostState::kUnusable);
  EXPECT_NE(got.reason.find("usage"), std::string::npos);
}

// §2.2.2: TLSA is not asked for where the addresses are not signed.
TEST(Rfc7672Sec222Host, InsecureAddressesEndTheLookup) {
  World world;
  world.host("mx.example", false);
  world.tlsa("mx.example", true, {{3, 1, 1, kDigest}});
  EXPECT_EQ(world.look_up("mx.example").state, HostState::kInsecure);
  EXPECT_EQ(world.asked_tlsa("mx.example"), 0);
}

TEST(Rfc7672Sec22Host, AbsenceMustBeSecure) {
  World world;
  world.host("mx.example", true);
  world.no_tlsa("mx.example");
  EXPECT_EQ(world.look_up("mx.example").state, HostState::kAbsent);
  world.tlsa("mx.example", false, {});
  EXPECT_EQ(world.look_up("mx.example").state, HostState::kInsecure);
  // Records that are not signed are none (§2.2).
  world.tlsa("mx.example", false, {{3, 1, 1, kDigest}});
  const HostDane got = world.look_up("mx.example");
  EXPECT_EQ(got.state, HostState::kInsecure);
  EXPECT_TRUE(got.records.empty());
}

// §2.1.2: an error is never read as "no TLSA".
TEST(Rfc7672Sec212Host, ErrorsMakeTheHostUnknown) {
  struct Case {
    DnsError error;
    HostState want;
  };
  for (const Case& c : {Case{DnsError::kTimeout, HostState::kFailed},
                        Case{DnsError::kServerFailure, HostState::kFailed},
                        Case{DnsError::kMalformed, HostState::kFailed},
                        Case{DnsError::kBogus, HostState::kBogus}}) {
    SCOPED_TRACE(dns::dns_error_name(c.error));
    World world;
    world.host("mx.example", true);
    world.fail_tlsa("mx.example", c.error);
    EXPECT_EQ(world.look_up("mx.example").state, c.want);
    EXPECT_FALSE(world.look_up("mx.example").reason.empty());
    World addresses;
    addresses.resolver.address_records.insert_or_assign("mx.example",
                                                        base::fail(c.error, "made to fail"));
    EXPECT_EQ(addresses.look_up("mx.example").state, c.want);
    EXPECT_EQ(addresses.asked_tlsa("mx.example"), 0);
  }
}

TEST(Rfc7672Sec22Host, WithoutAddressThereIsNoHost) {
  World world;
  EXPECT_EQ(world.look_up("mx.example").state, HostState::kNoAddress);
  world.resolver.address_records.insert_or_assign("bad name",
                                                  base::fail(DnsError::kName, "no name"));
  EXPECT_EQ(world.look_up("bad name").state, HostState::kNoAddress);
}

// A host name that leaves no room for "_25._tcp." can't have TLSA records.
TEST(Rfc7672Sec22Host, NameTooLongForTlsaHasNone) {
  World world;
  world.host("mx.example", true);
  world.fail_tlsa("mx.example", DnsError::kName);
  EXPECT_EQ(world.look_up("mx.example").state, HostState::kAbsent);
}

// §2.2.3: the expanded name first, then the original one.
TEST(Rfc7672Sec223Host, SecureAliasHasTwoCandidates) {
  World world;
  world.host("mx.example", true, "real.example.net");
  world.tlsa("real.example.net", true, {{3, 1, 1, kDigest}});
  world.tlsa("mx.example", true, {{2, 0, 1, kDigest}});
  EXPECT_EQ(world.look_up("mx.example").base_domain, "real.example.net");
  EXPECT_EQ(world.asked_tlsa("mx.example"), 0);
  world.no_tlsa("real.example.net");
  EXPECT_EQ(world.look_up("mx.example").base_domain, "mx.example");
  world.no_tlsa("mx.example");
  EXPECT_EQ(world.look_up("mx.example").state, HostState::kAbsent);
}

TEST(Rfc7672Sec223Host, ErrorAtTheFirstCandidateIsNotSkipped) {
  World world;
  world.host("mx.example", true, "real.example.net");
  world.fail_tlsa("real.example.net", DnsError::kServerFailure);
  world.tlsa("mx.example", true, {{3, 1, 1, kDigest}});
  EXPECT_EQ(world.look_up("mx.example").state, HostState::kFailed);
}

// §2.2.3: the target's zone is not signed, the alias is: only the original name.
TEST(Rfc7672Sec223Host, InsecureTargetOfASecureAlias) {
  World world;
  world.host("mx.example", false, "real.unsigned.example");
  world.cname("mx.example", true, {"real.unsigned.example"});
  world.tlsa("mx.example", true, {{3, 1, 1, kDigest}});
  world.tlsa("real.unsigned.example", true, {{3, 1, 1, kDigest}});
  EXPECT_EQ(world.look_up("mx.example").base_domain, "mx.example");
  EXPECT_EQ(world.asked_tlsa("real.unsigned.example"), 0);
  world.cname("mx.example", false, {"real.unsigned.example"});
  EXPECT_EQ(world.look_up("mx.example").state, HostState::kInsecure);
  world.resolver.cname_records.insert_or_assign("mx.example",
                                                base::fail(DnsError::kBogus, "made to fail"));
  EXPECT_EQ(world.look_up("mx.example").state, HostState::kBogus);
}

TEST(Rfc7672Sec22Host, FloodOfRecordsIsCut) {
  World world;
  world.host("mx.example", true);
  world.tlsa("mx.example", true,
             std::vector<dns::TlsaRecord>(kMaxTlsaRecords + 5, {3, 1, 1, kDigest}));
  EXPECT_EQ(world.look_up("mx.example").records.size(), kMaxTlsaRecords);
}

TEST(Rfc7672Sec22Hosts, EachMxHostHasItsState) {
  World world;
  world.mx("example.com", true, {"a.example", "b.example", "c.example"});
  world.host("a.example", true);
  world.tlsa("a.example", true, {{3, 1, 1, kDigest}});
  world.host("b.example", false);
  const auto answer = world.ask("example.com");
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->mx_state, MxState::kSecure);
  EXPECT_EQ(states(*answer), (std::vector<HostState>{HostState::kUsable, HostState::kInsecure,
                                                     HostState::kNoAddress}));
  EXPECT_EQ(answer->hosts[1].preference, 20u);
}

TEST(Rfc7672Sec221Hosts, MxSetMayBeInsecureBogusOrFail) {
  World world;
  world.mx("insecure.example", false, {"a.example"});
  EXPECT_EQ(world.ask("insecure.example")->mx_state, MxState::kInsecure);
  world.resolver.mx_records.insert_or_assign("bogus.example",
                                             base::fail(DnsError::kBogus, "forged"));
  const auto bogus = world.ask("bogus.example");
  EXPECT_EQ(bogus->mx_state, MxState::kBogus);
  EXPECT_EQ(bogus->reason, "MX of bogus.example: forged");
  world.resolver.mx_records.insert_or_assign("silent.example",
                                             base::fail(DnsError::kTimeout, "no answer"));
  EXPECT_EQ(world.ask("silent.example")->mx_state, MxState::kFailed);
}

// RFC 5321 §5.1, RFC 7505, RFC 7672 §2.2.2.
TEST(Rfc7672Sec222Hosts, ImplicitNullAndConfigured) {
  World world;
  world.host("implicit.example", true);
  world.tlsa("implicit.example", true, {{3, 1, 1, kDigest}});
  const auto implicit = world.ask("implicit.example");
  EXPECT_TRUE(implicit->is_implicit);
  EXPECT_EQ(implicit->hosts.at(0).name, "implicit.example");
  EXPECT_EQ(implicit->hosts.at(0).dane->state, HostState::kUsable);
  world.mx("null.example", true, {""});
  const auto null = world.ask("null.example");
  EXPECT_TRUE(null->is_null);
  EXPECT_TRUE(null->hosts.empty());
  // A smart host: no MX lookup, its own port's TLSA records.
  world.host("relay.example", true);
  world.tlsa("relay.example", true, {{3, 1, 1, kDigest}}, seconds(300), 587);
  world.mx("relay.example", true, {"elsewhere.example"});
  const auto relay = world.ask(world.hop("relay.example", true, 587));
  EXPECT_EQ(relay->mx_state, MxState::kConfigured);
  EXPECT_EQ(relay->hosts.at(0).name, "relay.example");
  EXPECT_EQ(relay->hosts.at(0).dane->state, HostState::kUsable);
  EXPECT_EQ(world.ask(world.hop("relay.example", true))->hosts.at(0).dane->state,
            HostState::kInsecure);  // nothing at port 25
}

TEST(Rfc7672Sec22Hosts, HostsBeyondTheLimitCountAsFailed) {
  World world;
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= kMaxMxHosts; ++i) names.push_back("mx" + std::to_string(i) + ".x");
  for (const std::string& name : names) world.host(name, false);
  world.mx("example.com", true, names);
  const auto answer = world.ask("example.com");
  EXPECT_EQ(answer->hosts[kMaxMxHosts - 1].dane->state, HostState::kInsecure);
  EXPECT_EQ(answer->hosts[kMaxMxHosts].dane->state, HostState::kFailed);
  EXPECT_EQ(world.resolver.asked[names.back()], 0);
}

TEST(DaneLife, HostsAreSharedBetweenDomainsAndAskers) {
  World world;
  for (const char* domain : {"a.com", "b.com"}) world.mx(domain, true, {"mx.example"});
  world.host("mx.example", true);
  world.tlsa("mx.example", true, {{3, 1, 1, kDigest}});
  world.ask(world.hop("a.com"), false);
  world.ask(world.hop("a.com"), false);
  world.ask(world.hop("b.com"));
  EXPECT_EQ(world.resolver.asked["a.com"], 1);
  EXPECT_EQ(world.resolver.asked["mx.example"], 1);
  EXPECT_EQ(world.asked_tlsa("mx.example"), 1);
  EXPECT_EQ(world.dane.counters().shared, 1u);
  EXPECT_NE(world.ask(world.hop("a.com"), false), nullptr);  // at once
}

// DESIGN: the TTL within a minute and an hour, refreshed on use before its end.
TEST(DaneLife, TtlIsClampedAndRefreshedOnUse) {
  struct Case {
    const char* name;
    seconds ttl;
    seconds refresh;
    seconds end;
  };
  for (const Case& c : {Case{"zero", seconds(0), seconds(48), seconds(60)},
                        Case{"usual", seconds(300), seconds(240), seconds(300)},
                        Case{"a week", seconds(604800), seconds(2880), seconds(3600)}}) {
    SCOPED_TRACE(c.name);
    World world;
    world.mx("example.com", true, {"mx.example"}, c.ttl);
    world.host("mx.example", true, "", seconds(86400));
    world.tlsa("mx.example", true, {{3, 1, 1, kDigest}}, seconds(86400));
    world.ask("example.com");
    EXPECT_EQ(world.valid_for, c.refresh);
    world.clock.advance(c.refresh - seconds(1));
    world.ask("example.com");
    EXPECT_EQ(world.resolver.asked["example.com"], 1);
    world.clock.advance(seconds(1));
    // Answered at once, looked up behind it.
    EXPECT_NE(world.ask(world.hop("example.com"), false), nullptr);
    EXPECT_EQ(world.valid_for, seconds(1));
    world.pending.deliver();
    EXPECT_EQ(world.resolver.asked["example.com"], 2);
    world.clock.advance(c.end);
    EXPECT_EQ(world.ask(world.hop("example.com"), false), nullptr);  // too old to be told
  }
}

TEST(DaneLife, FailedRefreshKeepsWhatIsAlive) {
  World world;
  world.mx("example.com", true, {"mx.example"});
  world.host("mx.example", true);
  world.tlsa("mx.example", true, {{3, 1, 1, kDigest}});
  world.ask("example.com");
  world.clock.advance(seconds(250));
  world.fail_tlsa("mx.example", DnsError::kTimeout);
  world.ask("example.com");
  EXPECT_EQ(world.ask("example.com")->hosts[0].dane->state, HostState::kUsable);
  world.clock.advance(seconds(51));  // its TTL is over
  const auto expired = world.ask("example.com");
  ASSERT_NE(expired, nullptr);
  EXPECT_EQ(expired->hosts[0].dane->state, HostState::kFailed);
  // A failure holds for a short time only.
  world.tlsa("mx.example", true, {{3, 1, 1, kDigest}});
  world.clock.advance(kFailureHold - seconds(1));
  EXPECT_EQ(world.ask("example.com")->hosts[0].dane->state, HostState::kFailed);
  world.clock.advance(seconds(1));
  EXPECT_EQ(world.ask("example.com")->hosts[0].dane->state, HostState::kUsable);
}

TEST(DaneLife, FailedMxRefreshKeepsWhatIsAlive) {
  World world;
  world.mx("example.com", true, {"mx.example"});
  world.host("mx.example", false);
  world.ask("example.com");
  world.resolver.mx_records.insert_or_assign("example.com",
                                             base::fail(DnsError::kTimeout, "no answer"));
  world.clock.advance(seconds(250));
  world.ask("example.com");
  EXPECT_EQ(world.ask("example.com")->mx_state, MxState::kSecure);
  world.clock.advance(seconds(50));
  EXPECT_EQ(world.ask("example.com")->mx_state, MxState::kFailed);
}

// Its host is known from a domain: nothing is left to wait for.
TEST(Rfc7672Sec222Hosts, ConfiguredHostMayBeKnownAlready) {
  World world;
  world.mx("example.com", true, {"mx.example"});
  world.host("mx.example", true);
  world.tlsa("mx.example", true, {{3, 1, 1, kDigest}});
  world.ask("example.com");
  const auto answer = world.ask(world.hop("mx.example", true), false);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->hosts.at(0).dane->state, HostState::kUsable);
  EXPECT_EQ(world.resolver.asked["mx.example"], 1);
}

// One domain with many hosts must not take every DNS question there may be.
TEST(DaneLife, FewHostsOfADomainAreAskedForAtOnce) {
  World world;
  std::vector<std::string> names;
  for (int i = 0; i < 10; ++i) names.push_back("mx" + std::to_string(i) + ".example");
  for (const std::string& name : names) world.host(name, false);
  world.mx("example.com", true, names);
  std::size_t most = 0;
  bool is_done = false;
  world.dane.ask(world.hop("example.com"), [&is_done](const DaneResult&) { is_done = true; });
  for (int i = 0; i < 100 && !is_done; ++i) {
    world.pending.deliver_one();
    most = std::max(most, world.pending.size());
  }
  EXPECT_TRUE(is_done);
  EXPECT_EQ(most, kHostsAtOnce);
  for (const std::string& name : names) EXPECT_EQ(world.resolver.asked[name], 1);
}

TEST(DaneLife, LargeRecordsCountAsMoreEntries) {
  World world;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "d" + std::to_string(i) + ".example";
    world.mx(name, true, {"mx." + name});
    world.host("mx." + name, true);
    world.tlsa("mx." + name, true,
               std::vector<dns::TlsaRecord>(kMaxTlsaRecords, {3, 0, 0, std::string(5000, 'x')}));
    const auto answer = world.ask(name);
    ASSERT_NE(answer, nullptr);
    std::size_t bytes = 0;
    for (const std::string& record : answer->hosts.at(0).dane->records) bytes += record.size();
    EXPECT_LE(bytes, kMaxTlsaTextBytes + kMaxTlsaRecords * 20);
  }
  EXPECT_LT(world.dane.hosts(), 20u);  // 100 KiB in all
  EXPECT_LT(world.dane.size(), 20u);
}

TEST(DaneLife, ForgettingReachesWhatIsUnderWay) {
  World world;
  world.mx("example.com", true, {"mx.example"});
  world.host("mx.example", false);
  world.ask(world.hop("example.com"), false);
  world.dane.forget("example.com");
  world.pending.deliver();
  world.clock.advance(seconds(1));
  world.ask("example.com");
  EXPECT_EQ(world.resolver.asked["example.com"], 2);
}

TEST(DaneLife, ForgottenDomainsAreLookedUpAnew) {
  World world;
  world.mx("example.com", true, {"mx.example"});
  world.host("mx.example", false);
  world.ask("example.com");
  world.dane.forget("example.com");
  world.ask("example.com");
  EXPECT_EQ(world.resolver.asked["mx.example"], 2);
  world.dane.forget_all();
  EXPECT_EQ(world.dane.size(), 0u);
  EXPECT_EQ(world.dane.hosts(), 0u);
}

TEST(DaneLife, WhatRanWhenAllWasForgottenIsToldButNotKept) {
  // How far the lookup has come: nothing has been answered, or the MX records have.
  for (const int steps : {0, 1}) {
    SCOPED_TRACE(steps);
    World world;
    world.mx("example.com", false, {"mx.example"});
    world.host("mx.example", false);
    std::shared_ptr<const DaneAnswer> told;
    world.dane.ask(world.hop("example.com"),
                   [&told](const DaneResult& late) { told = late.answer; });
    for (int i = 0; i < steps; ++i) world.pending.deliver_one();
    world.dane.forget_all();
    world.mx("example.com", true, {"mx.example"});
    world.host("mx.example", true);
    world.tlsa("mx.example", true, {{3, 1, 1, kDigest}});
    world.pending.deliver();
    ASSERT_NE(told, nullptr);
    const auto asked_next = world.ask("example.com");
    ASSERT_NE(asked_next, nullptr);
    EXPECT_EQ(asked_next->mx_state, MxState::kSecure);
    EXPECT_EQ(asked_next->hosts[0].dane->state, HostState::kUsable);
  }
}

TEST(DaneLife, MemoryIsBounded) {
  World world;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "d" + std::to_string(i) + ".example";
    world.host("mx." + name, false);
    world.mx(name, false, {"mx." + name});
    ASSERT_NE(world.ask(name), nullptr);
  }
  EXPECT_LE(world.dane.size(), 100u);
  EXPECT_LE(world.dane.hosts(), 100u);
  world.clock.advance(seconds(3600));
  world.dane.sweep();
  EXPECT_EQ(world.dane.size(), 0u);
  EXPECT_EQ(world.dane.hosts(), 0u);
}

TEST(DaneLife, ChangesAreTold) {
  World world;
  std::vector<std::string> told;
  world.dane.set_on_change([&told](const NextHop& hop) { told.push_back(hop.text()); });
  world.ask("example.com");
  world.ask(world.hop("relay.example", true, 587));
  EXPECT_EQ(told, (std::vector<std::string>{"example.com", "[relay.example]:587"}));
}

}  // namespace
}  // namespace strictmx::dane
