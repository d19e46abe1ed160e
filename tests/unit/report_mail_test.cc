// report_mail_test.cc - the mail of RFC 8460 §5.3: names, header, text, and what hostile reports
// can't do. That other programs read it is shown by report_mail_test.py.
#include "common/reporting/report_mail.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/base/printable.h"
#include "common/reporting/gzip.h"
#include "common/reporting/mime_encoding.h"
#include "common/reporting/report_names.h"
#include "common/reporting/report_text.h"

namespace strictmx::reporting {
namespace {

using std::string_literals::operator""s;
using tlsrpt::FailureDetail;
using tlsrpt::PolicyResult;
using tlsrpt::Report;
using tlsrpt::ResultType;

base::WallTime at(std::int64_t seconds) { return base::WallTime(std::chrono::seconds(seconds)); }

base::DomainName name(const std::string& text) {
  auto parsed = base::DomainName::parse(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return std::move(parsed).value();
}

Report report_with(std::vector<FailureDetail> details) {
  Report report;
  report.organization_name = "Company-X";
  report.start = at(1795305600);  // 2026-11-22
  report.end = at(1795391999);
  report.contact_info = "tls@sndr.example.com";
  report.report_id = "2026-11-22.1";
  PolicyResult& result = report.policies.emplace_back();
  result.policy.type = tlsrpt::PolicyType::kSts;
  result.policy.policy_domain = "example.net";
  result.successful = 5326;
  for (const FailureDetail& detail : details) result.failed += detail.failed_session_count;
  result.failure_details = std::move(details);
  return report;
}

FailureDetail failure(ResultType type, const std::string& host, std::uint64_t count,
                      const std::string& reason = "") {
  FailureDetail detail;
  detail.result_type = type;
  detail.receiving_mx_hostname = host;
  detail.failed_session_count = count;
  detail.failure_reason_code = reason;
  return detail;
}

ReportMail mail_of(const Report& report, const std::string& to = "rua@example.net") {
  const base::DomainName domain = name("example.net");
  auto mail = make_report_mail({.report = report,
                                .policy_domain = domain,
                                .json_gzip = "\x1f\x8b bytes",
                                .from = "noreply@sndr.example.com",
                                .to = to,
                                .date = at(1795395661)});
  EXPECT_TRUE(mail.ok()) << mail.error().detail;
  return mail.ok() ? std::move(mail).value() : ReportMail();
}

TEST(Rfc8460Sec51FileName, PartsAreThoseOfTheGrammar) {
  const auto names = report_names(report_with({}), name("Ex_ample.NET"));
  ASSERT_TRUE(names.ok());
  EXPECT_EQ(names.value().submitter, "sndr.example.com");
  EXPECT_EQ(names.value().file_name, "sndr.example.com!ex_ample.net!1795305600!1795391999!" +
                                         names.value().unique_digits + ".json.gz");
  EXPECT_EQ(names.value().unique_digits.size(), 16U);
  EXPECT_EQ(names.value().unique_digits.find_first_not_of("0123456789abcdef"), std::string::npos);
  Report other = report_with({});
  other.report_id += "x";
  const auto others = report_names(other, name("ex_ample.net"));
  ASSERT_TRUE(others.ok());
  EXPECT_NE(others.value().unique_digits, names.value().unique_digits);
}

TEST(Rfc8460Sec53ReportId, LeftSideIsADotAtom) {
  struct Case {
    const char* name;
    std::string id;
    std::string want;  // a prefix where digits follow
  };
  const std::vector<Case> cases = {
      {"plain", "735ff.e317+bf22029", "735ff.e317+bf22029@sndr.example.com"},
      {"ours already", "a.b@sndr.example.com", "a.b@sndr.example.com"},
      {"colons", "2026-11-22T00:00:00Z_x", "2026-11-22T00-00-00Z-x-"},
      {"another's domain", "a@b.example", "a-b-example-"},
      {"line end", "a\r\nBcc: b@b.example", "a--Bcc--b-b-example-"},
      {"not ASCII", "\xC3\xA4>", "----"},
      {"empty", "", "-"},
      {"two dots", "a..b", "a--b-"},
      {"too long", std::string(129, 'a'), std::string(64, 'a') + "-"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Report report = report_with({});
    report.report_id = c.id;
    const auto names = report_names(report, name("example.net"));
    ASSERT_TRUE(names.ok());
    const std::string& id = names.value().report_id;
    EXPECT_EQ(id.find(c.want), 0U) << id;
    EXPECT_TRUE(id.ends_with("@sndr.example.com"));
    EXPECT_EQ(std::count(id.begin(), id.end(), '@'), 1);
    EXPECT_EQ(id.find_first_of("\r\n <>:()\""), std::string::npos);
  }
  Report long_enough = report_with({});
  long_enough.report_id = std::string(128, 'a');
  EXPECT_EQ(report_names(long_enough, name("example.net")).value().id_left, long_enough.report_id);
}

TEST(Rfc8460Sec53Header, ExactFields) {
  const ReportMail mail = mail_of(report_with({}));
  const std::string digits =
      report_names(report_with({}), name("example.net")).value().unique_digits;
  const std::vector<HeaderField> want = {
      {"From", "noreply@sndr.example.com"},
      {"To", "rua@example.net"},
      {"Date", "Mon, 23 Nov 2026 01:01:01 +0000"},
      {"Subject",
       "Report Domain: example.net\r\n Submitter: sndr.example.com\r\n"
       " Report-ID: <2026-11-22.1@sndr.example.com>"},
      {"Message-ID", "<2026-11-22.1." + digits_of("rua@example.net") + "@sndr.example.com>"},
      {"TLS-Report-Domain", "example.net"},
      {"TLS-Report-Submitter", "sndr.example.com"},
      {"TLS-Required", "No"},
      {"Auto-Submitted", "auto-generated"},
      {"MIME-Version", "1.0"},
      {"Content-Type",
       "multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"=_strictmx_" + digits + "\""},
  };
  ASSERT_EQ(mail.header.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(mail.header[i].name, want[i].name);
    EXPECT_EQ(mail.header[i].value, want[i].value);
  }
}

TEST(Rfc8460Sec53Header, SameReportSameBytes) {
  const Report report = report_with({failure(ResultType::kTlsaInvalid, "mx.example.net", 3)});
  const ReportMail first = mail_of(report);
  const ReportMail again = mail_of(report);
  EXPECT_EQ(first.header, again.header);
  EXPECT_EQ(first.body, again.body);
  const ReportMail other = mail_of(report, "other@example.net");
  EXPECT_EQ(first.body, other.body);
  EXPECT_NE(first.header[4], other.header[4]);  // its own Message-ID
}

TEST(Rfc8460Sec53Header, AddressesAreChecked) {
  const Report report = report_with({});
  const base::DomainName domain = name("example.net");
  for (const std::string& bad :
       {""s, "a"s, "a@b.example\r\nBcc: c@c.example"s, "a@b.example, c@c.example"s,
        "<a@b.example>"s, "a b@b.example"s, "-a@b.example\0"s}) {
    SCOPED_TRACE(bad);
    const auto from = make_report_mail({report, domain, "", bad, "rua@example.net", at(0)});
    ASSERT_FALSE(from.ok());
    EXPECT_EQ(from.error().code, MailProblem::kFrom);
    const auto to = make_report_mail({report, domain, "", "a@b.example", bad, at(0)});
    ASSERT_FALSE(to.ok());
    EXPECT_EQ(to.error().code, MailProblem::kTo);
    Report other = report;
    other.contact_info = bad;
    const auto contact =
        make_report_mail({other, domain, "", "a@b.example", "rua@example.net", at(0)});
    ASSERT_FALSE(contact.ok());
    EXPECT_EQ(contact.error().code, MailProblem::kReport);
  }
}

// Nothing in a report leaves its place, whatever it is.
TEST(Rfc8460Sec53Hostile, NoFieldOrPartIsAdded) {
  const Report plain = report_with({failure(ResultType::kTlsaInvalid, "mx.example.net", 3, "x")});
  const std::string digits = report_names(plain, name("example.net")).value().unique_digits;
  const std::string boundary = "--=_strictmx_" + digits;
  const std::vector<std::string> hostile = {
      "x\r\nBcc: victim@victim.example",
      "x\nBcc: victim@victim.example\n\n",
      "\r\n" + boundary + "\r\nContent-Type: text/html\r\n\r\n<script>",
      "\n" + boundary + "--\n",
      boundary,
      "\"; filename=\"evil.exe",
      "\0\x1b[2J\xFF\xE2\x80\xAE"s,
      std::string(8000, '='),
      std::string(3000, '\n'),
      "\r\n.\r\n",
  };
  for (const std::string& text : hostile) {
    SCOPED_TRACE(base::shown(text, 60));
    Report report = plain;
    report.organization_name = text;
    PolicyResult& result = report.policies[0];
    result.policy.type = text;
    result.policy.policy_domain = text;
    result.policy.policy_strings = {text};
    result.policy.mx_hosts = {text};
    FailureDetail& detail = result.failure_details[0];
    detail.result_type = text;
    detail.receiving_mx_hostname = text;
    detail.receiving_mx_helo = text;
    detail.additional_information = text;
    detail.failure_reason_code = text;
    const ReportMail mail = mail_of(report);
    EXPECT_EQ(mail.header, mail_of(plain).header);
    std::size_t boundaries = 0;
    for (std::size_t i = mail.body.find(boundary); i != std::string::npos;
         i = mail.body.find(boundary, i + 1)) {
      ++boundaries;
    }
    EXPECT_EQ(boundaries, 3U);
    EXPECT_TRUE(base::is_ascii(mail.body));
    EXPECT_EQ(mail.body.find("Bcc:") == 0 || mail.body.find("\nBcc:") != std::string::npos, false);
    EXPECT_EQ(mail.body.find("\n.\r\n"), std::string::npos);
    EXPECT_EQ(std::count(mail.body.begin(), mail.body.end(), '\r'),
              std::count(mail.body.begin(), mail.body.end(), '\n'));

    // In the report-id as well: the names change, their form does not.
    report.report_id = text;
    for (const HeaderField& field : mail_of(report).header) {
      std::string value = field.value;
      for (std::size_t i = value.find("\r\n "); i != std::string::npos; i = value.find("\r\n ")) {
        value.erase(i, 3);
      }
      EXPECT_EQ(value.find_first_of("\r\n"), std::string::npos) << field.name;
      EXPECT_TRUE(base::is_ascii(value));
      EXPECT_LT(field.value.size(), 900U);
    }
  }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = std::min(text.find('\n', i), text.size());
    lines.push_back(text.substr(i, end - i));
    i = end + 1;
  }
  return lines;
}

TEST(ReportText, ReadAtAGlance) {
  const Report report = report_with(
      {failure(ResultType::kCertificateExpired, "mx1.example.net", 100),
       failure(ResultType::kCertificateExpired, "mx2.example.net", 3, "rare"),
       failure(ResultType::kCertificateExpired, "mx2.example.net", 197, "certificate has expired"),
       failure(ResultType::kStsPolicyFetchError, "", 3, "HTTP status 404")});
  EXPECT_EQ(report_text(report, name("example.net")),
            R"(TLS report for example.net, 2026-11-22 (UTC)

        5629  sessions
        5326  secure (94.61 %)
         303  failed

This is how mail from Company-X met the mail servers of example.net. A
session is secure when it used TLS as the domain's policy demands.

MTA-STS policy for example.net: 5326 sessions secure, 303 failed

  * certificate-expired
    The certificate has expired.
           200  at mx2.example.net
                  reason: certificate has expired
           100  at mx1.example.net
    What to do: Renew it, and see that the mail server was reloaded after
                the renewal.

  * sts-policy-fetch-error
    The MTA-STS policy could not be fetched.
             3  before an MX host was reached
                  reason: HTTP status 404
    What to do: See that https://mta-sts.example.net/.well-known/mta-sts.txt
                answers with status 200, as text/plain, without a redirect.

The attached file has all details for programs (RFC 8460). Questions go to
tls@sndr.example.com; the report's number is 2026-11-22.1.
)");
}

TEST(ReportText, LargestFailuresAreShown) {
  std::vector<FailureDetail> details;
  details.reserve(kMaxShownFailures + 30);
  for (std::uint64_t i = 1; i <= kMaxShownFailures + 30; ++i) {
    details.push_back(
        failure(ResultType::kTlsaInvalid, "mx" + std::to_string(i) + ".example.net", i));
  }
  const std::string all = report_text(report_with(details), name("example.net"));
  EXPECT_NE(all.find(" 50  at mx50.example.net\n"), std::string::npos) << all;
  EXPECT_NE(all.find(" 31  at mx31.example.net\n"), std::string::npos);
  EXPECT_EQ(all.find("at mx30.example.net"), std::string::npos);
  // 1 + 2 + ... + 30
  EXPECT_NE(all.find("... and 30 more with 465 sessions, all smaller than these."),
            std::string::npos);
  details.resize(kMaxShownFailures);
  EXPECT_EQ(report_text(report_with(details), name("example.net")).find("more with"),
            std::string::npos);

  Report report = report_with({});
  report.policies.resize(kMaxShownPolicies);
  EXPECT_EQ(report_text(report, name("example.net")).find("more policies"), std::string::npos);
  report.policies.resize(kMaxShownPolicies + 2);
  EXPECT_NE(report_text(report, name("example.net")).find("... and 2 more policies."),
            std::string::npos);
}

TEST(ReportText, OrderOfDetailsMakesNoDifference) {
  std::vector<FailureDetail> details;
  details.reserve(40);
  for (int i = 0; i < 40; ++i) {
    details.push_back(
        failure(static_cast<ResultType>(i % 11), "mx" + std::to_string(i % 7) + ".example.net", 5));
  }
  const std::string text = report_text(report_with(details), name("example.net"));
  std::reverse(details.begin(), details.end());
  EXPECT_EQ(report_text(report_with(details), name("example.net")), text);
}

TEST(ReportText, LinesFitAndTextsCanNotEscape) {
  const std::string longest = std::string(63, 'a') + "." + std::string(63, 'b') + "." +
                              std::string(63, 'c') + "." + std::string(61, 'd');
  for (const std::string& text :
       {longest, std::string(5000, 'x'), "\xE2\x82\xAC\n\x1b[2J" + std::string(200, '\xFF'),
        std::string(500, ' '), "\n\n\nFrom: x"s}) {
    Report report = report_with({failure(ResultType::kValidationFailure, text, 1, text)});
    report.organization_name = text;
    report.report_id = text;
    report.policies[0].policy.policy_domain = text;
    const std::string shown = report_text(report, name(longest));
    for (const std::string& line : lines_of(shown)) {
      EXPECT_LE(base::columns(line), kMaxTextColumns) << line;
      EXPECT_EQ(base::shown(line), line);
    }
    EXPECT_EQ(shown.find("\nFrom:"), std::string::npos);
  }
}

TEST(Rfc2045Encodings, QuotedPrintable) {
  struct Case {
    std::string input;
    std::string want;
  };
  const std::vector<Case> cases = {
      {"", ""},
      {"a", "a\r\n"},
      {"a\n\nb\n", "a\r\n\r\nb\r\n"},
      {"a=b", "a=3Db\r\n"},
      {"a \nb\t", "a=20\r\nb=09\r\n"},
      {"a b\tc", "a b\tc\r\n"},
      {"\xC3\xA4", "=C3=A4\r\n"},
      {"\r\0\x7f"s, "=0D=00=7F\r\n"},
      {std::string(76, 'a'), std::string(76, 'a') + "\r\n"},
      {std::string(77, 'a'), std::string(75, 'a') + "=\r\naa\r\n"},
      {std::string(75, 'a') + " ", std::string(75, 'a') + "=\r\n=20\r\n"},
      {std::string(73, 'a') + "=", std::string(73, 'a') + "=3D\r\n"},
      {std::string(73, 'a') + "=b", std::string(73, 'a') + "=\r\n=3Db\r\n"},
  };
  for (const Case& c : cases) EXPECT_EQ(quoted_printable(c.input), c.want);
}

TEST(Rfc2045Encodings, Base64) {
  // RFC 4648 §10
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==\r\n");
  EXPECT_EQ(base64("fo"), "Zm8=\r\n");
  EXPECT_EQ(base64("foo"), "Zm9v\r\n");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy\r\n");
  EXPECT_EQ(base64("\xFB\xFF\xFE"), "+//+\r\n");
  EXPECT_EQ(base64(std::string(57, '\0')), std::string(76, 'A') + "\r\n");
  EXPECT_EQ(base64(std::string(58, '\0')), std::string(76, 'A') + "\r\nAA==\r\n");
}

}  // namespace
}  // namespace strictmx::reporting
