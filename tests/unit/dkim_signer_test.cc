// dkim_signer_test.cc - signatures of our own (RFC 6376 §5, RFC 8460 §3): their form, what is
// refused, and that nothing that was signed can be altered.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/domain_name.h"
#include "common/dkim/signer.h"
#include "common/dkim/verifier.h"

namespace strictmx::dkim {
namespace {

using std::chrono::seconds;

constexpr base::WallTime kNow{seconds{1795536000}};

const PrivateKey& test_key(KeyType type) {
  static const std::map<KeyType, PrivateKey> keys = {
      {KeyType::kRsa, PrivateKey::make(KeyType::kRsa).value()},
      {KeyType::kEd25519, PrivateKey::make(KeyType::kEd25519).value()}};
  return keys.at(type);
}

base::DomainName domain() { return base::DomainName::parse("sender.example").value(); }

Signer make_signer(const std::vector<KeyType>& types, const SignerSettings& settings = {}) {
  std::vector<SigningKey> keys;
  keys.reserve(types.size());
  for (const KeyType type : types) {
    keys.push_back({test_key(type), std::string(key_type_name(type))});
  }
  return Signer::create(domain(), keys, settings).value();
}

std::vector<NewField> report_fields() {
  return {{"From", "tlsrpt@sender.example"},
          {"To", "reports@receiver.example"},
          {"Subject", "Report Domain: receiver.example\r\n Submitter: sender.example"},
          {"Date", "Tue, 24 Nov 2026 00:00:00 +0000"},
          {"TLS-Report-Domain", "receiver.example"},
          {"TLS-Report-Submitter", "sender.example"}};
}

const std::string kBody = "Hello.\r\n\r\n.dot\r\n";

std::vector<SignatureStatus> statuses(const std::string& message) {
  std::vector<SignatureStatus> found;
  const auto read = SignedMessage::read(message, kNow);
  if (!read.ok()) return found;
  for (const Signature& signature : read.value().signatures()) {
    KeyAnswer answer;
    for (const KeyType type : {KeyType::kRsa, KeyType::kEd25519}) {
      if (signature.field.selector != key_type_name(type)) continue;
      answer.texts.push_back(test_key(type).record_text().value());
    }
    found.push_back(read.value().verify(signature, answer).status);
  }
  return found;
}

bool is_verified(const std::string& message) {
  const auto found = statuses(message);
  return !found.empty() && std::all_of(found.begin(), found.end(), [](SignatureStatus status) {
    return status == SignatureStatus::kVerified;
  });
}

std::string tag_of(const std::string& message, std::size_t index, const std::string& name) {
  const auto read = SignedMessage::read(message, kNow);
  const auto& place = read.value().signatures().at(index).own_place;
  std::string text(read.value().message().fields.at(place).text);
  text.erase(std::remove_if(text.begin(), text.end(),
                            [](char c) { return c == ' ' || c == '\r' || c == '\n'; }),
             text.end());
  text.replace(0, text.find(':') + 1, ";");
  const std::size_t start = text.find(";" + name + "=");
  if (start == std::string::npos) return "(none)";
  const std::size_t value = start + name.size() + 2;
  return text.substr(value, std::min(text.find(';', value), text.size()) - value);
}

TEST(Rfc6376Sec35Signer, TagsOfBothSignatures) {
  SignerSettings settings;
  settings.lifetime = seconds{604800};
  const auto signer = make_signer({KeyType::kRsa, KeyType::kEd25519}, settings);
  const auto message = signer.sign(report_fields(), kBody, kNow);
  ASSERT_TRUE(message.ok()) << message.error().detail;
  constexpr const char* kAlgorithms[] = {"rsa-sha256", "ed25519-sha256"};
  constexpr const char* kSelectors[] = {"rsa", "ed25519"};
  for (std::size_t i = 0; i < std::size(kAlgorithms); ++i) {
    const auto tag = [&](const std::string& name) { return tag_of(message.value(), i, name); };
    EXPECT_EQ(tag("v"), "1");
    EXPECT_EQ(tag("a"), kAlgorithms[i]);
    EXPECT_EQ(tag("s"), kSelectors[i]);
    EXPECT_EQ(tag("c"), "relaxed/relaxed");
    EXPECT_EQ(tag("d"), "sender.example");
    EXPECT_EQ(tag("t"), "1795536000");
    EXPECT_EQ(tag("x"), "1796140800");
    EXPECT_EQ(tag("l"), "(none)");  // RFC 8460 §3
    EXPECT_EQ(tag("i"), "(none)");
    EXPECT_EQ(tag("h"),
              "From:From:Subject:Subject:TLS-Report-Domain:TLS-Report-Domain:"
              "TLS-Report-Submitter:TLS-Report-Submitter:Date:To");
  }
  EXPECT_EQ(
      tag_of(make_signer({KeyType::kEd25519}).sign(report_fields(), "", kNow).value(), 0, "x"),
      "(none)");
  EXPECT_TRUE(is_verified(message.value()));
}

TEST(Rfc6376Sec542Signer, FieldsAreNamedAsOftenAsTheyAreThere) {
  SignerSettings settings;
  settings.signed_names = {"X-Two", "X-None", "from"};
  const auto signer = make_signer({KeyType::kEd25519}, settings);
  const auto message =
      signer.sign({{"x-two", "a"}, {"FROM", "a@sender.example"}, {"X-Two", "b"}}, "", kNow);
  ASSERT_TRUE(message.ok()) << message.error().detail;
  EXPECT_EQ(tag_of(message.value(), 0, "h"),
            "From:From:Subject:TLS-Report-Domain:TLS-Report-Submitter:X-Two:X-Two");
  EXPECT_TRUE(is_verified(message.value()));
}

TEST(Rfc5322Sec211Signer, LinesEndInCrlfAndAreFolded) {
  SignerSettings settings;
  settings.signed_names.emplace_back("X-" + std::string(200, 'n'));
  const auto signer = make_signer({KeyType::kRsa, KeyType::kEd25519}, settings);
  for (const std::string body : {"a\n\nb", "a\r\n\r\nb", "a\n\nb\n", "a\r\n\r\nb\r\n"}) {
    const auto message = signer.sign(report_fields(), body, kNow);
    ASSERT_TRUE(message.ok()) << message.error().detail;
    const std::string& text = message.value();
    EXPECT_TRUE(text.ends_with("\r\n\r\na\r\n\r\nb\r\n"));
    std::size_t longest = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      ASSERT_NE(end, std::string::npos);
      ASSERT_EQ(text[end - 1], '\r');
      longest = std::max(longest, end - 1 - at);
      at = end + 1;
    }
    EXPECT_LE(longest, 78U);
    EXPECT_TRUE(is_verified(text));
  }
}

// A name that is longer than a line stays whole.
TEST(Rfc5322Sec211Signer, LongNameIsNotCut) {
  SignerSettings settings;
  const std::string name = "X-" + std::string(200, 'n');
  settings.signed_names = {name};
  auto fields = report_fields();
  fields.push_back({name, "v"});
  const auto message = make_signer({KeyType::kEd25519}, settings).sign(fields, kBody, kNow);
  ASSERT_TRUE(message.ok());
  EXPECT_NE(message.value().find(name + ";"), std::string::npos);
  EXPECT_TRUE(is_verified(message.value()));
}

TEST(DkimSigner, WhatIsBrokenOnTheWayIsRefused) {
  using enum SignerError;
  struct Case {
    const char* name;
    std::vector<NewField> fields;
    std::string body;
    std::optional<SignerError> want;
  };
  const NewField from{"From", "a@sender.example"};
  const std::string longest(kMaxLineBytes, 'x');
  const auto with = [&](const std::string& name, const std::string& value) {
    return std::vector<NewField>{from, {name, value}};
  };
  const std::vector<Case> cases = {
      {"least", {from}, "", std::nullopt},
      {"folded", with("X", "a\r\n b\n\tc"), "", std::nullopt},
      {"empty value", with("X", ""), "", std::nullopt},
      {"injected field, LF", with("X", "a\nBcc: b"), "", kField},
      {"injected field, CRLF", with("X", "a\r\nBcc: b"), "", kField},
      {"injected field, CR", with("X", "a\rBcc: b"), "", kField},
      {"injected body", with("X", "a\r\n\r\nbody"), "", kField},
      {"line end last", with("X", "a\r\n"), "", kField},
      {"fold of space only", with("X", "a\r\n \r\n b"), "", kField},
      {"fold of space last", with("X", "a\r\n "), "", kField},
      {"fold first", with("X", "\r\n a"), "", kField},
      {"8-bit", with("X", "\xC3\xA9"), "", kField},
      {"NUL", with("X", std::string("a\0b", 3)), "", kField},
      {"escape", with("X", "a\x1B[0m"), "", kField},
      {"DEL", with("X", "a\x7F"), "", kField},
      {"no name", with("", "a"), "", kField},
      {"colon in the name", with("X:Y", "a"), "", kField},
      {"space in the name", with("X Y", "a"), "", kField},
      {"line end in the name", with("X\r\nY", "a"), "", kField},
      {"8-bit name", with("\xC3\xA9", "a"), "", kField},
      {"line of 998", with("X", longest.substr(3)), "", std::nullopt},
      {"line of 999", with("X", longest.substr(2)), "", kField},
      {"fold of 998", with("X", "a\r\n " + longest.substr(1)), "", std::nullopt},
      {"fold of 999", with("X", "a\r\n " + longest), "", kField},
      {"no From", {{"To", "a@b.example"}}, "", kFrom},
      {"two From", {from, {"from", "b@sender.example"}}, "", kFrom},
      {"LF throughout", {from}, "a\nb\n", std::nullopt},
      {"CRLF throughout", {from}, "a\r\nb\r\n", std::nullopt},
      {"8-bit body", {from}, "\xC3\xA9\xFF", std::nullopt},
      {"bare LF", {from}, "a\r\nb\nc\r\n", kBody},
      {"bare CR", {from}, "a\rb\n", kBody},
      {"bare CR last", {from}, "a\r\nb\r", kBody},
      {"two CR", {from}, "a\r\r\n", kBody},
      {"NUL in the body", {from}, std::string("a\0b", 3), kBody},
      {"body line of 998", {from}, longest + "\r\n" + longest, std::nullopt},
      {"body line of 999", {from}, longest + "x\r\n", kBody},
      {"fields", std::vector<NewField>(kMaxHeaderFields + 1, from), "", kTooLarge},
      {"header", std::vector<NewField>(300, {"X", longest.substr(3)}), "", kTooLarge},
  };
  const auto signer = make_signer({KeyType::kEd25519});
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto message = signer.sign(c.fields, c.body, kNow);
    ASSERT_EQ(message.ok(), !c.want.has_value()) << (message.ok() ? "" : message.error().detail);
    if (message.ok()) {
      EXPECT_TRUE(is_verified(message.value()));
      continue;
    }
    EXPECT_EQ(message.error().code, *c.want) << message.error().detail;
    const std::string& detail = message.error().detail;
    EXPECT_TRUE(std::all_of(detail.begin(), detail.end(), [](char b) { return b >= ' '; }));
  }
}

