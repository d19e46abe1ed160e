// result_text_test.cc - policies, failures and days as texts, there and back.
#include "common/reporting/result_text.h"

#include <gtest/gtest.h>

#include "common/reporting/day.h"

namespace strictmx::reporting {
namespace {

using tlsrpt::AppliedPolicy;
using tlsrpt::FailureDetails;
using tlsrpt::PolicyType;
using tlsrpt::ResultType;

TEST(ResultText, PoliciesComeBack) {
  const AppliedPolicy cases[] = {
      {PolicyType::kNoPolicyFound, "a.example", {}, {}},
      {PolicyType::kNoPolicyFound, "other.example", {}, {}},
      {PolicyType::kSts, "a.example", {"version: STSv1", "mx: *.a.example"}, {"*.a.example"}},
      {PolicyType::kTlsa, "a.example", {"3 1 1 00ff"}, {}},
      {PolicyType::kTlsa, "mx.example", {"", "5:x,", "line\r\nbreak"}, {"", "a,b:c"}},
  };
  for (const AppliedPolicy& policy : cases) {
    const std::string text = write_policy(policy, "a.example");
    EXPECT_EQ(read_policy(text, "a.example"), policy) << text;
  }
}

TEST(ResultText, OneTextForAllDomainsWithoutPolicy) {
  EXPECT_EQ(write_policy({PolicyType::kNoPolicyFound, "a.example", {}, {}}, "a.example"),
            write_policy({PolicyType::kNoPolicyFound, "b.example", {}, {}}, "b.example"));
}

TEST(ResultText, FailuresComeBack) {
  const FailureDetails cases[] = {
      {ResultType::kCertificateExpired, "", "", "", "", "", ""},
      {ResultType::kValidationFailure, "192.0.2.1", "mx.a.example", "250-mx\r\n250 SIZE 1",
       "2001:db8::1", "https://a.example/", "self-signed_certificate"},
  };
  for (const FailureDetails& failure : cases) {
    EXPECT_EQ(read_failure(write_failure(failure)), failure);
  }
}

TEST(ResultText, OtherTextsAreNone) {
  for (const char* text : {"", "x", "3:sts,", "3:sts,0:,", "3:sts,0:,1:9,", "3:sts,0:,1:x,",
                           "4:none,0:,1:0,", "3:sts,0:,1:0,7:short,"}) {
    EXPECT_FALSE(read_policy(text, "a.example").has_value()) << text;
    EXPECT_FALSE(read_failure(text).has_value()) << text;
  }
  EXPECT_FALSE(read_failure("4:none,0:,0:,0:,0:,0:,0:,").has_value());
}

TEST(Days, DatesAndNumbers) {
  const struct {
    const char* text;
    std::optional<DayNumber> want;
  } cases[] = {
      {"1970-01-01", 0},
      {"2026-11-24", 20781},
      {"2024-02-29", 19782},
      {"2023-02-29", std::nullopt},
      {"2026-13-01", std::nullopt},
      {"2026-00-01", std::nullopt},
      {"2026-1-1", std::nullopt},
      {"2026/11/24", std::nullopt},
      {"20261124", std::nullopt},
      {"", std::nullopt},
      {"2026-11-2x", std::nullopt},
      {"2026-11-241", std::nullopt},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(read_day(c.text), c.want) << c.text;
    if (c.want.has_value()) {
      EXPECT_EQ(day_text(*c.want), c.text);
    }
  }
  EXPECT_EQ(day_of(base::WallTime(std::chrono::seconds(86399))), 0);
  EXPECT_EQ(day_of(base::WallTime(std::chrono::seconds(86400))), 1);
  EXPECT_EQ(day_of(base::WallTime(std::chrono::seconds(-1))), -1);
}

}  // namespace
}  // namespace strictmx::reporting
