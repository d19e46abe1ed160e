// report_sender_test.cc - mails put together and signed, reports in folders (RFC 8460 §5).
#include "common/reporting/report_sender.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "common/base/log.h"
#include "common/reporting/report_builder.h"
#include "tests/fakes/fake_network.h"

namespace strictmx::reporting {
namespace {

Delivery delivery_to(const std::string& uri, const std::string& domain = "good.test") {
  StoredPolicy policy;
  policy.policy.domain = domain;
  policy.sessions = {2, 0};
  const auto built =
      build_report({20780, domain, {policy}, 0}, {"Example Mail", "tls@sender.test"}, "id-1");
  EXPECT_TRUE(built.ok());
  return {base::DomainName::parse(domain).value(), uri, Origin::kRecord,
          base::WallTime(std::chrono::seconds(1795500000)),
          std::make_shared<const std::string>(built.value())};
}

MailAuthor signing_author() {
  auto key = dkim::PrivateKey::make(dkim::KeyType::kEd25519);
  EXPECT_TRUE(key.ok());
  std::vector<dkim::SigningKey> keys;
  keys.push_back({std::move(key).value(), "tls"});
  auto signer = dkim::Signer::create(base::DomainName::parse("sender.test").value(), keys);
  EXPECT_TRUE(signer.ok());
  return {"noreply@sender.test", std::make_shared<const dkim::Signer>(std::move(signer).value())};
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ReportSender, ComposesTheSameSignedMailEachTime) {
  const MailAuthor author = signing_author();
  const Delivery delivery = delivery_to("mailto:reader@good.test");
  const auto mail = compose_mail(author, delivery, "reader@good.test");
  ASSERT_TRUE(mail.ok()) << mail.error().detail;
  EXPECT_EQ(mail.value().find("DKIM-Signature: "), 0U);
  for (const char* field : {"\r\nTo: reader@good.test\r\n", "\r\nFrom: noreply@sender.test\r\n",
                            "\r\nTLS-Report-Domain: good.test\r\n", "\r\nTLS-Required: No\r\n"}) {
    EXPECT_NE(mail.value().find(field), std::string::npos) << field;
  }
  EXPECT_EQ(mail.value().find("l="), std::string::npos);  // RFC 8460 §3
  const auto again = compose_mail(author, delivery, "reader@good.test");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.value(), mail.value());
}

TEST(ReportSender, ComposesWithoutAKeyForAServerThatSigns) {
  const auto mail = compose_mail({"noreply@sender.test", nullptr},
                                 delivery_to("mailto:reader@good.test"), "reader@good.test");
  ASSERT_TRUE(mail.ok());
  EXPECT_EQ(mail.value().find("From: "), 0U);
}

TEST(ReportSender, BytesThatAreNoReportAreNeverSent) {
  Delivery delivery = delivery_to("mailto:reader@good.test");
  delivery.bytes = std::make_shared<const std::string>("spoiled");
  const auto mail = compose_mail(signing_author(), delivery, "reader@good.test");
  ASSERT_FALSE(mail.ok());
  EXPECT_EQ(mail.error().code, SubmissionError::kRefused);
  EXPECT_FALSE(write_to_folder("/tmp", delivery).ok());
}

class ReportsInFolders : public testing::Test {
 protected:
  ReportsInFolders() {
    char folder[] = "/tmp/strictmx-folder-XXXXXX";
    folder_ = mkdtemp(folder);
    [[maybe_unused]] const auto opened = base::log_open("test", "error", "stderr");
  }
  ~ReportsInFolders() override { std::filesystem::remove_all(folder_); }

  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      found.push_back(entry.path().filename().string());
    }
    return found;
  }

  std::string folder_;
};

