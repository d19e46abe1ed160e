// tlsrpt_result_datagram_test.cc - results as libtlsrpt sends them; RFC 8460 §4.3, §4.4.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/tlsrpt/result_datagram.h"

namespace strictmx::tlsrpt {
namespace {

using std::string_literals::operator""s;

// As Postfix 3.10 sends them.
const std::string kSuccess =
    R"({"dpv": "1","d": "GOOD.Test.","pr": "v=TLSRPTv1; rua=mailto:rpt@good.test","policies":[)"
    R"({"policy-type":2,"policy-domain": "good.test","policy-string":["version: STSv1",)"
    R"("mode: enforce","mx: mx.good.test","max_age: 604800"],"mx-host":["mx.good.test"],)"
    R"("t":0,"f":0}]})";
const std::string kNoStarttls =
    R"({"dpv": "1","d": "nostarttls.test","pr": "v=TLSRPTv1; rua=mailto:r@a.test","policies":[)"
    R"({"policy-type":2,"policy-domain": "nostarttls.test","policy-string":["mode: enforce"],)"
    R"("failure-details":[{"c":201,"s": "10.99.0.19","n": "mx.nostarttls.test",)"
    R"("h": "250-mx.nostarttls.test\r\n250 SIZE 10000000","r": "10.99.0.11"}],"t":1,"f":1}]})";

std::string with_policy(const std::string& members) {
  return R"({"d":"a.example","policies":[{)" + members + "}]}";
}
std::string with_failure(const std::string& members) {
  return with_policy(R"("policy-type":9,"f":1,"failure-details":[{)" + members + "}]");
}
std::string repeated(const std::string& text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += (i == 0 ? "" : ",") + text;
  return out;
}

TEST(ResultDatagram, SuccessUnderAnStsPolicy) {
  const auto read = read_result_datagram(kSuccess);
  ASSERT_TRUE(read.ok()) << read.error().detail;
  EXPECT_EQ(read.value().domain.text(), "good.test");
  EXPECT_EQ(read.value().record, "v=TLSRPTv1; rua=mailto:rpt@good.test");
  EXPECT_FALSE(read.value().is_other_version);
  EXPECT_FALSE(read.value().session_time.has_value());
  const PolicyOutcome want{
      {PolicyType::kSts,
       "good.test",
       {"version: STSv1", "mode: enforce", "mx: mx.good.test", "max_age: 604800"},
       {"mx.good.test"}},
      false,
      {}};
  EXPECT_EQ(read.value().outcomes, std::vector{want});
}

TEST(ResultDatagram, FailureDetailsOfRfc8460Sec44) {
  const auto read = read_result_datagram(kNoStarttls);
  ASSERT_TRUE(read.ok()) << read.error().detail;
  ASSERT_EQ(read.value().outcomes.size(), 1U);
  const PolicyOutcome& outcome = read.value().outcomes.front();
  EXPECT_TRUE(outcome.is_failed);
  const FailureDetails want{ResultType::kStarttlsNotSupported,
                            "10.99.0.19",
                            "mx.nostarttls.test",
                            "250-mx.nostarttls.test\r\n250 SIZE 10000000",
                            "10.99.0.11",
                            "",
                            ""};
  EXPECT_EQ(outcome.failures, std::vector{want});
}

TEST(ResultDatagram, EveryCodeHasItsResultType) {
  struct Case {
    int code;
    std::string_view want;
    std::string_view reason;
  };
  constexpr Case kCases[] = {
      {201, "starttls-not-supported", ""},
      {202, "certificate-host-mismatch", ""},
      {203, "certificate-not-trusted", ""},
      {204, "certificate-expired", ""},
      {205, "validation-failure", ""},
      {301, "sts-policy-fetch-error", ""},
      {302, "sts-policy-invalid", ""},
      {303, "sts-webpki-invalid", ""},
      {304, "tlsa-invalid", ""},
      {305, "dnssec-invalid", ""},
      {306, "dane-required", ""},
      {299, "validation-failure", "unknown-code-299"},
      {0, "validation-failure", "unknown-code-0"},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.code);
    const auto read = read_result_datagram(with_failure("\"c\":" + std::to_string(c.code)));
    ASSERT_TRUE(read.ok()) << read.error().detail;
    const FailureDetails& failure = read.value().outcomes.front().failures.front();
    EXPECT_EQ(result_type_name(failure.type), c.want);
    EXPECT_EQ(failure.reason_code, c.reason);
  }
}

TEST(ResultDatagram, EveryPolicyTypeHasItsName) {
  struct Case {
    int code;
    std::string_view want;
  };
  for (const Case& c : {Case{1, "tlsa"}, Case{2, "sts"}, Case{9, "no-policy-found"}}) {
    const auto read =
        read_result_datagram(with_policy("\"policy-type\":" + std::to_string(c.code) + ",\"f\":0"));
    ASSERT_TRUE(read.ok()) << read.error().detail;
    const PolicyType type = read.value().outcomes.front().policy.type;
    EXPECT_EQ(policy_type_name(type), c.want);
    EXPECT_EQ(policy_type_from_name(c.want), type);
  }
  EXPECT_EQ(policy_type_from_name("TLSA"), std::nullopt);
}

TEST(ResultDatagram, WhatMayBeMissingOrUnknown) {
  const struct {
    const char* name;
    std::string text;
    bool is_other_version;
    std::optional<std::int64_t> time;
  } cases[] = {
      {"no dpv", R"({"d":"a.example","policies":[{"policy-type":9,"f":0}]})", false, {}},
      {"dpv 2", R"({"dpv":"2","d":"a.example","policies":[{"policy-type":9,"f":0}]})", true, {}},
      {"dpv a number",
       R"({"dpv":1,"d":"a.example","policies":[{"policy-type":9,"f":0}]})",
       true,
       {}},
      {"unknown members",
       R"({"x":[{"y":1}],"d":"a.example","policies":[{"z":{},"policy-type":9,"f":0}]})",
       false,
       {}},
      {"time of the session",
       R"({"d":"a.example","policies":[{"policy-type":9,"f":0}],"strictmx":{"time":1700000000,"x":1}})",
       false, 1700000000},
      {"strictmx without time",
       R"({"d":"a.example","policies":[{"policy-type":9,"f":0}],"strictmx":{}})",
       false,
       {}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto read = read_result_datagram(c.text);
    ASSERT_TRUE(read.ok()) << read.error().detail;
    EXPECT_EQ(read.value().is_other_version, c.is_other_version);
    EXPECT_EQ(read.value().session_time.has_value(), c.time.has_value());
    if (c.time.has_value() && read.value().session_time.has_value()) {
      EXPECT_EQ(read.value().session_time->time_since_epoch().count(), *c.time);
    }
    EXPECT_EQ(read.value().outcomes.front().policy.type, PolicyType::kNoPolicyFound);
  }
}

TEST(ResultDatagram, BothPoliciesOfOneSession) {
  const auto read = read_result_datagram(
      R"({"d":"a.example","policies":[{"policy-type":1,"f":0},{"policy-type":2,"f":1}]})");
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read.value().outcomes.size(), 2U);
  EXPECT_EQ(read.value().outcomes[0].policy.type, PolicyType::kTlsa);
  EXPECT_TRUE(read.value().outcomes[1].is_failed);
}

TEST(ResultDatagram, TextOfAPeerIsMadeSafe) {
  const struct {
    const char* name;
    std::string helo;
    std::string want;
  } cases[] = {
      {"UTF-8 stays", "250 \xc3\xa9\xe2\x82\xac", "250 \xc3\xa9\xe2\x82\xac"},
      {"Latin-1", "250 \xe9t\xe9", "250 \xef\xbf\xbdt\xef\xbf\xbd"},
      {"overlong", "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"surrogate", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"half a character at the end", "a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
      {"longest", std::string(kMaxTextBytes, 'x'), std::string(kMaxTextBytes, 'x')},
      {"one more is cut", std::string(kMaxTextBytes + 1, 'x'), std::string(kMaxTextBytes, 'x')},
      {"cut before a character", std::string(kMaxTextBytes - 1, 'x') + "\xc3\xa9",
       std::string(kMaxTextBytes - 1, 'x')},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto read = read_result_datagram(with_failure(R"("c":205,"h":")" + c.helo + "\""));
    ASSERT_TRUE(read.ok()) << read.error().detail;
    EXPECT_EQ(read.value().outcomes.front().failures.front().receiving_mx_helo, c.want);
  }
}

TEST(ResultDatagram, WhatIsRefused) {
  using enum DatagramError;
  const std::string policy = R"({"policy-type":9,"f":0})";
  const struct {
    const char* name;
    std::string text;
    DatagramError want;
  } cases[] = {
      {"empty", "", kSize},
      {"over 64 KiB", kSuccess + std::string(kMaxDatagramBytes, ' '), kSize},
      {"no JSON", "hello", kSyntax},
      {"a text", "\"a\"", kSyntax},
      {"cut off", kSuccess.substr(0, 200), kSyntax},
      {"more behind it", kSuccess + "x", kSyntax},
      {"NUL inside", "{\"d\":\"a\0.example\"}"s, kSyntax},
      {"escaped NUL", R"({"d":"a\u0000.example"})", kSyntax},
      {"not UTF-8 outside texts", "{\xff}", kSyntax},
      {"number too large", with_failure(R"("c":99999999999999999999)"), kSyntax},
      {"real too large", with_failure(R"("c":1e999)"), kSyntax},
      {"nests too deep", std::string(10000, '['), kBounds},
      {"too many values", "[" + repeated("1", kMaxDatagramValues + 1) + "]", kBounds},
      {"too many policies",
       R"({"d":"a.example","policies":[)" + repeated(policy, kMaxDatagramPolicies + 1) + "]}",
       kBounds},
      {"too many failures",
       with_policy(R"("policy-type":9,"f":1,"failure-details":[)" +
                   repeated(R"({"c":201})", kMaxFailures + 1) + "]"),
       kBounds},
      {"too many policy texts",
       with_policy(R"("policy-type":2,"f":1,"policy-string":[)" +
                   repeated("\"\"", kMaxPolicyTexts + 1) + "]"),
       kBounds},
      {"a list", "[]", kShape},
      {"no domain", R"({"policies":[{"policy-type":9,"f":0}]})", kShape},
      {"domain a number", R"({"d":1,"policies":[{"policy-type":9,"f":0}]})", kShape},
      {"no policies", R"({"d":"a.example"})", kShape},
      {"empty policies", R"({"d":"a.example","policies":[]})", kShape},
      {"policies an object", R"({"d":"a.example","policies":{"f":0}})", kShape},
      {"policy a number", R"({"d":"a.example","policies":[9]})", kShape},
      {"no policy type", with_policy(R"("f":0)"), kShape},
      {"unknown policy type", with_policy(R"("policy-type":3,"f":0)"), kShape},
      {"policy type a text", with_policy(R"("policy-type":"9","f":0)"), kShape},
      {"policy type a real", with_policy(R"("policy-type":9.0,"f":0)"), kShape},
      {"no f", with_policy(R"("policy-type":9)"), kShape},
      {"f two", with_policy(R"("policy-type":9,"f":2)"), kShape},
      {"f true", with_policy(R"("policy-type":9,"f":true)"), kShape},
      {"policy texts a text", with_policy(R"("policy-type":2,"f":0,"policy-string":"a")"), kShape},
      {"a policy text a number", with_policy(R"("policy-type":2,"f":0,"policy-string":[1])"),
       kShape},
      {"mx hosts an object", with_policy(R"("policy-type":2,"f":0,"mx-host":{})"), kShape},
      {"failures a text", with_policy(R"("policy-type":2,"f":1,"failure-details":"x")"), kShape},
      {"failure a number", with_policy(R"("policy-type":2,"f":1,"failure-details":[1])"), kShape},
      {"no code", with_failure(R"("s":"192.0.2.1")"), kShape},
      {"code a text", with_failure(R"("c":"201")"), kShape},
      {"helo a number", with_failure(R"("c":201,"h":1)"), kShape},
      {"pr a number", R"({"d":"a.example","pr":1,"policies":[{"policy-type":9,"f":0}]})", kShape},
      {"strictmx a text", R"({"d":"a.example","strictmx":"","policies":[{"policy-type":9,"f":0}]})",
       kShape},
      {"time a text",
       R"({"d":"a.example","strictmx":{"time":"1"},"policies":[{"policy-type":9,"f":0}]})", kShape},
      {"an address", R"({"d":"192.0.2.1","policies":[{"policy-type":9,"f":0}]})", kDomain},
      {"no name", R"({"d":"a b","policies":[{"policy-type":9,"f":0}]})", kDomain},
      {"empty name", R"({"d":"","policies":[{"policy-type":9,"f":0}]})", kDomain},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto read = read_result_datagram(c.text);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(datagram_error_name(read.error().code), datagram_error_name(c.want))
        << read.error().detail;
    EXPECT_FALSE(read.error().detail.empty());
  }
}

TEST(ResultDatagram, LimitsAreInclusive) {
  const std::string policy = R"({"policy-type":9,"f":0})";
  const std::string texts[] = {
      kSuccess + std::string(kMaxDatagramBytes - kSuccess.size(), ' '),
      R"({"d":"a.example","policies":[)" + repeated(policy, kMaxDatagramPolicies) + "]}",
      with_policy(R"("policy-type":9,"f":1,"failure-details":[)" +
                  repeated(R"({"c":201})", kMaxFailures) + "]"),
      with_policy(R"("policy-type":2,"f":1,"policy-string":[)" + repeated("\"\"", kMaxPolicyTexts) +
                  "]"),
  };
  for (const std::string& text : texts) {
    const auto read = read_result_datagram(text);
    EXPECT_TRUE(read.ok()) << text.substr(0, 80) << read.error().detail;
  }
}

}  // namespace
}  // namespace strictmx::tlsrpt
