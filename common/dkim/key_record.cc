// key_record.cc - see key_record.h.
#include "common/dkim/key_record.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/base64.h"
#include "common/base/log.h"
#include "common/dkim/tag_list.h"

namespace strictmx::dkim {
namespace {

using base::fail;
using base::Failure;
using enum SignatureStatus;

constexpr std::string_view kKeyVersion = "DKIM1";
constexpr std::size_t kMaxCharacterStringBytes = 255;  // RFC 1035 §3.3
constexpr std::size_t kMaxShownBytes = 40;             // of a peer's text in a failure

Failure<SignatureStatus> wrong(SignatureStatus status, std::string_view tag, std::string_view value,
                               std::string_view wanted) {
  std::string detail = "key record: ";
  detail.append(tag).append("=: found ");
  base::append_log_value(detail, value, kMaxShownBytes);
  detail.append(", want ").append(wanted).append(" (RFC 6376 §3.6.1)");
  return fail(status, std::move(detail));
}

bool has_part(std::string_view value, std::string_view wanted) {
  const auto parts = split_at_colons(value);
  return std::find(parts.begin(), parts.end(), wanted) != parts.end();
}

}  // namespace

base::Result<KeyRecord, SignatureStatus> parse_key_record(std::string_view text) {
  if (text.size() > kMaxKeyRecordBytes) {
    return fail(kKeyTooLarge,
                "key record is over " + std::to_string(kMaxKeyRecordBytes) + " bytes");
  }
  const auto parsed = TagList::parse(text);
  if (!parsed.ok()) return fail(kKeySyntax, "key record: " + parsed.error().detail);
  const TagList& tags = parsed.value();
  // v= may be missing; else it is the first tag, and a record with another value is discarded.
  const std::string_view version = tags.value_or("v", kKeyVersion);
  const bool is_version_first = tags.tags().front().name == "v";
  if (is_version_first && version != kKeyVersion) {
    return wrong(kKeyMissing, "v", version, "DKIM1 or another record");
  }
  if (!is_version_first && tags.find("v") != nullptr) {
    return wrong(kKeySyntax, "v", version, "it as the first tag");
  }
  const Tag* key = tags.find("p");
  if (key == nullptr) return fail(kKeySyntax, "key record: p= is missing (RFC 6376 §3.6.1)");
  if (key->value.empty()) return fail(kKeyRevoked, "the key is revoked: p= is empty");

  KeyRecord record;
  const std::string_view type = tags.value_or("k", key_type_name(KeyType::kRsa));
  if (type == key_type_name(KeyType::kEd25519)) {
    record.type = KeyType::kEd25519;
  } else if (type != key_type_name(KeyType::kRsa)) {
    return wrong(kKeyType, "k", type, "rsa or ed25519");
  }
  const std::string_view hashes = tags.value_or("h", "sha256");
  if (!has_part(hashes, "sha256")) return wrong(kKeyHash, "h", hashes, "sha256");
  const std::string_view services = tags.value_or("s", "*");
  if (!has_part(services, "*") && !has_part(services, kTlsrptService)) {
    return wrong(kKeyService, "s", services, "tlsrpt or * (RFC 8460 §3)");
  }
  const std::string_view flags = tags.value_or("t", "");
  if (has_part(flags, "y")) return wrong(kKeyTesting, "t", flags, "no y, which says: in testing");
  record.is_strict = has_part(flags, "s");
  auto bytes = decode_base64_tag(key->value);
  if (!bytes.has_value() || bytes->empty()) return wrong(kKeySyntax, "p", key->value, "base64");
  record.key = *std::move(bytes);
  return record;
}

std::string key_record_text(KeyType type, std::string_view service, std::string_view key) {
  std::string text = "v=";
  text.append(kKeyVersion).append("; k=").append(key_type_name(type));
  text.append("; s=").append(service).append("; p=").append(base::base64_encode(key));
  return text;
}

std::string key_record_name(std::string_view selector, std::string_view domain) {
  std::string name(selector);
  return name.append("._domainkey.").append(domain);
}

std::string zone_file_line(std::string_view name, std::string_view text) {
  std::string line(name);
  line.append(". IN TXT");
  do {
    line.append(" \"");
    for (const char c : text.substr(0, kMaxCharacterStringBytes)) {
      if (c == '"' || c == '\\') line.push_back('\\');
      line.push_back(c);
    }
    line.push_back('"');
    text.remove_prefix(std::min(kMaxCharacterStringBytes, text.size()));
  } while (!text.empty());
  return line;
}

}  // namespace strictmx::dkim
