// report_target_test.cc - the URIs of rua as places that a report goes to.
#include "common/reporting/report_target.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/printable.h"

namespace strictmx::reporting {
namespace {

using std::string_literals::operator""s;

bool is_for_a_log(const std::string& text) {
  return text.size() < 400 && base::shown(text) == text;
}

TEST(Rfc8460Sec3ReportTarget, Mailto) {
  struct Case {
    const char* rule;
    std::string input;
    std::string mailbox;
    std::string uri;
  };
  const std::vector<Case> cases = {
      {"RFC 8460 §3.1 sample", "mailto:reports@example.com", "reports@example.com",
       "mailto:reports@example.com"},
      {"schemes have no case", "MailTo:a@b.example", "a@b.example", "mailto:a@b.example"},
      {"domain in lower case, local part as it is", "mailto:Re.Ports@EXAMPLE.Com",
       "Re.Ports@example.com", "mailto:Re.Ports@example.com"},
      {"A-label", "mailto:a@XN--MNCHEN-3ya.example", "a@xn--mnchen-3ya.example",
       "mailto:a@xn--mnchen-3ya.example"},
      {"query dropped (RFC 8460 §7)", "mailto:a@b.example?subject=x&bcc=evil@c.example",
       "a@b.example", "mailto:a@b.example"},
      {"fragment dropped", "mailto:a@b.example#x", "a@b.example", "mailto:a@b.example"},
      {"encoded at", "mailto:a%40b.example", "a@b.example", "mailto:a@b.example"},
      {"all encoded", "mailto:%61%40%62%2e%65%78", "a@b.ex", "mailto:a@b.ex"},
      {"decoded once (RFC 6068 §6.1)", "mailto:gorby%25kremvax@example.com",
       "gorby%kremvax@example.com", "mailto:gorby%25kremvax@example.com"},
      {"double encoding is not undone", "mailto:a%2540b@c.example", "a%40b@c.example",
       "mailto:a%2540b@c.example"},
      {"plus", "mailto:a+tls-rpt@b.example", "a+tls-rpt@b.example", "mailto:a+tls-rpt@b.example"},
      {"marks of an atom", "mailto:%21%23$%25%26'*+%2F=%3F^_`%7B|%7D~@b.example",
       "!#$%&'*+/=?^_`{|}~@b.example",
       "mailto:%21%23$%25%26'*+%2F%3D%3F%5E_%60%7B%7C%7D~@b.example"},
      {"inner dash", "mailto:a-b@c-d.example", "a-b@c-d.example", "mailto:a-b@c-d.example"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.rule);
    const auto target = read_target(c.input);
    ASSERT_TRUE(target.ok()) << target.error().detail;
    EXPECT_EQ(target.value().kind, TargetKind::kMail);
    EXPECT_EQ(target.value().mailbox, c.mailbox);
    EXPECT_EQ(target.value().uri, c.uri);
    EXPECT_EQ(target.value().host, "");
    const auto again = read_target(target.value().uri);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again.value(), target.value());
  }
}

TEST(Rfc8460Sec3ReportTarget, Https) {
  struct Case {
    const char* rule;
    std::string input;
    std::string host;
    std::uint16_t port;
    std::string path;
    std::string uri;
  };
  const std::string longest = "/" + std::string(kMaxPathBytes - 1, 'p');
  const std::vector<Case> cases = {
      {"RFC 8460 §3.1 sample", "https://reporting.example.com/v1/tlsrpt", "reporting.example.com",
       443, "/v1/tlsrpt", "https://reporting.example.com/v1/tlsrpt"},
      {"no path", "https://a.example", "a.example", 443, "/", "https://a.example/"},
      {"slash", "https://a.example/", "a.example", 443, "/", "https://a.example/"},
      {"query without a path", "https://a.example?q=1", "a.example", 443, "/?q=1",
       "https://a.example/?q=1"},
      {"query", "https://a.example/p?q=/?:@", "a.example", 443, "/p?q=/?:@",
       "https://a.example/p?q=/?:@"},
      {"empty query", "https://a.example/p?", "a.example", 443, "/p?", "https://a.example/p?"},
      {"fragment dropped", "https://a.example/p#f?x", "a.example", 443, "/p",
       "https://a.example/p"},
      {"fragment after the host", "https://a.example#/p", "a.example", 443, "/",
       "https://a.example/"},
      {"no case", "HTTPS://A.Example/Path", "a.example", 443, "/Path", "https://a.example/Path"},
      {"final dot", "https://a.example./p", "a.example", 443, "/p", "https://a.example/p"},
      {"A-label", "https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example", 443, "/",
       "https://xn--mnchen-3ya.example/"},
      {"port", "https://a.example:8443/p", "a.example", 8443, "/p", "https://a.example:8443/p"},
      {"the scheme's port", "https://a.example:443/p", "a.example", 443, "/p",
       "https://a.example/p"},
      {"empty port (RFC 3986 §3.2.3)", "https://a.example:/p", "a.example", 443, "/p",
       "https://a.example/p"},
      {"lowest port", "https://a.example:1", "a.example", 1, "/", "https://a.example:1/"},
      {"highest port", "https://a.example:65535", "a.example", 65535, "/",
       "https://a.example:65535/"},
      {"leading zero", "https://a.example:00443/", "a.example", 443, "/", "https://a.example/"},
      {"escapes stay", "https://a.example/%7e%2F%2c%41", "a.example", 443, "/%7e%2F%2c%41",
       "https://a.example/%7e%2F%2c%41"},
      {"encoded percent stays", "https://a.example/%250a", "a.example", 443, "/%250a",
       "https://a.example/%250a"},
      {"at in the path", "https://a.example/b@c", "a.example", 443, "/b@c",
       "https://a.example/b@c"},
      {"longest path", "https://a.example" + longest, "a.example", 443, longest,
       "https://a.example" + longest},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.rule);
    const auto target = read_target(c.input);
    ASSERT_TRUE(target.ok()) << target.error().detail;
    EXPECT_EQ(target.value().kind, TargetKind::kHttps);
    EXPECT_EQ(target.value().host, c.host);
    EXPECT_EQ(target.value().port, c.port);
    EXPECT_EQ(target.value().path, c.path);
    EXPECT_EQ(target.value().uri, c.uri);
    EXPECT_EQ(target.value().mailbox, "");
    const auto again = read_target(target.value().uri);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again.value(), target.value());
  }
}

