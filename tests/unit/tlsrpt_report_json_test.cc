// tlsrpt_report_json_test.cc - reports as JSON by RFC 8460 §4.4: read, written, and read again.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "common/tlsrpt/date_time.h"
#include "common/tlsrpt/report.h"
#include "common/tlsrpt/report_json.h"

namespace strictmx::tlsrpt {
namespace {

using std::string_literals::operator""s;

base::WallTime at(std::int64_t seconds) { return base::WallTime(std::chrono::seconds(seconds)); }

// RFC 8460 Appendix B, its broken URI mended; with erratum 6241 applied or not.
std::string sample(const std::string& mx_host) {
  return R"({
  "organization-name": "Company-X",
  "date-range": {
    "start-datetime": "2016-04-01T00:00:00Z",
    "end-datetime": "2016-04-01T23:59:59Z"
  },
  "contact-info": "sts-reporting@company-x.example",
  "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
  "policies": [{
    "policy": {
      "policy-type": "sts",
      "policy-string": ["version: STSv1","mode: testing",
            "mx: *.mail.company-y.example","max_age: 86400"],
      "policy-domain": "company-y.example",
      "mx-host": )" +
         mx_host + R"(
    },
    "summary": {
      "total-successful-session-count": 5326,
      "total-failure-session-count": 303
    },
    "failure-details": [{
      "result-type": "certificate-expired",
      "sending-mta-ip": "2001:db8:abcd:0012::1",
      "receiving-mx-hostname": "mx1.mail.company-y.example",
      "failed-session-count": 100
    }, {
      "result-type": "starttls-not-supported",
      "sending-mta-ip": "2001:db8:abcd:0013::1",
      "receiving-mx-hostname": "mx2.mail.company-y.example",
      "receiving-ip": "203.0.113.56",
      "failed-session-count": 200,
      "additional-information": "https://reports.company-x.example/report_info?id=5065427c-23d3#StarttlsNotSupported"
    }, {
      "result-type": "validation-failure",
      "sending-mta-ip": "198.51.100.62",
      "receiving-ip": "203.0.113.58",
      "receiving-mx-hostname": "mx-backup.mail.company-y.example",
      "failed-session-count": 3,
      "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"
    }]
  }]
})";
}

Report sample_report() {
  Report report;
  report.organization_name = "Company-X";
  report.start = at(1459468800);
  report.end = at(1459555199);
  report.contact_info = "sts-reporting@company-x.example";
  report.report_id = "5065427c-23d3-47ca-b6e0-946ea0e8c4be";
  PolicyResult& result = report.policies.emplace_back();
  result.policy.type = PolicyType::kSts;
  result.policy.policy_strings = {"version: STSv1", "mode: testing", "mx: *.mail.company-y.example",
                                  "max_age: 86400"};
  result.policy.policy_domain = "company-y.example";
  result.policy.mx_hosts = {"*.mail.company-y.example"};
  result.successful = 5326;
  result.failed = 303;
  FailureDetail expired;
  expired.result_type = ResultType::kCertificateExpired;
  expired.sending_mta_ip = base::IpAddress::parse("2001:db8:abcd:12::1");
  expired.receiving_mx_hostname = "mx1.mail.company-y.example";
  expired.failed_session_count = 100;
  FailureDetail starttls;
  starttls.result_type = ResultType::kStarttlsNotSupported;
  starttls.sending_mta_ip = base::IpAddress::parse("2001:db8:abcd:13::1");
  starttls.receiving_mx_hostname = "mx2.mail.company-y.example";
  starttls.receiving_ip = base::IpAddress::parse("203.0.113.56");
  starttls.failed_session_count = 200;
  starttls.additional_information =
      "https://reports.company-x.example/report_info?id=5065427c-23d3#StarttlsNotSupported";
  FailureDetail path;
  path.result_type = ResultType::kValidationFailure;
  path.sending_mta_ip = base::IpAddress::parse("198.51.100.62");
  path.receiving_ip = base::IpAddress::parse("203.0.113.58");
  path.receiving_mx_hostname = "mx-backup.mail.company-y.example";
  path.failed_session_count = 3;
  path.failure_reason_code = "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED";
  result.failure_details = {expired, starttls, path};
  return report;
}