TEST(DkimSigner, SettingsAreChecked) {
  using enum SignerError;
  const SigningKey good{test_key(KeyType::kEd25519), "s1"};
  const auto error_of = [](const char* name, std::vector<SigningKey> keys,
                           std::vector<std::string> names) {
    SignerSettings settings;
    settings.signed_names = std::move(names);
    const auto made =
        Signer::create(base::DomainName::parse(name).value(), std::move(keys), settings);
    return made.ok() ? std::nullopt : std::optional(made.error().code);
  };
  EXPECT_EQ(error_of("a.example", {good}, {"To"}), std::nullopt);
  EXPECT_EQ(error_of("example", {good}, {}), kDomain);
  EXPECT_EQ(error_of("a_b.example", {good}, {}), kDomain);
  EXPECT_EQ(error_of("a.example", {}, {}), kKeys);
  EXPECT_EQ(error_of("a.example", std::vector(kMaxSigningKeys, good), {}), std::nullopt);
  EXPECT_EQ(error_of("a.example", std::vector(kMaxSigningKeys + 1, good), {}), kKeys);
  for (const std::string selector : {"", "a;b", "a b", ".a", "a..b", "-a"}) {
    EXPECT_EQ(error_of("a.example", {{good.key, selector}}, {}), kSelector) << selector;
  }
  EXPECT_EQ(error_of("a.example", {{good.key, "2026.nov"}}, {}), std::nullopt);
  for (const std::string name :
       {"", "a:b", "a b", "a;", "Received", "return-path", "DKIM-Signature"}) {
    EXPECT_EQ(error_of("a.example", {good}, {name}), kName) << name;
  }
  EXPECT_EQ(error_of("a.example", {good}, {"To", "to"}), kName);
  for (const int lifetime : {-1, 0, 1}) {
    SignerSettings settings;
    settings.lifetime = seconds{lifetime};
    const auto made = Signer::create(domain(), {good}, settings);
    ASSERT_EQ(made.ok(), lifetime > 0);
    if (!made.ok()) {
      EXPECT_EQ(made.error().code, kLifetime);
    }
  }
}

