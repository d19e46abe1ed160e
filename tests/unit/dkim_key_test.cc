// dkim_key_test.cc - private keys: made, kept in files, their records (RFC 8301, RFC 8463, RFC 8460
// §3).
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "common/dkim/key.h"
#include "common/dkim/public_key.h"

namespace strictmx::dkim {
namespace {

// Keys that nobody uses; the first is that of RFC 8463 §A.2, the last has a passphrase.
constexpr const char* kEd25519Pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";
constexpr const char* kRsa1024Pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBALyEh5mSCa6zz9/I\n"
    "d/7pnUnSj1ghQ1W4JYQiSl4mN37kaDfkHxGVtn2FDHvGh5xcoNMsJA38vq7K1eP+\n"
    "FAO4Oby3quG5EAJaeR2ZB0EBllYQHnLNfs8FF8tPuc9sQISN5ZHqbu0mwENFD8Qa\n"
    "yXvAQZ1gwlX+W91Yk0J40TJbu7zLAgMBAAECgYEAknmDBq6yuTxbMuyHV9habuac\n"
    "nARUVkEbXTxrfhXBnuWHmI22GiqyPXroRS/vZG2QRCQS649K9XMCmABtuqokqQal\n"
    "BckEfWTNLwBxFVCTBTrX5doGLIaOyZZWiyA6vT/+aazpquk+gYrLD0/yGykmQBIM\n"
    "lOqLG5yUeeftRdbUgyECQQD1oAcEwQjIHU3ILsfMeAAT1djt2whLBvVunCKnSGfD\n"
    "PdOzs/wlG81wsBw/8B2ERqpgEz9Pz+b/FJTEs6yeiHlRAkEAxHr+RJac+w+xZuXY\n"
    "+d+9os92ZUmz4/j5hypEI/FAsEXugqWvvcAY0PT/u9U+vxZwG59aYATI8E5jUPL0\n"
    "5jeNWwJAe5Bil4Coc0tSmtb1yiXAHDpjI90hQeUhSOChCjiBgpWyz19HBEAFTKA7\n"
    "xep8XtPR1/02x2bWVRI8eOvOdf4/0QJAcmIL7tAj2YEcTQQYWfeoRcUzbuoGYPyL\n"
    "/+VaP/ZuK3C61rIwam4PxG4tByOw4LvmTh5qFaYTeNqZtQGMEw5aKwJBALHHi8TG\n"
    "20HyBpkYnLtXz5OkONE6LpBh55us2tZ4yzLLHOvqTgzaeib2fb4cRswuC9/jb7Rl\n"
    "uAZL1+/IXCdKvVc=\n"
    "-----END PRIVATE KEY-----\n";
constexpr const char* kEcPem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMOP5cynMy2/dfcQ+\n"
    "FZJx7tvrRB7ZAUYEMPC6DsdUzKahRANCAAT/ynB/Z65nxudwjd4kFa5+p6t57gdS\n"
    "Wh74U8jap7TwxR8Lh6aL01Nmv8Pn2GGYHriyb+KV1CHpaDU9g0Urx24D\n"
    "-----END PRIVATE KEY-----\n";
constexpr const char* kLockedPem =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhLvjpotOhfwAICA+gw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEAQd4SFBmlJwi3w/VOJvAU0EQNAy\n"
    "jg5TVvqyPZnwjmTOWEtsE8qcrdFdeCD1UrgUxqGTgcp8bulUsDFEa7HLN/Hvr/nd\n"
    "d9WrXxSFQ8Y3p9DYCXo=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

class KeyFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "dkim_key_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& text, mode_t mode) {
    std::string path = folder_ / "key.pem";
    std::ofstream(path, std::ios::binary) << text;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }

  std::filesystem::path folder_;
};

// RFC 8463 §A.2: the private key of RFC 8032 §7.1 TEST 1 and its record.
TEST(Rfc8463SecA2Key, RecordOfThePublishedKey) {
  const auto key = PrivateKey::from_pem(kEd25519Pem);
  ASSERT_TRUE(key.ok()) << key.error().detail;
  EXPECT_EQ(key.value().type(), KeyType::kEd25519);
  const auto record = key.value().record_text();
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record.value(),
            "v=DKIM1; k=ed25519; s=tlsrpt; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
}