// The sample without remarks, with one text replaced by another.
std::string changed(const std::string& what, const std::string& by) {
  std::string text = sample(R"(["*.mail.company-y.example"])");
  const std::size_t found = text.find(what);
  EXPECT_NE(found, std::string::npos) << what;
  return found == std::string::npos ? text : text.replace(found, what.size(), by);
}

TEST(Rfc8460AppendixB, SampleIsReadWithErratum6241) {
  const auto with = read_report_json(sample(R"(["*.mail.company-y.example"])"));
  ASSERT_TRUE(with.ok()) << with.error().detail;
  EXPECT_EQ(with.value().report, sample_report());
  EXPECT_TRUE(with.value().remarks.empty());

  const auto without = read_report_json(sample(R"("*.mail.company-y.example")"));
  ASSERT_TRUE(without.ok()) << without.error().detail;
  EXPECT_EQ(without.value().report, sample_report());
  ASSERT_EQ(without.value().remarks.size(), 1U);
  EXPECT_EQ(remark_text(without.value().remarks[0]),
            "policies[0].policy.mx-host: one string where an array belongs, found "
            "\"*.mail.company-y.example\"");
}

TEST(Rfc8460Sec4Totals, ShareIsCutAndSumsStay) {
  EXPECT_EQ(share_successful({5326, 303}), "94.61 %");
  EXPECT_EQ(share_successful({0, 0}), "-");
  EXPECT_EQ(share_successful({0, 7}), "0.00 %");
  EXPECT_EQ(share_successful({7, 0}), "100.00 %");
  EXPECT_EQ(share_successful({kMaxCount, 1}), "99.99 %");
  Report report;
  report.policies.resize(2);
  report.policies[0].successful = report.policies[1].successful = kMaxCount;
  report.policies[1].failed = 3;
  EXPECT_EQ(totals(report).successful, kMaxCount);
  EXPECT_EQ(totals(report).failed, 3U);
}

struct Departed {
  const char* name;
  std::string input;
  std::vector<Departure> want;
  std::function<void(Report&)> change;  // of the sample's report
};

void check(const std::vector<Departed>& cases) {
  for (const Departed& c : cases) {
    SCOPED_TRACE(c.name);
    const auto read = read_report_json(c.input);
    if (!read.ok()) {
      ADD_FAILURE() << read.error().detail;
      continue;
    }
    std::vector<Departure> found;
    for (const Remark& remark : read.value().remarks) {
      found.push_back(remark.departure);
      EXPECT_FALSE(remark.place.empty());
    }
    EXPECT_EQ(found, c.want);
    Report want = sample_report();
    c.change(want);
    EXPECT_EQ(read.value().report, want);
  }
}

const auto kUnchanged = [](Report&) {};
const std::string kMxArray = R"(["*.mail.company-y.example"])";
const std::string kPolicyStrings =
    R"(["version: STSv1","mode: testing",
            "mx: *.mail.company-y.example","max_age: 86400"])";

