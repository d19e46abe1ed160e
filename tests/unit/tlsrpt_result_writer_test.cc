// tlsrpt_result_writer_test.cc - results as datagrams: what is written reads as what was meant.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/json_extent.h"
#include "common/tlsrpt/result_writer.h"

namespace strictmx::tlsrpt {
namespace {

using std::string_literals::operator""s;

constexpr const char* kReplacement = "\xEF\xBF\xBD";

ResultDatagram result_of(std::vector<PolicyOutcome> outcomes) {
  return {base::DomainName::parse("example.com").value(), {}, std::move(outcomes), {}, false};
}

FailureDetails full_failure(ResultType type) {
  return {type,          "192.0.2.1",          "mx.example.com", "250-mx\r\n250 SIZE 1",
          "2001:db8::1", "https://a.example/", "why \"so\" \\ ?"};
}

FailureDetails failure_of(ResultType type, const std::string& reason) {
  FailureDetails failure;
  failure.type = type;
  failure.reason_code = reason;
  return failure;
}

ResultDatagram read(const std::string& text) {
  auto result = read_result_datagram(text);
  EXPECT_TRUE(result.ok()) << text.substr(0, 500);
  return result.ok() ? std::move(result).value() : result_of({});
}

// Read, and written again, which must not change a byte.
ResultDatagram read_back(const ResultDatagram& datagram) {
  const std::string text = write_result_datagram(datagram);
  EXPECT_LE(text.size(), kMaxDatagramBytes);
  ResultDatagram back = read(text);
  EXPECT_EQ(write_result_datagram(back), text);
  EXPECT_EQ(back.domain.text(), datagram.domain.text());
  EXPECT_FALSE(back.is_other_version);
  return back;
}

TEST(ResultWriter, TheWholeOfADatagram) {
  ResultDatagram datagram = result_of(
      {{{PolicyType::kSts, "example.com", {"version: STSv1", "mode: testing"}, {"*.example.com"}},
        true,
        {failure_of(ResultType::kStsPolicyInvalid, "line 2")}},
       {{PolicyType::kTlsa, "mx.example.com", {}, {}}, false, {}}});
  datagram.record = "v=TLSRPTv1; rua=mailto:a@example.com";
  datagram.session_time = base::WallTime(std::chrono::seconds(1768478400));
  EXPECT_EQ(write_result_datagram(datagram),
            R"({"dpv":"1","d":"example.com","pr":"v=TLSRPTv1; rua=mailto:a@example.com",)"
            R"("policies":[{"policy-type":2,"policy-domain":"example.com",)"
            R"("policy-string":["version: STSv1","mode: testing"],"mx-host":["*.example.com"],)"
            R"("failure-details":[{"c":302,"f":"line 2"}],"t":1,"f":1},)"
            R"({"policy-type":1,"policy-domain":"mx.example.com","t":0,"f":0}],)"
            R"("strictmx":{"time":1768478400}})");
  const ResultDatagram back = read_back(datagram);
  EXPECT_EQ(back.outcomes, datagram.outcomes);
  EXPECT_EQ(back.record, datagram.record);
  EXPECT_EQ(back.session_time, datagram.session_time);
}

TEST(ResultWriter, EveryTypeComesBack) {
  for (const char* name :
       {"starttls-not-supported", "certificate-host-mismatch", "certificate-not-trusted",
        "certificate-expired", "validation-failure", "tlsa-invalid", "dnssec-invalid",
        "dane-required", "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid"}) {
    SCOPED_TRACE(name);
    for (const char* policy : {"tlsa", "sts", "no-policy-found"}) {
      const ResultDatagram datagram =
          result_of({{{policy_type_from_name(policy).value(), "example.com", {}, {}},
                      true,
                      {full_failure(result_type_from_name(name).value())}}});
      EXPECT_EQ(read_back(datagram).outcomes, datagram.outcomes);
    }
  }
}

TEST(ResultWriter, TimesBefore1970AndLateOnes) {
  for (const std::int64_t seconds : {-1LL, 0LL, 253402300799LL}) {
    ResultDatagram datagram = result_of({{{PolicyType::kSts, "", {}, {}}, true, {}}});
    datagram.session_time = base::WallTime(std::chrono::seconds(seconds));
    EXPECT_EQ(read_back(datagram).session_time, datagram.session_time);
  }
}

TEST(ResultWriter, HostileTextsStayTexts) {
  struct Case {
    std::string name;
    std::string text;
    std::string want;
  };
  const Case cases[] = {
      {"ends the JSON", "\"}],\"d\":\"evil.example\",\"x\":\"",
       "\"}],\"d\":\"evil.example\",\"x\":\""},
      {"backslashes", "\\\"\\u0022\\", "\\\"\\u0022\\"},
      {"control characters", "a\x01\n\r\t\x1b[31m\x7f", "a\x01\n\r\t\x1b[31m\x7f"},
      {"NUL", "a\0b"s, "a"s + kReplacement + "b"},
      {"not UTF-8", "a\xFF\xC0\x80", "a"s + kReplacement + kReplacement + kReplacement},
      {"surrogate", "\xED\xA0\x80", std::string(kReplacement) + kReplacement + kReplacement},
      {"noncharacter", "\xEF\xBF\xBE", kReplacement},
      {"cut code point", "a\xE2\x82", "a"s + kReplacement + kReplacement},
      {"other scripts", "\xE2\x82\xAC \xF0\x9F\x93\xA7", "\xE2\x82\xAC \xF0\x9F\x93\xA7"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ResultDatagram datagram = result_of(
        {{{PolicyType::kSts, c.text, {c.text}, {c.text, "second"}},
          true,
          {{ResultType::kValidationFailure, c.text, c.text, c.text, c.text, c.text, c.text}}}});
    datagram.record = c.text;
    const ResultDatagram want = result_of(
        {{{PolicyType::kSts, c.want, {c.want}, {c.want, "second"}},
          true,
          {{ResultType::kValidationFailure, c.want, c.want, c.want, c.want, c.want, c.want}}}});
    const ResultDatagram back = read_back(datagram);
    EXPECT_EQ(back.outcomes, want.outcomes);
    EXPECT_EQ(back.record, c.want);
  }
}

TEST(ResultWriter, LongTextsAreCutAtACodePoint) {
  struct Case {
    std::string text;
    std::string want;
  };
  const Case cases[] = {
      {std::string(kMaxTextBytes, 'x'), std::string(kMaxTextBytes, 'x')},
      {std::string(kMaxTextBytes + 1, 'x'), std::string(kMaxTextBytes, 'x')},
      {std::string(kMaxTextBytes - 1, 'x') + "\xE2\x82\xAC", std::string(kMaxTextBytes - 1, 'x')},
      {std::string(kMaxTextBytes - 1, 'x') + "\xFF", std::string(kMaxTextBytes - 1, 'x')},
  };
  for (const Case& c : cases) {
    const ResultDatagram datagram =
        result_of({{{PolicyType::kSts, "", {}, {}},
                    true,
                    {failure_of(ResultType::kValidationFailure, c.text)}}});
    EXPECT_EQ(read_back(datagram).outcomes[0].failures[0].reason_code, c.want);
  }
}

TEST(ResultWriter, NumbersAtTheirLimits) {
  const auto outcome = [](std::size_t texts, std::size_t failures) {
    return PolicyOutcome{{PolicyType::kSts, "example.com", std::vector<std::string>(texts, "s"),
                          std::vector<std::string>(texts, "m")},
                         true,
                         std::vector<FailureDetails>(failures)};
  };
  for (const std::size_t more : {0, 1, 1000}) {
    SCOPED_TRACE(more);
    const ResultDatagram texts = result_of({outcome(kMaxPolicyTexts + more, 1)});
    EXPECT_EQ(read_back(texts).outcomes, std::vector{outcome(kMaxPolicyTexts, 1)});
    const ResultDatagram failures = result_of({outcome(1, kMaxFailures + more)});
    EXPECT_EQ(read_back(failures).outcomes, std::vector{outcome(1, kMaxFailures)});
    const ResultDatagram policies =
        result_of(std::vector<PolicyOutcome>(kMaxDatagramPolicies + more, outcome(1, 1)));
    EXPECT_EQ(read_back(policies).outcomes,
              std::vector<PolicyOutcome>(kMaxDatagramPolicies, outcome(1, 1)));
  }
}

// The policy is counted by its type then, as the store does with policies that are too many.
TEST(ResultWriter, TooLargeAWholeLosesPolicyTextsFirst) {
  const PolicyOutcome large{{PolicyType::kSts,
                             "example.com",
                             std::vector<std::string>(64, std::string(1100, 's')),
                             {"mx.example.com"}},
                            true,
                            {full_failure(ResultType::kStsPolicyFetchError)}};
  const PolicyOutcome want{{PolicyType::kSts, "example.com", {}, {}}, true, large.failures};
  EXPECT_EQ(read_back(result_of({large})).outcomes, std::vector{want});
  // By the number of values: each text is one.
  PolicyOutcome many = large;
  many.policy.strings.assign(kMaxPolicyTexts, "");
  many.policy.mx_hosts.assign(kMaxPolicyTexts, "");
  EXPECT_EQ(read_back(result_of({many, many, many})).outcomes, (std::vector{want, want, want}));
}

// Everything above its limit, and six bytes a byte in JSON.
TEST(ResultWriter, WhateverIsWrittenCanBeRead) {
  const std::string text(kMaxTextBytes * 2, '\x01');
  const std::string item(200, '\x01');
  const std::vector<std::string> items(kMaxPolicyTexts + 1, item);
  const FailureDetails failure{ResultType::kDaneRequired, item, item, item, item, item, item};
  const PolicyOutcome worst{{PolicyType::kNoPolicyFound, text, items, items},
                            true,
                            std::vector<FailureDetails>(kMaxFailures + 1, failure)};
  ResultDatagram datagram = result_of(std::vector<PolicyOutcome>(20, worst));
  datagram.record = text;
  datagram.session_time = base::WallTime::max();
  const ResultDatagram back = read_back(datagram);
  ASSERT_EQ(back.outcomes.size(), kMaxDatagramPolicies);
  for (const PolicyOutcome& outcome : back.outcomes) {
    EXPECT_EQ(outcome.policy.type, PolicyType::kNoPolicyFound);
    EXPECT_TRUE(outcome.is_failed);
    ASSERT_EQ(outcome.failures.size(), kMaxFailures);
    EXPECT_EQ(outcome.failures.back().type, ResultType::kDaneRequired);
  }
}

}  // namespace
}  // namespace strictmx::tlsrpt