TEST(Rfc6376Sec361Key, ServiceTypes) {
  const auto key = PrivateKey::from_pem(kEd25519Pem);
  ASSERT_TRUE(key.ok());
  for (const char* service : {"*", "email", "tlsrpt", "a-1"}) {
    const auto record = key.value().record_text(service);
    ASSERT_TRUE(record.ok()) << service;
    EXPECT_NE(record.value().find("; s=" + std::string(service) + "; "), std::string::npos);
  }
  for (const char* service : {"", "a;p=", "-a", "a-", "1a", "a b", "tlsrpt:email"}) {
    const auto record = key.value().record_text(service);
    ASSERT_FALSE(record.ok()) << service;
    EXPECT_EQ(record.error().code, KeyError::kService);
  }
}

TEST_F(KeyFile, MadeSavedLoadedAndUsed) {
  for (const KeyType type : {KeyType::kRsa, KeyType::kEd25519}) {
    SCOPED_TRACE(key_type_name(type));
    const auto made = PrivateKey::make(type);
    ASSERT_TRUE(made.ok());
    const std::string path = folder_ / std::string(key_type_name(type));
    ASSERT_TRUE(made.value().save(path).ok());
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
    const auto again = made.value().save(path);
    ASSERT_FALSE(again.ok());
    EXPECT_EQ(again.error().detail.find(path + ": "), 0U);

    const auto loaded = PrivateKey::load(path);
    ASSERT_TRUE(loaded.ok()) << loaded.error().detail;
    EXPECT_EQ(loaded.value().type(), type);
    const auto signature = loaded.value().sign("text");
    const auto text = made.value().record_text();
    ASSERT_TRUE(signature.ok() && text.ok());
    const auto record = parse_key_record(text.value());
    ASSERT_TRUE(record.ok()) << record.error().detail;
    EXPECT_TRUE(check_signature(record.value(), "text", signature.value()).ok());
    const auto other = check_signature(record.value(), "texu", signature.value());
    ASSERT_FALSE(other.ok());
    EXPECT_EQ(other.error().code, SignatureStatus::kSignatureWrong);
    // A zone file needs two character-strings for RSA-2048, one for Ed25519.
    const std::string line = zone_file_line("s._domainkey.example.com", text.value());
    EXPECT_EQ(line.find("\" \"") != std::string::npos, type == KeyType::kRsa);
  }
}

TEST_F(KeyFile, OthersMayNotReadOrWriteIt) {
  struct Case {
    mode_t mode;
    bool is_safe;
  };
  const std::vector<Case> cases = {
      {0600, true},  {0400, true},  {0640, true},  // the group is that of this process
      {0604, false}, {0602, false}, {0601, false}, {0660, false},
      {0620, false}, {0644, false}, {0666, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.mode);
    const std::string path = write(kEd25519Pem, c.mode);
    const auto key = PrivateKey::load(path);
    EXPECT_EQ(key.ok(), c.is_safe);
    if (key.ok()) continue;
    EXPECT_EQ(key.error().code, KeyError::kUnsafe);
    EXPECT_EQ(key.error().detail.find(path + ": "), 0U);
  }
}

TEST_F(KeyFile, StrangeFilesAreRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const std::string path = write(kEd25519Pem, 0600);
  ASSERT_EQ(chown(path.c_str(), 65534, 0), 0);
  auto key = PrivateKey::load(path);
  ASSERT_FALSE(key.ok());
  EXPECT_EQ(key.error().code, KeyError::kUnsafe);
  ASSERT_EQ(chown(path.c_str(), 0, 65534), 0);
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  key = PrivateKey::load(path);
  ASSERT_FALSE(key.ok());
  EXPECT_EQ(key.error().code, KeyError::kUnsafe);
}