TEST(Rfc8460Sec4Seen, PolicyDepartures) {
  using enum Departure;
  check({
      {"mx: before it",
       changed(kMxArray, R"(["mx: *.mail.company-y.example"])"),
       {kMxPrefix},
       kUnchanged},
      {"one text with mx: before it",
       changed(kMxArray, R"("mx:*.mail.company-y.example")"),
       {kTextForList, kMxPrefix},
       kUnchanged},
      {"no mx-host",
       changed(",\n      \"mx-host\": " + kMxArray, ""),
       {kMissing},
       [](Report& r) { r.policies[0].policy.mx_hosts.clear(); }},
      {"mx-host null",
       changed(kMxArray, "null"),
       {kNull},
       [](Report& r) { r.policies[0].policy.mx_hosts.clear(); }},
      {"policy-string is one text",
       changed(kPolicyStrings, R"("version: STSv1")"),
       {kTextForList},
       [](Report& r) { r.policies[0].policy.policy_strings = {"version: STSv1"}; }},
      {"no policy-string",
       changed("\"policy-string\": " + kPolicyStrings + ",", ""),
       {kMissing},
       [](Report& r) { r.policies[0].policy.policy_strings.clear(); }},
      {"U-labels",
       changed(R"("company-y.example")", R"("Käse.Example")"),
       {kNotALabels},
       [](Report& r) { r.policies[0].policy.policy_domain = "xn--kse-qla.example"; }},
      {"capitals and a final dot",
       changed(R"("company-y.example")", R"("Company-Y.Example.")"),
       {},
       kUnchanged},
      {"no name",
       changed(R"("company-y.example")", R"("a b")"),
       {kNotALabels},
       [](Report& r) { r.policies[0].policy.policy_domain = "a b"; }},
      {"unknown policy type",
       changed(R"("policy-type": "sts")", R"("policy-type": "STSv2")"),
       {kUnknownPolicyType},
       [](Report& r) { r.policies[0].policy.type = "STSv2"; }},
      {"no policies",
       changed(sample(kMxArray).substr(sample(kMxArray).find("[{")), "[]}"),
       {kNoPolicies},
       [](Report& r) { r.policies.clear(); }},
  });
}

TEST(Rfc8460Sec4Seen, NoPolicyFoundNeedsNoPolicy) {
  const auto read = read_report_json(R"({"organization-name":"o","report-id":"i",
    "contact-info":"a@b.example",
    "date-range":{"start-datetime":"2026-11-22T00:00:00Z","end-datetime":"2026-11-23T00:00:00Z"},
    "policies":[{"policy":{"policy-type":"no-policy-found"},"summary":
    {"total-successful-session-count":1,"total-failure-session-count":0}}]})");
  ASSERT_TRUE(read.ok()) << read.error().detail;
  ASSERT_EQ(read.value().remarks.size(), 1U);
  EXPECT_EQ(read.value().remarks[0].departure, Departure::kMissing);
  EXPECT_EQ(read.value().remarks[0].place, "policies[0].policy.policy-domain");
  EXPECT_EQ(read.value().report.policies[0].policy.type,
            ReportedPolicyType(PolicyType::kNoPolicyFound));
}

TEST(Rfc8460Sec4Seen, HeadDepartures) {
  using enum Departure;
  const std::string start = "\"2016-04-01T00:00:00Z\"";
  const std::string end = "\"2016-04-01T23:59:59Z\"";
  const std::string contact = "\"sts-reporting@company-x.example\"";
  std::string without_array = changed("\"policies\": [", "\"policies\": ");
  without_array.erase(without_array.rfind(']'), 1);
  check({
      {"byte order mark", "\xEF\xBB\xBF" + sample(kMxArray), {kByteOrderMark}, kUnchanged},
      {"contact null",
       changed(contact, "null"),
       {kNull},
       [](Report& r) { r.contact_info.clear(); }},
      {"contact is no address",
       changed(contact, "\"postmaster\""),
       {kNotMailAddress},
       [](Report& r) { r.contact_info = "postmaster"; }},
      {"no organization",
       changed("\"organization-name\": \"Company-X\",", ""),
       {kMissing},
       [](Report& r) { r.organization_name.clear(); }},
      {"no zone", changed(start, "\"2016-04-01T00:00:00\""), {kNoZone}, kUnchanged},
      {"end is the next day",
       changed(end, "\"2016-04-02T00:00:00Z\""),
       {},
       [](Report& r) { r.end += std::chrono::seconds(1); }},
      {"a week",
       changed(end, "\"2016-04-07T23:59:59Z\""),
       {kNotOneDay},
       [](Report& r) { r.end += std::chrono::days(6); }},
      {"part of a day",
       changed(start, "\"2016-04-01T10:11:12.345Z\""),
       {kNotOneDay},
       [](Report& r) { r.start = at(1459505472); }},
      {"another zone's day", changed(start, "\"2016-04-01T02:00:00+02:00\""), {}, kUnchanged},
      {"end before begin",
       changed(end, "\"2016-03-31T00:00:00Z\""),
       {kNotOneDay},
       [](Report& r) { r.end = at(1459382400); }},
      {"unknown members",
       changed("\"report-id\"", "\"x\": [{}, null, 1e9], \"report-id\""),
       {},
       kUnchanged},
      {"one policy without its array", without_array, {kObjectForList}, kUnchanged},
  });
}