TEST(Rfc8460Sec3ReportTarget, WhatCantBeSentToIsRefused) {
  struct Case {
    const char* name;
    std::string input;
    TargetError code;
    std::string want;  // part of the detail
  };
  using enum TargetError;
  const std::vector<Case> cases = {
      {"empty", "", kSyntax, "scheme"},
      {"address alone", "a@b.example", kSyntax, "scheme"},
      {"no scheme", ":a@b.example", kSyntax, "scheme"},
      {"space first", " mailto:a@b.example", kSyntax, "spaces"},
      {"space inside", "mailto:a@b.example x", kSyntax, "spaces"},
      {"line break", "mailto:a@b.example\r\nBcc:c@d.example", kSyntax, "printable"},
      {"NUL", "mailto:a@b.example\0"s, kSyntax, "printable"},
      {"tab", "mailto:\ta@b.example", kSyntax, "printable"},
      {"UTF-8", "mailto:\xC3\xA4@b.example", kSyntax, "printable"},
      {"DEL", "mailto:a\x7F@b.example", kSyntax, "printable"},
      {"megabyte", "mailto:" + std::string(1 << 20, 'a') + "@b.example", kSyntax, "4096"},

      {"http", "http://a.example/", kScheme, "scheme not supported"},
      {"ftp", "ftp://a.example/", kScheme, "scheme not supported"},
      {"file", "file:///etc/passwd", kScheme, "scheme not supported"},
      {"httpss", "httpss://a.example/", kScheme, "scheme not supported"},
      {"long scheme", std::string(3000, 's') + ":", kScheme, "..."},

      {"no address", "mailto:", kAddress, "plain"},
      {"query alone", "mailto:?to=a@b.example", kAddress, "plain"},
      {"no domain", "mailto:a@", kAddress, "plain"},
      {"no local part", "mailto:@b.example", kAddress, "plain"},
      {"no at", "mailto:b.example", kAddress, "plain"},
      {"two addresses", "mailto:a@b.example,c@d.example", kAddress, "plain"},
      {"two addresses, encoded", "mailto:a@b.example%2Cc@d.example", kAddress, "plain"},
      {"two ats", "mailto:a%40b@c.example", kAddress, "plain"},
      {"line break, encoded", "mailto:a@b.example%0D%0ABcc:c@d.example", kAddress, "plain"},
      {"line break in the local part", "mailto:a%0ARCPT%20TO:<c>@b.example", kAddress, "plain"},
      {"NUL, encoded", "mailto:a%00@b.example", kAddress, "plain"},
      {"space, encoded", "mailto:a%20b@c.example", kAddress, "plain"},
      {"quoted local part", "mailto:%22a%20b%22@c.example", kAddress, "plain"},
      {"display name", "mailto:A%20%3Ca@b.example%3E", kAddress, "plain"},
      {"route", "mailto:@c.example:a@b.example", kAddress, "plain"},
      {"pipe to a program", "mailto:%22%7Csh%22@b.example", kAddress, "plain"},
      {"leading dash", "mailto:-oQ/tmp@b.example", kAddress, "dash"},
      {"leading dash, encoded", "mailto:%2Da@b.example", kAddress, "dash"},
      {"dash before the domain", "mailto:a@-b.example", kAddress, "plain"},
      {"leading dot", "mailto:.a@b.example", kAddress, "plain"},
      {"address literal", "mailto:a@[192.0.2.1]", kAddress, "plain"},
      {"IPv4 as a domain", "mailto:a@192.0.2.1", kAddress, "plain"},
      {"single label", "mailto:root@localhost", kAddress, "fully qualified"},
      {"DMARC's size", "mailto:a@b.example!10m", kAddress, "plain"},
      {"UTF-8, encoded", "mailto:%C3%A4@b.example", kAddress, "plain"},
      {"authority", "mailto://a@b.example", kAddress, "plain"},
      {"local part over 64 bytes", "mailto:" + std::string(65, 'a') + "@b.example", kAddress,
       "plain"},
      {"broken escape", "mailto:a%4@b.example", kSyntax, "percent"},
      {"escape cut", "mailto:a@b.example%4", kSyntax, "percent"},
      {"escape of no digits", "mailto:a%zz@b.example", kSyntax, "percent"},

      {"no host", "https:", kHost, "no host"},
      {"one slash", "https:/a.example/p", kHost, "no host"},
      {"empty host", "https:///p", kHost, "host"},
      {"port without a host", "https://:443/p", kHost, "host"},
      {"IPv4", "https://192.0.2.1/", kHost, "IP address"},
      {"IPv4 with a port", "https://127.0.0.1:8461/", kHost, "IP address"},
      {"IPv4 as one number", "https://2130706433/", kHost, "IP address"},
      {"IPv6", "https://[::1]/", kHost, "IP address"},
      {"single label", "https://localhost/", kHost, "fully qualified"},
      {"user", "https://me@a.example/", kHost, "password"},
      {"password", "https://me:secret@a.example/", kHost, "password"},
      {"user to mislead", "https://a.example:443@b.example/", kHost, "password"},
      {"escape in the host", "https://a%2eexample/", kHost, "name"},
      {"backslash in the host", "https://a.example\\@b.example/", kHost, "password"},
      {"bad label", "https://-a.example/", kHost, "name"},
      {"empty label", "https://a..example/", kHost, "name"},
      {"long name", "https://" + std::string(64, 'a') + ".example/", kHost, "name"},
      {"port 0", "https://a.example:0/", kHost, "65535"},
      {"port too high", "https://a.example:65536/", kHost, "65535"},
      {"port negative", "https://a.example:-1/", kHost, "65535"},
      {"port with text", "https://a.example:443x/", kHost, "65535"},
      {"port of six digits", "https://a.example:000443/", kHost, "65535"},
      {"two ports", "https://a.example:443:443/", kHost, "65535"},
      {"encoded NUL", "https://a.example/%00", kPath, "line end"},
      {"encoded CR", "https://a.example/%0d", kPath, "line end"},
      {"encoded LF", "https://a.example/p?q=%0A", kPath, "line end"},
      {"LF in the query alone", "https://a.example?%0a", kPath, "line end"},
      {"broken escape in the path", "https://a.example/%4", kSyntax, "percent"},
      {"escape of no digits in the query", "https://a.example/?%xy", kSyntax, "percent"},
      {"path too long", "https://a.example/" + std::string(kMaxPathBytes, 'p'), kPath, "2000"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto target = read_target(c.input);
    ASSERT_FALSE(target.ok()) << target.value().uri;
    EXPECT_EQ(target.error().code, c.code) << target.error().detail;
    EXPECT_NE(target.error().detail.find(c.want), std::string::npos) << target.error().detail;
    EXPECT_TRUE(is_for_a_log(target.error().detail)) << target.error().detail;
    EXPECT_EQ(target.error().detail.find("secret"), std::string::npos);
  }
}

TEST(ReportTargets, EachOnceInTheirOrderAndNoMoreThanAllowed) {
  const std::vector<std::string> uris = {
      "mailto:b@b.example",  "https://c.example",    "http://d.example/",
      "mailto:B@b.example",  "mailto:b@B.example",   "https://c.example:443/",
      "https://e.example/p", "mailto:b@b.example?x", "bad\x1b[31m uri"};
  const TargetList all = read_targets(uris, 10);
  std::vector<std::string> targets;
  for (const auto& target : all.targets) targets.push_back(target.uri);
  EXPECT_EQ(targets, (std::vector<std::string>{"mailto:b@b.example", "https://c.example/",
                                               "mailto:B@b.example", "https://e.example/p"}));
  ASSERT_EQ(all.refused.size(), 2U);
  EXPECT_EQ(all.refused[0].uri, "http://d.example/");
  EXPECT_NE(all.refused[0].why.find("scheme not supported"), std::string::npos);
  EXPECT_EQ(all.refused[1].uri, "bad\\x1b[31m uri");

  const TargetList two = read_targets(uris, 2);
  ASSERT_EQ(two.targets.size(), 2U);
  EXPECT_EQ(two.targets[1].uri, "https://c.example/");
  ASSERT_EQ(two.refused.size(), 4U);  // those of before and what is beyond; no repetitions
  EXPECT_EQ(two.refused[1].uri, "mailto:B@b.example");
  EXPECT_EQ(two.refused[1].why, "more than 2 destinations in the record");
  EXPECT_EQ(two.refused[2].uri, "https://e.example/p");

  const std::vector<std::string> long_uri = {"x:" + std::string(100000, 'y')};
  const TargetList none = read_targets(long_uri, 10);
  EXPECT_TRUE(none.targets.empty());
  ASSERT_EQ(none.refused.size(), 1U);
  EXPECT_TRUE(is_for_a_log(none.refused[0].uri));
  EXPECT_TRUE(read_targets({}, 10).targets.empty());
}

}  // namespace
}  // namespace strictmx::reporting
