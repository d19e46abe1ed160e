// report_builder_test.cc - results of a day as a report (RFC 8460 §4.1, §4.4).
#include "common/reporting/report_builder.h"

#include <gtest/gtest.h>

#include <string>

#include "common/reporting/gzip.h"
#include "common/tlsrpt/report_json.h"

namespace strictmx::reporting {
namespace {

constexpr DayNumber kDay = 20780;  // 2026-11-23
const ReportAuthor kAuthor{"Example Mail", "tls@sender.test"};

DomainResults both_policies() {
  StoredFailure expired;
  expired.details.type = tlsrpt::ResultType::kCertificateExpired;
  expired.details.sending_mta_ip = "192.0.2.9";
  expired.details.receiving_mx_hostname = "mx.good.test";
  expired.details.receiving_ip = "2001:DB8::0:1";
  expired.sessions = 3;
  StoredPolicy sts;
  sts.policy.type = tlsrpt::PolicyType::kSts;
  sts.policy.domain = "good.test";
  sts.policy.strings = {"version: STSv1", "mode: enforce", "mx: mx.good.test", "max_age: 604800"};
  sts.policy.mx_hosts = {"mx.good.test"};
  sts.sessions = {5, 3};
  sts.failures = {expired};
  StoredPolicy tlsa;
  tlsa.policy.type = tlsrpt::PolicyType::kTlsa;
  tlsa.policy.domain = "mx.good.test";
  tlsa.policy.strings = {"3 1 1 00ff"};
  tlsa.sessions = {7, 0};
  return {kDay, "good.test", {sts, tlsa}, 0};
}

TEST(ReportBuilder, HoldsAllPoliciesOfTheDay) {
  const tlsrpt::Report report = make_report(both_policies(), kAuthor, "id-1");
  EXPECT_EQ(report.organization_name, "Example Mail");
  EXPECT_EQ(report.contact_info, "tls@sender.test");
  EXPECT_EQ(report.report_id, "id-1");
  EXPECT_EQ(base::format_utc(report.start), "2026-11-23T00:00:00Z");
  EXPECT_EQ(base::format_utc(report.end), "2026-11-23T23:59:59Z");
  EXPECT_TRUE(tlsrpt::is_one_day(report));
  ASSERT_EQ(report.policies.size(), 2U);
  EXPECT_EQ(tlsrpt::type_text(report.policies[0].policy.type), "sts");
  EXPECT_EQ(report.policies[0].successful, 5U);
  EXPECT_EQ(report.policies[0].failed, 3U);
  ASSERT_EQ(report.policies[0].failure_details.size(), 1U);
  const tlsrpt::FailureDetail& failure = report.policies[0].failure_details[0];
  EXPECT_EQ(tlsrpt::type_text(failure.result_type), "certificate-expired");
  EXPECT_EQ(failure.failed_session_count, 3U);
  ASSERT_TRUE(failure.receiving_ip.has_value());
  EXPECT_EQ(failure.receiving_ip->text(), "2001:db8::1");  // RFC 5952
  EXPECT_EQ(tlsrpt::type_text(report.policies[1].policy.type), "tlsa");
  EXPECT_EQ(report.policies[1].policy.policy_strings, std::vector<std::string>{"3 1 1 00ff"});
}

TEST(ReportBuilder, ReadsBackWithoutAnyDeparture) {
  const auto bytes = build_report(both_policies(), kAuthor, "id-1");
  ASSERT_TRUE(bytes.ok());
  const auto text = gunzip(bytes.value(), tlsrpt::kMaxReportBytes);
  ASSERT_TRUE(text.ok());
  const auto read = tlsrpt::read_report_json(text.value());
  ASSERT_TRUE(read.ok()) << read.error().detail;
  EXPECT_TRUE(read.value().remarks.empty());
  const auto again = read_built_report(bytes.value());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.value(), make_report(both_policies(), kAuthor, "id-1"));
}

TEST(ReportBuilder, EqualResultsGiveEqualBytes) {
  const auto one = build_report(both_policies(), kAuthor, "id-1");
  const auto two = build_report(both_policies(), kAuthor, "id-1");
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(one.value(), two.value());
}

TEST(ReportBuilder, SaysNothingThatIsNoAddressAndNamesADomainInAnyCase) {
  DomainResults results = both_policies();
  results.policies[0].failures[0].details.sending_mta_ip = "not known";
  results.policies[0].policy.domain.clear();  // as folded rows are
  const tlsrpt::Report report = make_report(results, kAuthor, "id-1");
  EXPECT_FALSE(report.policies[0].failure_details[0].sending_mta_ip.has_value());
  EXPECT_EQ(report.policies[0].policy.policy_domain, "good.test");
}

TEST(ReportBuilder, TheLargestResultsThatAreStoredCanBeReadAgain) {
  DomainResults results = both_policies();
  results.policies[0].policy.strings.assign(5000, "mx: mx.good.test");
  results.policies[0].policy.mx_hosts.assign(5000, std::string(253, 'a'));
  StoredFailure failure;
  failure.details.receiving_mx_helo = std::string(tlsrpt::kMaxTextBytes, '\x01');
  failure.details.reason_code = std::string(tlsrpt::kMaxTextBytes, '"');
  results.policies[0].failures.assign(kMaxRowsADomain, failure);
  const auto bytes = build_report(results, kAuthor, "id-1");
  ASSERT_TRUE(bytes.ok());
  const auto read = read_built_report(bytes.value());
  ASSERT_TRUE(read.ok()) << read.error().detail;
  EXPECT_EQ(read.value().policies[0].failure_details.size(), kMaxRowsADomain);
}

TEST(ReportBuilder, IdsDifferByDayDomainAndSite) {
  const base::HashKey key{1, 2};
  const std::string id = report_id(key, kDay, "good.test");
  EXPECT_TRUE(id.starts_with("2026-11-23.")) << id;
  EXPECT_EQ(id, report_id(key, kDay, "good.test"));
  EXPECT_NE(id, report_id(key, kDay, "better.test"));
  EXPECT_NE(id, report_id(key, kDay + 1, "good.test"));
  EXPECT_NE(id, report_id({2, 1}, kDay, "good.test"));
}

TEST(ReportBuilder, BytesThatAreNoReportAreToldSo) {
  EXPECT_FALSE(read_built_report("").ok());
  EXPECT_FALSE(read_built_report("not gzip").ok());
  const auto zipped = gzip("{}");
  ASSERT_TRUE(zipped.ok());
  EXPECT_FALSE(read_built_report(zipped.value()).ok());
}

}  // namespace
}  // namespace strictmx::reporting