TEST(Rfc8460Sec4Seen, DetailDepartures) {
  using enum Departure;
  const auto first = [](Report& r) -> FailureDetail& { return r.policies[0].failure_details[0]; };
  check({
      {"sum above the total",
       changed("session-count\": 100", "session-count\": 101"),
       {kDetailsAboveTotal},
       [&](Report& r) { first(r).failed_session_count = 101; }},
      {"sum below the total",
       changed("session-count\": 100", "session-count\": 99"),
       {},
       [&](Report& r) { first(r).failed_session_count = 99; }},
      {"unknown result type",
       changed("\"certificate-expired\"", "\"certificate-too-old\""),
       {kUnknownResultType},
       [&](Report& r) { first(r).result_type = "certificate-too-old"; }},
      {"address is none",
       changed("\"2001:db8:abcd:0012::1\"", "\"unknown\""),
       {kNotIpAddress},
       [&](Report& r) { first(r).sending_mta_ip.reset(); }},
      {"address is empty",
       changed("\"2001:db8:abcd:0012::1\"", "\"\""),
       {},
       [&](Report& r) { first(r).sending_mta_ip.reset(); }},
      {"MX host is empty",
       changed("\"mx1.mail.company-y.example\"", "\"\""),
       {},
       [&](Report& r) { first(r).receiving_mx_hostname.clear(); }},
      {"count is a text",
       changed("session-count\": 100", "session-count\": \"100\""),
       {kCountForm},
       kUnchanged},
      {"count is 100.0",
       changed("session-count\": 100", "session-count\": 100.0"),
       {kCountForm},
       kUnchanged},
      {"no summary",
       changed("\"total-failure-session-count\": 303", "\"total-failed\": 303"),
       {kMissing, kDetailsAboveTotal},
       [](Report& r) { r.policies[0].failed = 0; }},
      {"HELO null",
       changed("\"failed-session-count\": 3,",
               "\"failed-session-count\": 3, "
               "\"receiving-mx-helo\": null,"),
       {kNull},
       kUnchanged},
  });
}

