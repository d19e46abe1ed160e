// dkim_verifier_test.cc - signatures of others: the example of RFC 8463, and one reason a row for
// what is wrong (RFC 6376 §3.5, §6.1; RFC 8301; RFC 8460 §3).
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "common/base/base64.h"
#include "common/dkim/key.h"
#include "common/dkim/sha256.h"
#include "common/dkim/signed_header.h"
#include "common/dkim/verifier.h"

namespace strictmx::dkim {
namespace {

using enum SignatureStatus;
using std::chrono::seconds;

constexpr base::WallTime kNow{seconds{1528637909 + 60}};

// RFC 8463 §A.2 and §A.3.
constexpr const char* kEd25519Record =
    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
constexpr const char* kRsaRecord =
    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3id"
    "Y6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lx"
    "j+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
constexpr const char* kRfc8463Message =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    " subject : date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
    " date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
    " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
    " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
    "From: Joe SixPack <joe@football.example.com>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
    "\r\n"
    "Hi.\r\n"
    "\r\n"
    "We lost the game.  Are you hungry yet?\r\n"
    "\r\n"
    "Joe.\r\n";

KeyAnswer answered(std::vector<std::string> texts) {
  return {KeyAnswer::Lookup::kAnswered, std::move(texts)};
}

TEST(Rfc8463SecAExample, BothSignaturesVerify) {
  std::string with_lf = kRfc8463Message;
  for (std::size_t at = 0; (at = with_lf.find('\r', at)) != std::string::npos;)
    with_lf.erase(at, 1);
  for (const std::string& text : {std::string(kRfc8463Message), with_lf}) {
    const auto message = SignedMessage::read(text, kNow);
    ASSERT_TRUE(message.ok());
    const auto& signatures = message.value().signatures();
    ASSERT_EQ(signatures.size(), 2U);
    EXPECT_EQ(signatures[0].key_name, "brisbane._domainkey.football.example.com");
    EXPECT_EQ(signatures[1].key_name, "test._domainkey.football.example.com");
    const auto ed25519 = message.value().verify(signatures[0], answered({kEd25519Record}));
    EXPECT_EQ(ed25519.status, kVerified) << ed25519.detail;
    const auto rsa = message.value().verify(signatures[1], answered({kRsaRecord}));
    EXPECT_EQ(rsa.status, kVerified) << rsa.detail;
    EXPECT_TRUE(message.value().covers(signatures[0], "Message-Id"));
    EXPECT_FALSE(message.value().covers(signatures[0], "TLS-Report-Domain"));
    EXPECT_FALSE(message.value().covers(signatures[0], "DKIM-Signature"));
    // The keys of each other.
    EXPECT_EQ(message.value().verify(signatures[0], answered({kRsaRecord})).status, kKeyType);
    EXPECT_EQ(message.value().verify(signatures[1], answered({kEd25519Record})).status, kKeyType);
  }
}

const PrivateKey& test_key() {
  static const PrivateKey key = PrivateKey::make(KeyType::kEd25519).value();
  return key;
}

std::string test_record(const std::string& tags = "v=DKIM1; k=ed25519; ") {
  const std::string text = test_key().record_text().value();
  return tags + text.substr(text.find("p="));
}

constexpr const char* kFields = "From: a@sender.example\r\nSubject: x\r\n";
constexpr const char* kText = "body\r\n";
constexpr const char* kUsual =
    "v=1; a=ed25519-sha256; d=sender.example; s=sel; h=From:Subject; bh=@; b=@";

// The message with a DKIM-Signature of these tags on top. "bh=@" becomes the hash of the body and
// "b=@" the signature, made over what the verifier is to hash.
std::string message_with(std::string tags, const std::string& fields = kFields,
                         const std::string& body = kText) {
  if (const std::size_t at = tags.find("bh=@"); at != std::string::npos) {
    const bool is_relaxed = tags.find("/relaxed") != std::string::npos;
    const auto form = is_relaxed ? Canonicalization::kRelaxed : Canonicalization::kSimple;
    tags.replace(at + 3, 1, base::base64_encode(body_hash(form, body).value()));
  }
  std::string head = "DKIM-Signature: " + tags;
  const std::size_t at = head.find("b=@");
  if (at != std::string::npos) {
    // A placeholder of the right form, so that the field can be read.
    head.replace(at + 2, 1, "AAAA");
    const auto field = parse_signature_field(head);
    std::string signature = "AAAA";
    if (field.ok()) {
      const std::string header = fields + "\r\n";
      const auto message = split_message(header);
      const std::string signed_bytes =
          signed_header(field.value().header_form, message.value().fields,
                        field.value().signed_names, std::nullopt, field.value().unsigned_text);
      signature = base::base64_encode(test_key().sign(signed_bytes).value());
    }
    head.replace(at + 2, 4, signature);
  }
  return head + "\r\n" + fields + "\r\n" + body;
}

Verdict verdict_of(const std::string& text, const KeyAnswer& answer, base::WallTime now = kNow) {
  const auto message = SignedMessage::read(text, now);
  if (!message.ok() || message.value().signatures().empty()) return {kSystem, "no signature"};
  return message.value().verify(message.value().signatures().front(), answer);
}

// kUsual with one tag replaced; an empty tag is left out.
std::string tags_with(const std::string& name, const std::string& tag) {
  std::string tags = std::string("; ") + kUsual;
  const std::size_t start = tags.find("; " + name + "=");
  const std::size_t end = std::min(tags.find(';', start + 1), tags.size());
  tags.replace(start, end - start, tag.empty() ? "" : "; " + tag);
  return tags.substr(2);
}

TEST(Rfc6376Sec35Verifier, OneReasonForEachWrongTag) {
  struct Case {
    const char* name;
    const char* rule;
    std::string tags;
    SignatureStatus want;
  };
  const auto with = tags_with;
  const std::string usual = kUsual;
  const std::string label63(63, 'a');
  const std::vector<Case> cases = {
      {"usual", "§3.5", usual, kVerified},
      {"any order", "§3.2", "b=@; bh=@; h=From; s=sel; d=sender.example; a=ed25519-sha256; v=1",
       kVerified},
      {"last semicolon", "§3.2", usual + ";", kVerified},
      {"folded", "§3.2",
       "v=1;\r\n a=ed25519-sha256;\r\n\td=sender.example; s=sel;\r\n h=From\r\n "
       ": Subject; bh=@;\r\n b=@",
       kVerified},
      {"unknown tag", "§3.2: ignored", usual + "; zz=1", kVerified},
      {"repeated tag", "§3.2", usual + "; s=sel", kSignatureSyntax},
      {"no tag list", "§3.2", "hello", kSignatureSyntax},
      {"v missing", "required", with("v", ""), kSignatureSyntax},
      {"a missing", "required", with("a", ""), kSignatureSyntax},
      {"d missing", "required", with("d", ""), kSignatureSyntax},
      {"s missing", "required", with("s", ""), kSignatureSyntax},
      {"h missing", "required", with("h", ""), kSignatureSyntax},
      {"bh missing", "required", with("bh", ""), kSignatureSyntax},
      {"b missing", "required", with("b", ""), kSignatureSyntax},
      {"version 2", "v= is 1", with("v", "v=2"), kVersion},
      {"version 1.0", "v= is 1", with("v", "v=1.0"), kVersion},
      {"rsa-sha1", "RFC 8301 §3.1", with("a", "a=rsa-sha1"), kAlgorithm},
      {"algorithm in capitals", "§3.2: values have letter case", with("a", "a=RSA-SHA256"),
       kAlgorithm},
      {"no algorithm", "sig-a-tag", with("a", "a="), kAlgorithm},
      {"other key type", "a= against k=", with("a", "a=rsa-sha256"), kKeyType},
      {"relaxed/relaxed", "c=", usual + "; c=relaxed/relaxed", kVerified},
      {"simple/relaxed", "c=", usual + "; c=simple/relaxed", kVerified},
      {"relaxed alone", "body is simple", usual + "; c=relaxed", kVerified},
      {"unknown form", "c=", usual + "; c=nowsp/simple", kCanonicalizationForm},
      {"unknown body form", "c=", usual + "; c=simple/nowsp", kCanonicalizationForm},
      {"three forms", "c=", usual + "; c=simple/simple/simple", kCanonicalizationForm},
      {"empty form", "c=", usual + "; c=", kCanonicalizationForm},
      {"query dns/txt", "q=", usual + "; q=dns/txt", kVerified},
      {"query in a list", "q=: unknown ones are ignored", usual + "; q=x : dns/txt", kVerified},
      {"unknown query", "q=", usual + "; q=dns", kQueryMethod},
      {"l=0", "RFC 8460 §3", usual + "; l=0", kBodyLength},
      {"l= of all", "RFC 8460 §3", usual + "; l=6", kBodyLength},
      {"domain in capitals", "names have no letter case", with("d", "d=Sender.EXAMPLE"), kVerified},
      {"domain of one label", "domain-name", with("d", "d=example"), kSignatureSyntax},
      {"domain with underscore", "domain-name", with("d", "d=a_b.example"), kSignatureSyntax},
      {"domain with final dot", "domain-name", with("d", "d=sender.example."), kSignatureSyntax},
      {"empty domain", "domain-name", with("d", "d="), kSignatureSyntax},
      {"label too long", "RFC 1035", with("d", "d=a" + label63 + ".example"), kSignatureSyntax},
      {"selector of labels", "selector", with("s", "s=2026.nov"), kVerified},
      {"selector with underscore", "departure", with("s", "s=_a_b"), kVerified},
      {"empty selector", "selector", with("s", "s="), kSignatureSyntax},
      {"selector with space", "selector", with("s", "s=a b"), kSignatureSyntax},
      {"selector with empty label", "selector", with("s", "s=a..b"), kSignatureSyntax},
      {"name too long", "253 bytes",
       with("s", "s=" + label63 + "." + label63 + "." + label63 + "." + label63), kSignatureSyntax},
      {"no names", "h= is not empty", with("h", "h="), kSignatureSyntax},
      {"empty name", "hdr-name", with("h", "h=From::To"), kSignatureSyntax},
      {"name with space", "hdr-name", with("h", "h=From:a b"), kSignatureSyntax},
      {"From in capitals", "§5.4", with("h", "h=FROM"), kVerified},
      {"absent fields", "§5.4: null fields", with("h", "h=From:From:Subject:Subject:Zz"),
       kVerified},
      {"itself", "h= never selects itself", with("h", "h=From:DKIM-Signature"), kVerified},
      {"without From", "§5.4", with("h", "h=Subject"), kFromNotSigned},
      {"From as part", "§5.4", with("h", "h=X-From:Subject"), kFromNotSigned},
      {"identity", "i=", usual + "; i=@sender.example", kVerified},
      {"identity with local part", "i=", usual + "; i=a=20b@sender.example", kVerified},
      {"identity below", "i=", usual + "; i=a@mail.sender.example", kVerified},
      {"encoded @", "§2.11", usual + "; i=a=40sender.example", kVerified},
      {"@ in the local part", "the last @", usual + "; i=\"a@evil.example\"@sender.example",
       kVerified},
      {"other domain", "i= within d=", usual + "; i=@evil.example", kIdentity},
      {"d= behind the @", "the last @", usual + "; i=sender.example@evil.example", kIdentity},
      {"parent domain", "i= within d=", with("d", "d=mail.sender.example") + "; i=@sender.example",
       kIdentity},
      {"end without dot", "i= within d=", usual + "; i=@evilsender.example", kIdentity},
      {"identity without @", "sig-i-tag", usual + "; i=sender.example", kSignatureSyntax},
      {"bad encoding", "§2.11", usual + "; i==4@sender.example", kSignatureSyntax},
      {"cut encoding", "§2.11", usual + "; i=@sender.example=4", kSignatureSyntax},
      {"time", "t=", usual + "; t=1528637909", kVerified},
      {"time of 13 digits", "1*12DIGIT", usual + "; t=1000000000000", kSignatureSyntax},
      {"no time", "1*12DIGIT", usual + "; t=", kSignatureSyntax},
      {"negative time", "1*12DIGIT", usual + "; t=-1", kSignatureSyntax},
      {"expires later", "x=", usual + "; x=1528637970", kVerified},
      {"expires now", "x=: past it", usual + "; x=1528637969", kVerified},
      {"expired", "x=", usual + "; x=1528637968", kExpired},
      {"expires far away", "1*12DIGIT", usual + "; x=999999999999", kVerified},
      {"expires as it is made", "x= after t=", usual + "; t=1528637999; x=1528637999",
       kSignatureSyntax},
      {"bad expiry", "1*12DIGIT", usual + "; x=soon", kSignatureSyntax},
      {"copied fields", "z=", usual + "; z=From:a|Subject:b", kVerified},
      {"other body hash", "§6.1.3", with("bh", "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
       kBodyAltered},
      {"short body hash", "32 bytes", with("bh", "bh=AAAA"), kSignatureSyntax},
      {"body hash not base64", "base64string", with("bh", "bh=?"), kSignatureSyntax},
      {"other signature", "§6.1.3", with("b", "b=AAAA"), kSignatureWrong},
      {"empty signature", "base64string", with("b", "b="), kSignatureSyntax},
      {"signature not base64", "base64string", with("b", "b=?"), kSignatureSyntax},
      {"too large", "kMaxSignatureFieldBytes",
       usual + "; z=" + std::string(kMaxSignatureFieldBytes, 'x'), kSignatureSyntax},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    const Verdict verdict = verdict_of(message_with(c.tags), answered({test_record()}));
    EXPECT_EQ(signature_status_name(verdict.status), signature_status_name(c.want))
        << verdict.detail;
    EXPECT_EQ(verdict.detail.empty(), c.want == kVerified);
    EXPECT_LT(verdict.detail.size(), 300U);
  }
}

TEST(Rfc6376Sec35Verifier, NumberOfSignedNamesIsBounded) {
  std::string names = "From";
  for (std::size_t i = 1; i < kMaxSignedNames; ++i) names += ":X";
  const auto key = answered({test_record()});
  EXPECT_EQ(verdict_of(message_with(tags_with("h", "h=" + names)), key).status, kVerified);
  EXPECT_EQ(verdict_of(message_with(tags_with("h", "h=" + names + ":X")), key).status,
            kSignatureSyntax);
}

TEST(Rfc6376Sec612Verifier, OneReasonForEachKeyAnswer) {
  struct Case {
    const char* name;
    const char* rule;
    KeyAnswer answer;
    SignatureStatus want;
  };
  const std::string good = test_record();
  const std::string other = "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
  const std::vector<Case> cases = {
      {"the key", "§6.1.2", answered({good}), kVerified},
      {"no version", "§3.6.1", answered({test_record("k=ed25519; ")}), kVerified},
      {"for reports", "RFC 8460 §3", answered({test_record("k=ed25519; s=tlsrpt; ")}), kVerified},
      {"for mail", "RFC 8460 §3", answered({test_record("k=ed25519; s=email; ")}), kKeyService},
      {"testing", "t=y", answered({test_record("k=ed25519; t=y; ")}), kKeyTesting},
      {"testing and strict", "t=y", answered({test_record("k=ed25519; t=s:y; ")}), kKeyTesting},
      {"unknown flag", "t=", answered({test_record("k=ed25519; t=yes; ")}), kVerified},
      {"no answer", "§6.1.2", {KeyAnswer::Lookup::kTemporary, {}}, kDnsTemporary},
      {"bogus", "DNSSEC", {KeyAnswer::Lookup::kBogus, {}}, kDnsBogus},
      {"no record", "§6.1.2", answered({}), kKeyMissing},
      {"another protocol", "v= is not DKIM1", answered({"v=spf1 -all"}), kKeyMissing},
      {"beside it", "v= is not DKIM1", answered({"v=spf1 -all", good}), kVerified},
      {"no key record", "§3.6.1", answered({"hello"}), kKeySyntax},
      {"revoked", "p= empty", answered({"v=DKIM1; p="}), kKeyRevoked},
      {"wrong type", "k=", answered({std::string(kRsaRecord)}), kKeyType},
      {"without sha256", "h=", answered({test_record("k=ed25519; h=sha1; ")}), kKeyHash},
      {"other key", "§6.1.3", answered({other}), kSignatureWrong},
      {"other, then the key", "§6.1.2", answered({other, good}), kVerified},
      {"revoked, then other", "first reason", answered({"p=", other}), kKeyRevoked},
      {"the key last", "kMaxKeyRecords", answered({other, other, other, good}), kVerified},
      {"the key too late", "kMaxKeyRecords", answered({other, other, other, other, good}),
       kSignatureWrong},
      {"a flood", "kMaxKeyRecords", answered(std::vector<std::string>(5, "v=x")), kKeyTooLarge},
      {"record too large", "kMaxKeyRecordBytes", answered({std::string(5000, 'x')}), kKeyTooLarge},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    const Verdict verdict = verdict_of(message_with(kUsual), c.answer);
    EXPECT_EQ(signature_status_name(verdict.status), signature_status_name(c.want))
        << verdict.detail;
  }
}

TEST(Rfc6376Sec361Verifier, StrictKeyWantsTheSameDomain) {
  const auto strict = answered({test_record("k=ed25519; t=x:s; ")});
  const std::string usual = kUsual;
  EXPECT_EQ(verdict_of(message_with(usual), strict).status, kVerified);
  EXPECT_EQ(verdict_of(message_with(usual + "; i=@Sender.example"), strict).status, kVerified);
  EXPECT_EQ(verdict_of(message_with(usual + "; i=@a.sender.example"), strict).status, kKeyStrict);
}

TEST(Rfc6376Sec815Verifier, EachFromIsSigned) {
  const auto key = answered({test_record()});
  const std::string two = "From: evil@sender.example\r\n" + std::string(kFields);
  EXPECT_EQ(verdict_of(message_with(kUsual, two), key).status, kFromNotSigned);
  EXPECT_EQ(verdict_of(message_with(tags_with("h", "h=From:From"), two), key).status, kVerified);
}

// §5.4.2: repeated fields are taken from the bottom.
TEST(Rfc6376Sec542Verifier, FieldsAreSelectedFromTheBottom) {
  const auto key = answered({test_record()});
  const std::string fields = "X: 1\r\nX: 2\r\nFrom: a@sender.example\r\nX: 3\r\n";
  const std::string text = message_with(tags_with("h", "h=From:X:x"), fields);
  ASSERT_EQ(verdict_of(text, key).status, kVerified);
  const auto altered = [&text](const std::string& from, const std::string& to) {
    std::string out = text;
    return out.replace(out.find(from), from.size(), to);
  };
  EXPECT_EQ(verdict_of(altered("X: 1", "X: 9"), key).status, kVerified);  // two were signed
  EXPECT_EQ(verdict_of(altered("X: 2", "X: 9"), key).status, kSignatureWrong);
  EXPECT_EQ(verdict_of(altered("X: 3", "X: 9"), key).status, kSignatureWrong);
}

// §3.7: b= is emptied with the white space around it, wherever it stands.
TEST(Rfc6376Sec37Verifier, WhiteSpaceAroundTheSignatureDoesNotCount) {
  const auto key = answered({test_record()});
  const std::string text = message_with(
      "v=1; a=ed25519-sha256; b=@; d=sender.example; s=sel; h=From; bh=@; c=simple/simple");
  ASSERT_EQ(verdict_of(text, key).status, kVerified);
  const std::size_t start = text.find("; b=") + 4;
  const std::size_t end = text.find(';', start);
  std::string spaced = text;
  spaced.insert(end, " \r\n ").insert(start + 20, "\r\n\t").insert(start, "\r\n ");
  EXPECT_EQ(verdict_of(spaced, key).status, kVerified);
  std::string elsewhere = text;
  elsewhere.insert(text.find("; s=") + 1, " ");
  EXPECT_EQ(verdict_of(elsewhere, key).status, kSignatureWrong);
}

TEST(DkimVerifier, NumberOfSignaturesIsBounded) {
  std::string text;
  for (std::size_t i = 0; i < kMaxSignatures; ++i) text += "DKIM-Signature: x\r\n";
  const auto message = SignedMessage::read(text + message_with(kUsual), kNow);
  ASSERT_TRUE(message.ok());
  const auto& signatures = message.value().signatures();
  ASSERT_EQ(signatures.size(), kMaxSignatures + 1);
  EXPECT_EQ(message.value().verify(signatures[kMaxSignatures - 1], {}).status, kSignatureSyntax);
  EXPECT_EQ(message.value().verify(signatures[kMaxSignatures], answered({test_record()})).status,
            kTooManySignatures);
  const std::string fewer = text.substr(text.find('\n') + 1) + message_with(kUsual);
  const auto last = SignedMessage::read(fewer, kNow);
  ASSERT_TRUE(last.ok());
  EXPECT_TRUE(last.value()
                  .verify(last.value().signatures().back(), answered({test_record()}))
                  .is_verified());
}

TEST(DkimVerifier, MessageWithoutSignature) {
  const auto message = SignedMessage::read("From: a@b.example\r\n\r\nbody\r\n", kNow);
  ASSERT_TRUE(message.ok());
  EXPECT_TRUE(message.value().signatures().empty());
  EXPECT_FALSE(SignedMessage::read("no header\r\n\r\n", kNow).ok());
}

TEST(DkimVerifier, StatusNamesAreDistinct) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(kSystem); ++i) {
    const auto status = static_cast<SignatureStatus>(i);
    names.emplace_back(signature_status_name(status));
    EXPECT_EQ(is_temporary(status), status == kDnsTemporary || status == kSystem);
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace strictmx::dkim
