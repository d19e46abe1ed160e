// https_submission_test.cc - reports POSTed over a made-up DNS and HTTPS.
#include "common/reporting/https_submission.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/fakes/fake_network.h"
#include "tests/unit/submission_words.h"

namespace strictmx::reporting {
namespace {

using testing::words;

constexpr const char* kHost = "reports.receiver.example";
const std::string kGzip("gzip\0bytes", 10);

class Rfc8460Sec54HttpsSubmission : public ::testing::Test {
 protected:
  void set_addresses(const std::vector<std::string>& texts) {
    dns::DnsAnswer<base::IpAddress> answer;
    for (const auto& text : texts) answer.records.push_back(*base::IpAddress::parse(text));
    resolver_.address_records.insert_or_assign(kHost, answer);
  }
  void set_status(int status) {
    client_.responses.insert_or_assign(kHost, http::HttpResponse{status, "", ""});
  }

  std::string submit(const std::string& uri = "https://reports.receiver.example/v1?a=b") {
    std::optional<std::string> got;
    submission_.submit(read_target(uri).value(), std::make_shared<const std::string>(kGzip),
                       [&got](const base::Outcome<SubmissionError>& outcome) {
                         EXPECT_FALSE(got.has_value()) << "called twice";
                         got = words(outcome);
                       });
    EXPECT_FALSE(got.has_value()) << "the callback ran inside submit()";
    pending_.deliver();
    return got.value_or("no callback came");
  }

  std::vector<std::string> addresses_sent() const {
    std::vector<std::string> texts;
    for (const auto& address : client_.last_request.addresses) texts.push_back(address.text());
    return texts;
  }