TEST(Rfc8460Sec4Report, WhatIsNoReportIsRefused) {
  struct Case {
    const char* name;
    std::string input;
    ReportError error;
    const char* place;
  };
  const std::vector<Case> cases = {
      {"empty", "", ReportError::kSyntax, "line 1"},
      {"not JSON", "<html>", ReportError::kSyntax, "line 1"},
      {"cut", sample(kMxArray).substr(0, 300), ReportError::kSyntax, "line "},
      {"two documents", sample(kMxArray) + "{}", ReportError::kSyntax, "line "},
      {"not UTF-8", changed("Company-X", "\xFF\xFE"), ReportError::kSyntax, "line 2"},
      {"NUL", changed("Company-X", "\\u0000"), ReportError::kSyntax, "line 2"},
      {"lone surrogate", changed("Company-X", "\\uD800"), ReportError::kSyntax, "line 2"},
      {"repeated member", changed("\"report-id\"", "\"contact-info\": 1, \"report-id\""),
       ReportError::kSyntax, "line 8"},
      {"array", "[]", ReportError::kSchema, "the text: an array"},
      {"no date-range", changed("\"date-range\"", "\"range\""), ReportError::kSchema,
       "date-range: missing"},
      {"no start", changed("\"start-datetime\"", "\"start\""), ReportError::kSchema,
       "date-range.start-datetime: missing"},
      {"no such day", changed("2016-04-01T00", "2016-04-31T00"), ReportError::kSchema,
       "date-range.start-datetime: found"},
      {"no policies member", changed("\"policies\"", "\"policy\""), ReportError::kSchema,
       "policies: missing"},
      {"policies null", R"({"date-range":{"start-datetime":"2016-04-01T00:00:00Z",
        "end-datetime":"2016-04-02T00:00:00Z"},"policies":null})",
       ReportError::kSchema, "policies: null"},
      {"policy is a text", changed("[{\n    \"policy\"", "[1, {\n    \"policy\""),
       ReportError::kSchema, "policies[0]: a number"},
      {"no policy", changed("\"policy\": {", "\"applied\": {"), ReportError::kSchema,
       "policies[0].policy: missing"},
      {"no policy-type", changed("\"policy-type\"", "\"type\""), ReportError::kSchema,
       "policies[0].policy.policy-type: missing"},
      {"no result-type", changed("\"result-type\"", "\"type\""), ReportError::kSchema,
       "policies[0].failure-details[0].result-type: missing"},
      {"number for a text", changed("\"Company-X\"", "5"), ReportError::kSchema,
       "organization-name: a number"},
      {"null in a list", changed("\"mode: testing\"", "null"), ReportError::kSchema,
       "policies[0].policy.policy-string[1]: null"},
      {"count below zero", changed("5326", "-1"), ReportError::kSchema,
       "policies[0].summary.total-successful-session-count: a number"},
      {"count with a fraction", changed("5326", "0.5"), ReportError::kSchema, "policies[0]."},
      {"count of 2^53", changed("5326", "9007199254740992"), ReportError::kSchema, "policies[0]."},
      {"count beyond 64 bits", changed("5326", "99999999999999999999"), ReportError::kSyntax,
       "line "},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto read = read_report_json(c.input);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, c.error) << read.error().detail;
    EXPECT_EQ(read.error().detail.find(c.place), 0U) << read.error().detail;
    EXPECT_NE(read.error().detail.find("RFC 8460 §"), std::string::npos) << read.error().detail;
  }
  EXPECT_TRUE(read_report_json(changed("5326", "9007199254740991")).ok());
}

std::string repeated(const std::string& item, std::size_t count) {
  std::string out;
  out.reserve((item.size() + 1) * count);
  for (std::size_t i = 0; i < count; ++i) out.append(i == 0 ? "" : ",").append(item);
  return out;
}

TEST(Rfc8460Sec7Bounds, BothSides) {
  struct Case {
    const char* name;
    std::string within;
    std::string beyond;
    ReportError error;
  };
  const auto text = [](std::size_t bytes) {
    return changed("\"Company-X\"", "\"" + std::string(bytes, 'x') + "\"");
  };
  const auto size = [](std::size_t bytes) {
    std::string all = sample(kMxArray);
    return all + std::string(bytes - all.size(), ' ');
  };
  const auto depth = [](std::size_t levels) {  // the report itself is one
    return changed("\"report-id\"", "\"x\": " + std::string(levels - 1, '[') +
                                        std::string(levels - 1, ']') + ", \"report-id\"");
  };
  const auto items = [](std::size_t count) {
    return changed(kMxArray, "[" + repeated("\"a.example\"", count) + "]");
  };
  const std::string policy = R"({"policy":{"policy-type":"no-policy-found","policy-domain":"a"},)"
                             R"("summary":{"total-successful-session-count":0,)"
                             R"("total-failure-session-count":0}})";
  const auto policies = [&](std::size_t count) {  // the sample has one
    return changed("\"policies\": [", "\"policies\": [" + repeated(policy, count - 1) + ",");
  };
  const std::string detail = R"({"result-type":"tlsa-invalid","failed-session-count":0})";
  const auto details = [&](std::size_t count) {  // the sample has three
    return changed("\"failure-details\": [",
                   "\"failure-details\": [" + repeated(detail, count - 3) + ",");
  };
  // The sample itself holds less than a hundred.
  const auto values = [](std::size_t count) {
    return changed("\"report-id\"", "\"x\": [" + repeated("0", count) + "], \"report-id\"");
  };
  const std::vector<Case> cases = {
      {"bytes", size(kMaxReportBytes), size(kMaxReportBytes + 1), ReportError::kTooLarge},
      {"one text", text(kMaxReportTextBytes), text(kMaxReportTextBytes + 1),
       ReportError::kTooLarge},
      {"depth", depth(kMaxReportDepth), depth(kMaxReportDepth + 1), ReportError::kTooDeep},
      {"items", items(kMaxReportListItems), items(kMaxReportListItems + 1), ReportError::kTooLarge},
      {"policies", policies(kMaxReportPolicies), policies(kMaxReportPolicies + 1),
       ReportError::kTooLarge},
      {"details", details(kMaxReportDetails), details(kMaxReportDetails + 1),
       ReportError::kTooLarge},
      {"values", values(kMaxReportValues - 100), values(kMaxReportValues), ReportError::kTooLarge},
      {"depth that would end the stack", sample(kMxArray), std::string(1'000'000, '['),
       ReportError::kTooDeep},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto within = read_report_json(c.within);
    EXPECT_TRUE(within.ok()) << within.error().detail;
    const auto beyond = read_report_json(c.beyond);
    ASSERT_FALSE(beyond.ok());
    EXPECT_EQ(beyond.error().code, c.error) << beyond.error().detail;
    EXPECT_LT(beyond.error().detail.size(), 200U);
  }
}

