// mta_sts_policy_fetch_test.cc - which addresses of a policy host are asked for and tried, and what
// is told when none helps.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/mta_sts/policy_fetch.h"
#include "tests/fakes/fake_network.h"

namespace strictmx::mta_sts {
namespace {

using dns::AddressFamily;
using dns::DnsError;
using http::HttpError;

constexpr const char* kHost = "mta-sts.example.com";
constexpr const char* kPolicy =
    "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 86400\n";

// Answers by the first address of a request.
class ClientByAddress : public http::Client {
 public:
  explicit ClientByAddress(fakes::Pending& pending) : pending_(pending) {}

  std::map<std::string, HttpError> failures;
  std::vector<std::string> tried;  // the addresses of one request in one text

  void send(http::HttpRequest request, http::HttpCallback callback) override {
    std::string all;
    for (const auto& address : request.addresses) all += (all.empty() ? "" : " ") + address.text();
    tried.push_back(all);
    const auto failure = failures.find(request.addresses.front().text());
    http::HttpResult result = http::HttpResponse{200, "text/plain", kPolicy};
    if (failure != failures.end()) {
      result = base::fail(failure->second, failure->first + ": made to fail");
    }
    pending_.add([callback = std::move(callback), result] { callback(result); });
  }

 private:
  fakes::Pending& pending_;
};

struct Case {
  const char* name;
  std::vector<std::string> addresses;
  bool host_exists;
  std::vector<std::pair<AddressFamily, DnsError>> dns_failures;
  std::map<std::string, HttpError> http_failures;
  std::vector<std::string> want_tried;
  int want_ipv6_questions;
  std::string want;  // the reason, empty for a policy
};

TEST(Rfc8461Sec33PolicyFetch, Ipv6IsAskedForWhereIpv4DoesNotDo) {
  constexpr auto kV4 = AddressFamily::kIpv4;
  constexpr auto kV6 = AddressFamily::kIpv6;
  const std::string no_v4 = std::string(kHost) + ": made to fail";
  const std::vector<std::string> many4 = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4",
                                          "192.0.2.5"};
  const std::vector<std::string> many6 = {"2001:db8::1", "2001:db8::2", "2001:db8::3",
                                          "2001:db8::4", "2001:db8::5"};
  const Case cases[] = {
      {"both", {"192.0.2.1", "2001:db8::1"}, true, {}, {}, {"192.0.2.1"}, 0, ""},
      {"IPv4 alone", {"192.0.2.1"}, true, {}, {}, {"192.0.2.1"}, 0, ""},
      {"IPv6 alone", {"2001:db8::1"}, true, {}, {}, {"2001:db8::1"}, 1, ""},
      {"neither", {}, true, {}, {}, {}, 1, "mta-sts.example.com: no address in DNS"},
      {"no such host", {}, false, {}, {}, {}, 0, "mta-sts.example.com: no address in DNS"},
      {"A fails, AAAA is there",
       {"2001:db8::1"},
       true,
       {{kV4, DnsError::kServerFailure}},
       {},
       {"2001:db8::1"},
       1,
       ""},
      {"no answer about A: nobody waits twice as long",
       {"2001:db8::1"},
       true,
       {{kV4, DnsError::kTimeout}},
       {},
       {},
       0,
       no_v4},
      {"A fails, no AAAA", {}, true, {{kV4, DnsError::kServerFailure}}, {}, {}, 1, no_v4},
      {"no A, AAAA fails", {}, true, {{kV6, DnsError::kTimeout}}, {}, {}, 1, no_v4},
      {"IPv4 does not connect",
       {"192.0.2.1", "2001:db8::1"},
       true,
       {},
       {{"192.0.2.1", HttpError::kConnect}},
       {"192.0.2.1", "2001:db8::1"},
       1,
       ""},
      {"IPv4 does not connect, no AAAA",
       {"192.0.2.1"},
       true,
       {},
       {{"192.0.2.1", HttpError::kConnect}},
       {"192.0.2.1"},
       1,
       "192.0.2.1: made to fail"},
      {"IPv4 does not connect, AAAA fails",
       {"192.0.2.1"},
       true,
       {{kV6, DnsError::kTimeout}},
       {{"192.0.2.1", HttpError::kConnect}},
       {"192.0.2.1"},
       1,
       "192.0.2.1: made to fail"},
      {"neither connects",
       {"192.0.2.1", "2001:db8::1"},
       true,
       {},
       {{"192.0.2.1", HttpError::kConnect}, {"2001:db8::1", HttpError::kConnect}},
       {"192.0.2.1", "2001:db8::1"},
       1,
       "2001:db8::1: made to fail"},
      {"a wrong certificate is an answer",
       {"192.0.2.1", "2001:db8::1"},
       true,
       {},
       {{"192.0.2.1", HttpError::kCertificate}},
       {"192.0.2.1"},
       0,
       "192.0.2.1: made to fail"},
      {"no time is left for another",
       {"192.0.2.1", "2001:db8::1"},
       true,
       {},
       {{"192.0.2.1", HttpError::kTimeout}},
       {"192.0.2.1"},
       0,
       "192.0.2.1: made to fail"},
      {"many of IPv4", many4, true, {}, {}, {"192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4"}, 0, ""},
      {"many of IPv6",
       many6,
       true,
       {},
       {},
       {"2001:db8::1 2001:db8::2 2001:db8::3 2001:db8::4"},
       1,
       ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    fakes::Pending pending;
    fakes::FakeResolver resolver(pending);
    ClientByAddress client(pending);
    client.failures = c.http_failures;
    dns::DnsAnswer<base::IpAddress> answer;
    answer.name_exists = c.host_exists;
    for (const auto& text : c.addresses) answer.records.push_back(*base::IpAddress::parse(text));
    resolver.address_records.insert_or_assign(kHost, answer);
    for (const auto& [family, error] : c.dns_failures) {
      resolver.family_failures.insert_or_assign({kHost, family}, error);
    }
    PolicyFetcher fetcher(resolver, client);
    std::optional<FetchResult> told;
    int answers = 0;
    fetcher.fetch(base::DomainName::parse("example.com").value(), [&](const FetchResult& result) {
      told.emplace(result);
      ++answers;
    });
    EXPECT_EQ(answers, 0);
    pending.deliver();
    ASSERT_EQ(answers, 1);
    EXPECT_EQ(told->ok() ? "" : told->error().detail, c.want);
    EXPECT_EQ(client.tried, c.want_tried);
    EXPECT_EQ((resolver.asked_family[{kHost, kV4}]), 1);
    EXPECT_EQ((resolver.asked_family[{kHost, kV6}]), c.want_ipv6_questions);
  }
}

}  // namespace
}  // namespace strictmx::mta_sts
