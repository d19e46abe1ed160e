// dkim_tag_list_test.cc - tag lists (RFC 6376 §3.2) and key records (§3.6.1, RFC 8460 §3).
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/base64.h"
#include "common/dkim/key_record.h"
#include "common/dkim/tag_list.h"

namespace strictmx::dkim {
namespace {

using std::string_literals::operator""s;

TEST(Rfc6376Sec32TagList, Grammar) {
  struct Case {
    const char* name;
    std::string input;
    std::optional<std::string> want;  // "name|value," for each, or refused
  };
  const std::vector<Case> cases = {
      {"one", "a=b", "a|b,"},
      {"several", "v=1; a=b;c=d", "v|1,a|b,c|d,"},
      {"last semicolon", "a=b;", "a|b,"},
      {"space after it", "a=b; \t", "a|b,"},
      {"fold after it", "a=b;\r\n ", "a|b,"},
      {"space around all", " a \t= b ; c = d ", "a|b,c|d,"},
      {"folds around all", "\r\n a\r\n =\r\n\tb\r\n ;\n c=d", "a|b,c|d,"},
      {"empty value", "p=", "p|,"},
      {"empty value between", "p=; a=b", "p|,a|b,"},
      {"space inside a value", "h=from : to", "h|from : to,"},
      {"equals sign in a value", "b=AA==", "b|AA==,"},
      {"all value characters", "n=!:<~", "n|!:<~,"},
      {"digits and underscore in a name", "a1_Z=b", "a1_Z|b,"},
      {"names have letter case", "a=b; A=c", "a|b,A|c,"},
      {"nothing", "", std::nullopt},
      {"space only", " ", std::nullopt},
      {"semicolon only", ";", std::nullopt},
      {"two semicolons", "a=b;;c=d", std::nullopt},
      {"two last semicolons", "a=b;;", std::nullopt},
      {"first semicolon", ";a=b", std::nullopt},
      {"no equals sign", "a=b; c", std::nullopt},
      {"no name", "=b", std::nullopt},
      {"digit first", "1a=b", std::nullopt},
      {"underscore first", "_a=b", std::nullopt},
      {"hyphen in a name", "a-b=c", std::nullopt},
      {"space in a name", "a b=c", std::nullopt},
      {"8-bit in a value", "a=\xC3\xA9", std::nullopt},
      {"NUL in a value", "a=b\0c"s, std::nullopt},
      {"DEL in a value", "a=b\x7F", std::nullopt},
      {"bare CR in a value", "a=b\rc", std::nullopt},
      {"line end that is no fold", "a=b\r\nc", std::nullopt},
      {"repeated", "a=b; c=d; a=b", std::nullopt},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto list = TagList::parse(c.input);
    ASSERT_EQ(list.ok(), c.want.has_value());
    if (!list.ok()) continue;
    std::string found;
    for (const Tag& tag : list.value().tags()) {
      found.append(tag.name).append("|").append(tag.value).append(",");
    }
    EXPECT_EQ(found, *c.want);
  }
  const auto repeated = TagList::parse("a=1; a=2");
  ASSERT_FALSE(repeated.ok());
  EXPECT_EQ(repeated.error().code, TagListError::kRepeated);
}

TEST(Rfc6376Sec32TagList, NumberOfTagsIsBounded) {
  std::string text;
  for (std::size_t i = 0; i < kMaxTags; ++i) text += "a" + std::to_string(i) + "=x;";
  EXPECT_TRUE(TagList::parse(text).ok());
  const auto refused = TagList::parse(text + "b=x");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, TagListError::kTooMany);
}

TEST(Rfc6376Sec361KeyRecord, OneReasonEach) {
  using enum SignatureStatus;
  struct Case {
    const char* name;
    std::string input;
    SignatureStatus want;  // kVerified: the record can be used
  };
  const std::vector<Case> cases = {
      {"least", "p=AAAA", kVerified},
      {"all tags", "v=DKIM1; h=sha1:sha256; k=rsa; n=note; s=tlsrpt; t=s; p=AAAA", kVerified},
      {"historic g", "v=DKIM1; g=*; p=AAAA", kVerified},
      {"unknown tag", "v=DKIM1; zz=1; p=AAAA", kVerified},
      {"folded key", "p=AA\r\n AA", kVerified},
      {"space in the key", "p=AA AA", kVerified},
      {"another version", "v=DKIM2; p=AAAA", kKeyMissing},
      {"version in lower case", "v=dkim1; p=AAAA", kKeyMissing},
      {"another protocol", "v=spf1 -all", kKeyMissing},
      {"version not first", "p=AAAA; v=DKIM1", kKeySyntax},
      {"no tag list", "hello", kKeySyntax},
      {"nothing", "", kKeySyntax},
      {"no key", "v=DKIM1; k=rsa", kKeySyntax},
      {"revoked", "v=DKIM1; p=", kKeyRevoked},
      {"revoked, space", "v=DKIM1; p= ;", kKeyRevoked},
      {"no base64", "p=AAA", kKeySyntax},
      {"not base64 at all", "p=!!!!", kKeySyntax},
      {"repeated tag", "p=AAAA; p=AAAA", kKeySyntax},
      {"unknown key type", "k=dsa; p=AAAA", kKeyType},
      {"key type in capitals", "k=RSA; p=AAAA", kKeyType},
      {"Ed25519", "k=ed25519; p=AAAA", kVerified},
      {"sha1 only", "h=sha1; p=AAAA", kKeyHash},
      {"empty list of hashes", "h=; p=AAAA", kKeyHash},
      {"hashes with space", "h=sha1 : sha256; p=AAAA", kVerified},
      {"any service", "s=*; p=AAAA", kVerified},
      {"service in a list", "s=email : tlsrpt; p=AAAA", kVerified},
      {"any in a list", "s=email:*; p=AAAA", kVerified},
      {"mail only", "s=email; p=AAAA", kKeyService},
      {"unknown service", "s=tlsrpt2; p=AAAA", kKeyService},
      {"in testing", "t=y; p=AAAA", kKeyTesting},
      {"in testing, in a list", "t=s : y; p=AAAA", kKeyTesting},
      {"unknown flags", "t=Y:yy:x; p=AAAA", kVerified},
      {"too large", "n=" + std::string(kMaxKeyRecordBytes, 'x') + "; p=AAAA", kKeyTooLarge},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto record = parse_key_record(c.input);
    EXPECT_EQ(record.ok() ? kVerified : record.error().code, c.want);
    if (!record.ok()) {
      EXPECT_FALSE(record.error().detail.empty());
    }
  }
}

TEST(Rfc6376Sec361KeyRecord, Flags) {
  const auto strict = parse_key_record("t=x:s; p=AAAA");
  const auto other = parse_key_record("t=x; p=AAAA");
  ASSERT_TRUE(strict.ok() && other.ok());
  EXPECT_TRUE(strict.value().is_strict);
  EXPECT_FALSE(other.value().is_strict);
}

TEST(Rfc1035Sec33ZoneFile, CharacterStringsHave255BytesAtMost) {
  struct Case {
    std::size_t bytes;
    std::string want;
  };
  const auto text = [](std::size_t count) { return std::string(count, 'x'); };
  const std::vector<Case> cases = {
      {0, "n. IN TXT \"\""},
      {255, "n. IN TXT \"" + text(255) + "\""},
      {256, "n. IN TXT \"" + text(255) + "\" \"x\""},
      {510, "n. IN TXT \"" + text(255) + "\" \"" + text(255) + "\""},
      {600, "n. IN TXT \"" + text(255) + "\" \"" + text(255) + "\" \"" + text(90) + "\""},
  };
  for (const Case& c : cases) EXPECT_EQ(zone_file_line("n", text(c.bytes)), c.want);
  EXPECT_EQ(zone_file_line("n", "a\"b\\;"), "n. IN TXT \"a\\\"b\\\\;\"");
}

}  // namespace
}  // namespace strictmx::dkim