// RFC 7493 §2.2 bounds each count; the sum of many must not go round and look small.
TEST(Rfc8460Sec4Seen, SumOfLargestDetailsIsAboveTheTotal) {
  for (const std::size_t count : {std::size_t{2}, std::size_t{2048}, std::size_t{2049}}) {
    SCOPED_TRACE(count);
    Report report = sample_report();
    report.policies[0].failed = kMaxCount - 1;
    FailureDetail largest = report.policies[0].failure_details[0];
    largest.failed_session_count = kMaxCount;
    report.policies[0].failure_details.assign(count, largest);
    const auto read = read_report_json(write_report_json(report));
    ASSERT_TRUE(read.ok()) << read.error().detail;
    ASSERT_EQ(read.value().remarks.size(), 1U);
    EXPECT_EQ(read.value().remarks[0].departure, Departure::kDetailsAboveTotal);
  }
}

TEST(Rfc8460Sec7Bounds, DetailsCountOverAllPolicies) {
  Report report = sample_report();
  report.policies.push_back(report.policies[0]);
  report.policies[0].failure_details.resize(kMaxReportDetails - 3);
  EXPECT_TRUE(read_report_json(write_report_json(report)).ok());
  report.policies[0].failure_details.resize(kMaxReportDetails - 2);
  const auto beyond = read_report_json(write_report_json(report));
  ASSERT_FALSE(beyond.ok());
  EXPECT_EQ(beyond.error().code, ReportError::kTooLarge);
}

TEST(Rfc8460Sec7Bounds, RemarksAreCounted) {
  std::string hosts;
  for (std::size_t i = 0; i < kMaxRemarks + 7; ++i) hosts += "\"mx: a.example\",";
  hosts.pop_back();
  const auto read = read_report_json(changed(kMxArray, "[" + hosts + "]"));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value().remarks.size(), kMaxRemarks);
  EXPECT_EQ(read.value().remarks_left_out, 7U);
}