TEST_F(KeyFile, WhatIsNoKeyIsRefused) {
  struct Case {
    const char* name;
    std::string text;
    KeyError want;
  };
  const std::vector<Case> cases = {
      {"empty", "", KeyError::kSyntax},
      {"text", "hello\n", KeyError::kSyntax},
      {"cut", std::string(kEd25519Pem).substr(0, 60), KeyError::kSyntax},
      {"RSA of 1024 bits", kRsa1024Pem, KeyError::kTooShort},
      {"elliptic curve", kEcPem, KeyError::kKind},
      {"with a passphrase", kLockedPem, KeyError::kSyntax},
      {"too large", std::string(kMaxKeyFileBytes + 1, 'x'), KeyError::kTooLarge},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string path = write(c.text, 0600);
    const auto key = PrivateKey::load(path);
    ASSERT_FALSE(key.ok());
    EXPECT_EQ(key.error().code, c.want);
    EXPECT_EQ(key.error().detail.find(path + ": "), 0U);
  }
  const std::string fifo = folder_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const std::string& path : {fifo, folder_.string(), (folder_ / "absent").string()}) {
    const auto key = PrivateKey::load(path);
    ASSERT_FALSE(key.ok());
    EXPECT_EQ(key.error().code, KeyError::kUnreadable);
    EXPECT_EQ(key.error().detail.find(path + ": "), 0U);
  }
}

// RSAPublicKey in DER (RFC 8017 §A.1.1): a modulus of `bits` ones and an exponent.
std::string rsa_public_key(std::size_t bits, const std::string& exponent) {
  const auto number = [](std::string bytes) {
    if ((static_cast<unsigned char>(bytes[0]) & 0x80U) != 0) bytes.insert(0, 1, '\0');
    std::string head = "\x02\x82";
    head.push_back(static_cast<char>(bytes.size() >> 8U));
    head.push_back(static_cast<char>(bytes.size() & 0xFFU));
    if (bytes.size() < 128) head = std::string("\x02") + static_cast<char>(bytes.size());
    return head + bytes;
  };
  std::string modulus(bits / 8, '\xFF');
  if (bits % 8 != 0) modulus.insert(0, 1, static_cast<char>((1U << bits % 8) - 1));
  const std::string both = number(modulus) + number(exponent);
  std::string der = "\x30\x82";
  der.push_back(static_cast<char>(both.size() >> 8U));
  der.push_back(static_cast<char>(both.size() & 0xFFU));
  return der + both;
}

TEST(Rfc8301Sec32Key, SizesOfPublicKeysAreBounded) {
  using enum SignatureStatus;
  struct Case {
    const char* name;
    KeyRecord record;
    SignatureStatus want;  // kSignatureWrong: the key was used
  };
  const std::string exponent("\x01\x00\x01", 3);
  const auto rsa = [&](std::size_t bits) { return rsa_public_key(bits, exponent); };
  const std::string longest = std::string(1, '\x80') + std::string(6, '\0') + "\x01";
  const std::vector<Case> cases = {
      {"512", {KeyType::kRsa, rsa(512)}, kKeyTooShort},
      {"1023", {KeyType::kRsa, rsa(1023)}, kKeyTooShort},
      {"1024", {KeyType::kRsa, rsa(1024)}, kSignatureWrong},
      {"8192", {KeyType::kRsa, rsa(8192)}, kSignatureWrong},
      {"8193", {KeyType::kRsa, rsa(8193)}, kKeyTooLarge},
      {"exponent of 64 bits", {KeyType::kRsa, rsa_public_key(1024, longest)}, kSignatureWrong},
      {"of 65", {KeyType::kRsa, rsa_public_key(1024, "\x01" + longest)}, kKeyTooLarge},
      {"something behind it", {KeyType::kRsa, rsa(1024) + "x"}, kKeySyntax},
      {"cut", {KeyType::kRsa, rsa(1024).substr(0, 100)}, kKeySyntax},
      {"no key", {KeyType::kRsa, "hello"}, kKeySyntax},
      {"Ed25519", {KeyType::kEd25519, std::string(32, '\x01')}, kSignatureWrong},
      {"Ed25519, 31 bytes", {KeyType::kEd25519, std::string(31, '\x01')}, kKeySyntax},
      {"Ed25519, 33 bytes", {KeyType::kEd25519, std::string(33, '\x01')}, kKeySyntax},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto checked = check_signature(c.record, "text", std::string(128, '\x02'));
    ASSERT_FALSE(checked.ok());
    EXPECT_EQ(checked.error().code, c.want) << checked.error().detail;
  }
}

}  // namespace
}  // namespace strictmx::dkim