  fakes::Pending pending_;
  fakes::FakeResolver resolver_{pending_};
  fakes::FakeHttpClient client_{pending_};
  HttpsSubmission submission_{resolver_, client_, false};
};

TEST_F(Rfc8460Sec54HttpsSubmission, TheRequestIsAPostOfGzip) {
  set_addresses({"8.8.8.8", "2606:4700:4700::1111"});
  set_status(201);
  EXPECT_EQ(submit("https://reports.receiver.example:8443/v1?a=b"), "sent");
  const http::HttpRequest& request = client_.last_request;
  EXPECT_EQ(request.method, http::HttpMethod::kPost);
  EXPECT_EQ(request.host, kHost);
  EXPECT_EQ(request.port, 8443);
  EXPECT_EQ(request.path, "/v1?a=b");
  EXPECT_EQ(request.content_type, "application/tlsrpt+gzip");
  ASSERT_NE(request.body, nullptr);
  EXPECT_EQ(*request.body, kGzip);
  EXPECT_EQ(addresses_sent(), (std::vector<std::string>{"8.8.8.8", "2606:4700:4700::1111"}));
  EXPECT_EQ(submit("https://reports.receiver.example"), "sent");
  EXPECT_EQ(client_.last_request.port, 443);
  EXPECT_EQ(client_.last_request.path, "/");
}

TEST_F(Rfc8460Sec54HttpsSubmission, StatusDecides) {
  set_addresses({"8.8.8.8"});
  const std::string at = std::string(kHost) + ": HTTP status ";
  struct Case {
    int status;
    std::string want;
  };
  const std::vector<Case> cases = {
      {200, "sent"},
      {201, "sent"},
      {202, "sent"},
      {204, "sent"},
      {299, "sent"},
      {300, "temporary: " + at + "300, redirects are not followed"},
      {301, "temporary: " + at + "301, redirects are not followed"},
      {308, "temporary: " + at + "308, redirects are not followed"},
      {399, "temporary: " + at + "399, redirects are not followed"},
      {400, "temporary: " + at + "400"},
      {403, "temporary: " + at + "403"},
      {404, "temporary: " + at + "404"},
      {408, "temporary: " + at + "408"},
      {409, "temporary: " + at + "409"},
      {410, "refused: " + at + "410"},
      {411, "temporary: " + at + "411"},
      {413, "temporary: " + at + "413"},
      {429, "temporary: " + at + "429"},
      {500, "temporary: " + at + "500"},
      {503, "temporary: " + at + "503"},
      {599, "temporary: " + at + "599"},
      {999, "temporary: " + at + "999"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.status);
    client_.asked.clear();
    set_status(c.status);
    EXPECT_EQ(submit(), c.want);
    EXPECT_EQ(client_.asked[kHost], 1);  // no second request for whatever reason
  }
}

TEST_F(Rfc8460Sec54HttpsSubmission, FailuresOfHttpsAreTemporaryButForOurOwn) {
  set_addresses({"8.8.8.8"});
  struct Case {
    http::HttpError error;
    std::string want;
  };
  using enum http::HttpError;
  for (const Case& c : std::vector<Case>{{kTimeout, "timeout"},
                                         {kConnect, "temporary"},
                                         {kCertificate, "temporary"},
                                         {kTls, "temporary"},
                                         {kTooLarge, "temporary"},
                                         {kProtocol, "temporary"},
                                         {kSystem, "system"}}) {
    SCOPED_TRACE(http::http_error_name(c.error));
    client_.responses.insert_or_assign(kHost, base::fail(c.error, "made to fail"));
    EXPECT_EQ(submit(), c.want + ": reports.receiver.example: made to fail");
  }
}

TEST_F(Rfc8460Sec54HttpsSubmission, FailuresOfDnsAreTemporary) {
  struct Case {
    dns::DnsError error;
    std::string want;
  };
  using enum dns::DnsError;
  for (const Case& c : std::vector<Case>{{kTimeout, "timeout"},
                                         {kServerFailure, "temporary"},
                                         {kBogus, "temporary"},
                                         {kMalformed, "temporary"},
                                         {kName, "temporary"}}) {
    SCOPED_TRACE(dns::dns_error_name(c.error));
    resolver_.address_records.insert_or_assign(kHost, base::fail(c.error, "made to fail"));
    EXPECT_EQ(submit(), c.want + ": reports.receiver.example: made to fail");
  }
  set_addresses({});
  EXPECT_EQ(submit(), "temporary: reports.receiver.example: no address in DNS");
  EXPECT_EQ(client_.asked[kHost], 0);
}

TEST_F(Rfc8460Sec54HttpsSubmission, PrivateAddressesAreLeftOutUnlessAllowed) {
  set_status(200);
  for (const char* address : {"127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.1.1", "::1",
                              "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1"}) {
    SCOPED_TRACE(address);
    client_.asked.clear();
    set_addresses({address});
    const std::string want = "refused: reports.receiver.example has no public address, but " +
                             base::IpAddress::parse(address)->text();
    EXPECT_EQ(submit(), want);
    EXPECT_EQ(client_.asked[kHost], 0);
  }

  set_addresses({"127.0.0.1", "8.8.8.8", "::1", "10.0.0.1", "2606:4700:4700::1111"});
  EXPECT_EQ(submit(), "sent");
  EXPECT_EQ(addresses_sent(), (std::vector<std::string>{"8.8.8.8", "2606:4700:4700::1111"}));

  submission_.set_allows_private(true);
  EXPECT_EQ(submit(), "sent");
  EXPECT_EQ(addresses_sent().size(), 5U);
  submission_.set_allows_private(false);
  set_addresses({"10.0.0.1"});
  EXPECT_TRUE(submit().starts_with("refused: "));
}

TEST_F(Rfc8460Sec54HttpsSubmission, NoMoreAddressesThanTheLimitAreTried) {
  set_status(200);
  std::vector<std::string> many = {"10.0.0.1"};
  for (int i = 1; i <= 20; ++i) many.push_back("8.8.8." + std::to_string(i));
  set_addresses(many);
  EXPECT_EQ(submit(), "sent");
  ASSERT_EQ(addresses_sent().size(), kMaxTargetAddresses);
  EXPECT_EQ(addresses_sent().front(), "8.8.8.1");  // what is left out does not count
}

TEST_F(Rfc8460Sec54HttpsSubmission, DestroyedItCallsNobody) {
  set_addresses({"8.8.8.8"});
  set_status(200);
  const auto target = read_target("https://reports.receiver.example/").value();
  const auto gzip = std::make_shared<const std::string>("x");
  for (const int delivered : {0, 1}) {
    SCOPED_TRACE(delivered);
    auto submission = std::make_unique<HttpsSubmission>(resolver_, client_, false);
    submission->submit(target, gzip, [](const auto&) { ADD_FAILURE() << "called"; });
    if (delivered == 1) pending_.deliver_one();  // DNS; the request is under way
    submission.reset();
    pending_.deliver();
  }
  EXPECT_EQ(client_.asked[kHost], 1);
  client_.last_request = {};
  EXPECT_EQ(gzip.use_count(), 1);
}

TEST_F(Rfc8460Sec54HttpsSubmission, ACallbackMaySubmitAgain) {
  set_addresses({"8.8.8.8"});
  set_status(503);
  const auto target = read_target("https://reports.receiver.example/").value();
  const auto gzip = std::make_shared<const std::string>("x");
  std::string second;
  submission_.submit(target, gzip, [&](const auto& first) {
    EXPECT_FALSE(first.ok());
    set_status(200);
    submission_.submit(target, gzip, [&](const auto& outcome) { second = words(outcome); });
  });
  pending_.deliver();
  EXPECT_EQ(second, "sent");
}

}  // namespace
}  // namespace strictmx::reporting