TEST(Rfc7493Writer, ExactBytes) {
  EXPECT_EQ(
      write_report_json(sample_report()),
      R"({"organization-name":"Company-X","date-range":{"start-datetime":"2016-04-01T00:00:00Z",)"
      R"("end-datetime":"2016-04-01T23:59:59Z"},"contact-info":"sts-reporting@company-x.example",)"
      R"("report-id":"5065427c-23d3-47ca-b6e0-946ea0e8c4be","policies":[{"policy":{)"
      R"("policy-type":"sts","policy-string":["version: STSv1","mode: testing",)"
      R"("mx: *.mail.company-y.example","max_age: 86400"],"policy-domain":"company-y.example",)"
      R"("mx-host":["*.mail.company-y.example"]},"summary":{)"
      R"("total-successful-session-count":5326,"total-failure-session-count":303},)"
      R"("failure-details":[{"result-type":"certificate-expired",)"
      R"("sending-mta-ip":"2001:db8:abcd:12::1",)"
      R"("receiving-mx-hostname":"mx1.mail.company-y.example","failed-session-count":100},)"
      R"({"result-type":"starttls-not-supported","sending-mta-ip":"2001:db8:abcd:13::1",)"
      R"("receiving-mx-hostname":"mx2.mail.company-y.example","receiving-ip":"203.0.113.56",)"
      R"("failed-session-count":200,"additional-information":)"
      R"("https://reports.company-x.example/report_info?id=5065427c-23d3#StarttlsNotSupported"},)"
      R"({"result-type":"validation-failure","sending-mta-ip":"198.51.100.62",)"
      R"("receiving-mx-hostname":"mx-backup.mail.company-y.example",)"
      R"("receiving-ip":"203.0.113.58","failed-session-count":3,)"
      R"("failure-reason-code":"X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"}]}]})"
      "\n");
  Report empty;
  empty.policies.resize(1);
  EXPECT_EQ(write_report_json(empty),
            R"({"organization-name":"","date-range":{"start-datetime":"1970-01-01T00:00:00Z",)"
            R"("end-datetime":"1970-01-01T00:00:00Z"},"contact-info":"","report-id":"",)"
            R"("policies":[{"policy":{"policy-type":"no-policy-found","policy-domain":""},)"
            R"("summary":{"total-successful-session-count":0,"total-failure-session-count":0},)"
            R"("failure-details":[]}]})"
            "\n");
}

TEST(Rfc7493Writer, HostileTextsStayTexts) {
  struct Case {
    const char* name;
    std::string text;
    std::string json;
    std::string read;
  };
  const std::string replaced = "\xEF\xBF\xBD";
  const std::vector<Case> cases = {
      {"end of the text", "\",\"x\":\"", R"(\",\"x\":\")", "\",\"x\":\""},
      {"backslash", "\\", R"(\\)", "\\"},
      {"control characters", "a\r\n\x1f", R"(a\u000d\u000a\u001f)", "a\r\n\x1f"},
      {"NUL", "a\0b"s, "a" + replaced + "b", "a" + replaced + "b"},
      {"UTF-8", "\xE2\x82\xAC\xF0\x9F\x93\xA7", "\xE2\x82\xAC\xF0\x9F\x93\xA7",
       "\xE2\x82\xAC\xF0\x9F\x93\xA7"},
      {"not UTF-8, §2.1", "\xFF\xC3(", replaced + replaced + "(", replaced + replaced + "("},
      {"surrogate, §2.1", "\xED\xA0\x80", replaced + replaced + replaced,
       replaced + replaced + replaced},
      {"noncharacters, §2.1", "\xEF\xBF\xBF\xEF\xB7\x90\xF4\x8F\xBF\xBE",
       replaced + replaced + replaced, replaced + replaced + replaced},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Report report = sample_report();
    report.policies[0].failure_details[0].receiving_mx_helo = c.text;
    const std::string json = write_report_json(report);
    EXPECT_NE(json.find("\"receiving-mx-helo\":\"" + c.json + "\""), std::string::npos) << json;
    const auto read = read_report_json(json);
    ASSERT_TRUE(read.ok()) << read.error().detail;
    EXPECT_TRUE(read.value().remarks.empty());
    EXPECT_EQ(read.value().report.policies[0].failure_details[0].receiving_mx_helo, c.read);
  }
}

TEST(Rfc7493Writer, CountsStayBelow2To53) {
  Report report = sample_report();
  report.policies[0].successful = kMaxCount + 1;
  report.policies[0].failed = UINT64_MAX;
  const auto read = read_report_json(write_report_json(report));
  ASSERT_TRUE(read.ok()) << read.error().detail;
  EXPECT_EQ(read.value().report.policies[0].successful, kMaxCount);
  EXPECT_EQ(read.value().report.policies[0].failed, kMaxCount);
}