TEST_F(ReportsInFolders, HaveTheNameOfTheRfcAndTheSameBytes) {
  const Delivery delivery = delivery_to("file:" + folder_);
  ASSERT_TRUE(write_to_folder(folder_, delivery).ok());
  ASSERT_TRUE(write_to_folder(folder_, delivery).ok());  // the same one again
  ASSERT_EQ(names().size(), 1U);
  EXPECT_TRUE(names()[0].starts_with("sender.test!good.test!1795392000!1795478399!")) << names()[0];
  EXPECT_TRUE(names()[0].ends_with(".json.gz"));
  EXPECT_EQ(text_of(folder_ + "/" + names()[0]), *delivery.bytes);
}

TEST_F(ReportsInFolders, TakeDomainsWhoseNameIsTooLongForAFile) {
  std::string domain;
  for (int i = 0; i < 4; ++i) domain += std::string(59, 'a') + ".";
  ASSERT_TRUE(write_to_folder(folder_, delivery_to("file:" + folder_, domain + "test")).ok());
  ASSERT_EQ(names().size(), 1U);
  EXPECT_TRUE(names()[0].ends_with(".json.gz"));
}

TEST_F(ReportsInFolders, AFolderThatIsNotThereIsTriedAgain) {
  const auto outcome = write_to_folder(folder_ + "/none", delivery_to("file:/none"));
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, SubmissionError::kTemporary);
  EXPECT_NE(outcome.error().detail.find("No such file"), std::string::npos);
}

TEST_F(ReportsInFolders, ALinkInTheWayIsNotFollowed) {
  ASSERT_TRUE(write_to_folder(folder_, delivery_to("file:/x")).ok());
  const std::string name = names()[0];
  const std::string target = folder_ + "/target";
  std::ofstream(target) << "precious";
  ASSERT_EQ(symlink(target.c_str(), (folder_ + "/." + name + ".new").c_str()), 0);
  EXPECT_FALSE(write_to_folder(folder_, delivery_to("file:/x")).ok());
  EXPECT_EQ(text_of(target), "precious");
}

// The way that each kind of URI takes.
TEST_F(ReportsInFolders, AreOneOfThreeWays) {
  auto loop = std::move(base::EventLoop::create()).value();
  fakes::Pending pending;
  fakes::FakeResolver resolver(pending);
  fakes::FakeHttpClient client(pending);
  HttpsSubmission asked(resolver, client, false);
  HttpsSubmission own(resolver, client, true);
  base::WorkerPool pool(*loop, 1, 8);
  SubmittingSender sender(*loop, pool, pool, asked, own);
  const std::string program = folder_ + "/sendmail";
  std::ofstream(program) << "#!/bin/sh\ncat > " << folder_ << "/mail\n";
  ASSERT_EQ(chmod(program.c_str(), 0755), 0);
  sender.set_settings({signing_author(), {program, "", std::chrono::seconds(20)}});
  const auto send = [&](const std::string& uri, Origin origin) {
    std::optional<base::Outcome<SubmissionError>> told;
    Delivery delivery = delivery_to(uri);
    delivery.origin = origin;
    sender.send(delivery, [&](const base::Outcome<SubmissionError>& outcome) {
      told.emplace(outcome);
      loop->stop();
    });
    EXPECT_FALSE(told.has_value());
    pending.deliver();
    if (!told.has_value()) loop->run();
    return *told;
  };
  EXPECT_TRUE(send("file:" + folder_, Origin::kRule).ok());
  EXPECT_TRUE(send("mailto:reader@good.test", Origin::kRecord).ok());
  EXPECT_NE(text_of(folder_ + "/mail").find("\nTo: reader@good.test\n"), std::string::npos);
  dns::DnsAnswer<base::IpAddress> answer;
  answer.records = {*base::IpAddress::parse("10.0.0.1")};
  resolver.address_records.insert_or_assign("in.good.test", answer);
  client.responses.insert_or_assign("in.good.test", http::HttpResponse{201, "", ""});
  const auto refused = send("https://in.good.test/tls", Origin::kRecord);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, SubmissionError::kRefused);
  EXPECT_TRUE(send("https://in.good.test/tls", Origin::kRule).ok());
}

}  // namespace
}  // namespace strictmx::reporting