// Each byte of the message with its lowest and with its highest bit turned: nothing that is signed,
// nor anything of the signature, has another form that counts as the same.
TEST(Rfc6376Sec37Signer, EveryAlteredByteIsFound) {
  for (const KeyType type : {KeyType::kEd25519, KeyType::kRsa}) {
    const auto message = make_signer({type}).sign(report_fields(), kBody, kNow);
    ASSERT_TRUE(message.ok());
    ASSERT_TRUE(is_verified(message.value()));
    for (std::size_t at = 0; at < message.value().size(); ++at) {
      for (const unsigned bit : {0x01U, 0x80U}) {
        std::string altered = message.value();
        altered[at] = static_cast<char>(static_cast<unsigned char>(altered[at]) ^ bit);
        EXPECT_FALSE(is_verified(altered)) << key_type_name(type) << " byte " << at;
      }
    }
  }
}

TEST(Rfc6376Sec54Signer, FieldsThatAreSignedCannotBeAddedOrTakenAway) {
  const auto message = make_signer({KeyType::kEd25519}).sign(report_fields(), kBody, kNow);
  ASSERT_TRUE(message.ok());
  const std::string& text = message.value();
  const std::size_t body = text.find("\r\n\r\n") + 2;
  for (const std::string name : {"From", "subject", "TLS-Report-Domain", "tls-report-submitter"}) {
    const std::string field = name + ": x\r\n";
    EXPECT_FALSE(is_verified(field + text)) << name;
    EXPECT_FALSE(is_verified(text.substr(0, body) + field + text.substr(body))) << name;
  }
  EXPECT_TRUE(is_verified("Received: x\r\n" + text));
  EXPECT_FALSE(is_verified(text + "more\r\n"));
  EXPECT_TRUE(is_verified(text + "\r\n"));  // §3.4.4: empty lines at the end do not count
  const std::size_t date = text.find("\r\nDate: ") + 2;
  const std::string without = text.substr(0, date) + text.substr(text.find('\n', date) + 1);
  EXPECT_FALSE(is_verified(without));
}

TEST(DkimSigner, ManyThreadsSignAtOnce) {
  const auto signer = make_signer({KeyType::kRsa, KeyType::kEd25519});
  std::atomic<int> good{0};
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&signer, &good, thread] {
      for (int i = 0; i < 25; ++i) {
        const std::string body = std::to_string(thread) + " " + std::to_string(i);
        const auto message = signer.sign(report_fields(), body, kNow);
        if (message.ok() && is_verified(message.value())) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, kThreads * 25);
}

}  // namespace
}  // namespace strictmx::dkim