TEST(Rfc8460Sec4RoundTrip, EveryMemberComesBack) {
  Report report = sample_report();
  report.organization_name = "K\xC3\xA4se & \"S\xC3\xB6hne\"";
  report.policies.reserve(3);  // the references below stay valid
  PolicyResult& tlsa = report.policies.emplace_back();
  tlsa.policy.type = PolicyType::kTlsa;
  tlsa.policy.policy_domain = "mx.company-y.example";
  tlsa.policy.policy_strings = {"3 1 1 00ff", "3 1 1 ff00"};
  tlsa.successful = 1;
  PolicyResult& unknown = report.policies.emplace_back();
  unknown.policy.type = "future";
  unknown.policy.policy_domain = "company-y.example";
  for (int type = 0; type <= static_cast<int>(ResultType::kStsWebpkiInvalid); ++type) {
    FailureDetail& detail = tlsa.failure_details.emplace_back();
    detail.result_type = static_cast<ResultType>(type);
    detail.receiving_mx_helo = "250-mx\r\n250 SIZE";
    detail.failed_session_count = static_cast<std::uint64_t>(type);
  }
  tlsa.failed = 100;
  const std::string json = write_report_json(report);
  EXPECT_EQ(write_report_json(report), json);
  const auto read = read_report_json(json);
  ASSERT_TRUE(read.ok()) << read.error().detail;
  EXPECT_EQ(read.value().report, report);
  ASSERT_EQ(read.value().remarks.size(), 1U);
  EXPECT_EQ(read.value().remarks[0].departure, Departure::kUnknownPolicyType);
}

TEST(Rfc3339Sec5DateTime, FormsOfTheGrammar) {
  struct Case {
    const char* input;
    std::int64_t want;  // or -1
    bool has_zone = true;
  };
  const std::vector<Case> cases = {
      {"1970-01-01T00:00:00Z", 0},
      {"2026-11-22T23:59:59Z", 1795391999},
      {"2026-11-22t23:59:59z", 1795391999},
      {"2026-11-22 23:59:59Z", 1795391999},
      {"2026-11-22T23:59:59.999999999Z", 1795391999},
      {"2026-11-22T23:59:60Z", 1795392000},
      {"2026-11-22T23:59:59+00:00", 1795391999},
      {"2026-11-23T01:29:59+01:30", 1795391999},
      {"2026-11-22T22:29:59-01:30", 1795391999},
      {"2026-11-22T23:59:59", 1795391999, false},
      {"2024-02-29T00:00:00Z", 1709164800},
      {"9999-12-31T23:59:59Z", 253402300799},
      {"9999-12-31T23:59:59-00:01", -1},
      {"1970-01-01T00:00:00+00:01", -1},
      {"1969-12-31T23:59:59Z", -1},
      {"2026-02-29T00:00:00Z", -1},
      {"2026-13-01T00:00:00Z", -1},
      {"2026-11-22T24:00:00Z", -1},
      {"2026-11-22T00:60:00Z", -1},
      {"2026-11-22T00:00:61Z", -1},
      {"2026-11-22T00:00:00.Z", -1},
      {"2026-11-22T00:00:00ZZ", -1},
      {"2026-11-22T00:00:00+1", -1},
      {"2026-11-22T00:00:00+24:00", -1},
      {"2026-11-22T00:00Z", -1},
      {"2026-11-22", -1},
      {"26-11-22T00:00:00Z", -1},
      {"+026-11-22T00:00:00Z", -1},
      {" 2026-11-22T00:00:00Z", -1},
      {"1795391999", -1},
      {"", -1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.input);
    const auto read = read_date_time(c.input);
    ASSERT_EQ(read.has_value(), c.want >= 0);
    if (!read.has_value()) continue;
    EXPECT_EQ(read->time.time_since_epoch().count(), c.want);
    EXPECT_EQ(read->has_zone, c.has_zone);
  }
}

}  // namespace
}  // namespace strictmx::tlsrpt
