// fuzz_dkim.cc - fuzz target for what strangers write into DKIM: a message with its signatures, a
// signature field and a key record. The first line of the input is a key record, the rest a
// message; the whole is each of them as well.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/dkim/canonical.h"
#include "common/dkim/key_record.h"
#include "common/dkim/message.h"
#include "common/dkim/signature_field.h"
#include "common/dkim/verifier.h"
#include "tests/fuzz/require.h"

namespace {

using strictmx::dkim::Canonicalization;
using strictmx::dkim::KeyAnswer;
using strictmx::dkim::Message;
using strictmx::dkim::SignatureStatus;
using strictmx::dkim::SignedMessage;
using strictmx::fuzz::require;

constexpr strictmx::base::WallTime kNow{std::chrono::seconds{1528637969}};
constexpr std::size_t kMaxDetailBytes = 400;

void check_detail(std::string_view detail) {
  require(!detail.empty() && detail.size() < kMaxDetailBytes, "a reason, and a short one");
  require(std::all_of(detail.begin(), detail.end(),
                      [](unsigned char c) {
                        return (c >= ' ' && c < 0x7F) || c == 0xC2 || c == 0xA7;  // § in UTF-8
                      }),
          "the reason is printable");
}

std::string canonical_body(Canonicalization form, std::string_view body) {
  std::string out;
  strictmx::dkim::write_canonical_body(form, body,
                                       [&out](std::string_view piece) { out.append(piece); });
  return out;
}

std::string canonical_field(Canonicalization form, std::string_view field) {
  std::string out;
  strictmx::dkim::append_canonical_field(form, field, out);
  return out;
}

void check_record(std::string_view text) {
  const auto record = strictmx::dkim::parse_key_record(text);
  if (!record.ok()) {
    check_detail(record.error().detail);
    return;
  }
  require(!record.value().key.empty(), "a key has bytes");
  const std::string again =
      strictmx::dkim::key_record_text(record.value().type, "*", record.value().key);
  if (again.size() > strictmx::dkim::kMaxKeyRecordBytes) return;
  const auto same = strictmx::dkim::parse_key_record(again);
  require(same.ok() && same.value().key == record.value().key &&
              same.value().type == record.value().type,
          "a record that is written is read the same");
}

void check_field(std::string_view text) {
  const auto field = strictmx::dkim::parse_signature_field(text);
  if (!field.ok()) {
    check_detail(field.error().detail);
    return;
  }
  require(field.value().unsigned_text.size() < text.size(), "the signature is taken out");
  require(field.value().identity_domain.ends_with(field.value().domain), "i= is within d=");
  require(!field.value().signed_names.empty(), "something is signed");
  const auto again = strictmx::dkim::parse_signature_field(field.value().unsigned_text);
  require(!again.ok() && again.error().code == SignatureStatus::kSignatureSyntax,
          "without b= it is no signature");
}

void check_parts(const Message& message) {
  for (const auto& field : message.fields) {
    const std::string relaxed = canonical_field(Canonicalization::kRelaxed, field.text);
    require(relaxed.find('\n') == std::string::npos, "the relaxed form is one line");
    require(canonical_field(Canonicalization::kRelaxed, relaxed) == relaxed,
            "the relaxed form of a field is its own");
    require(canonical_field(Canonicalization::kRelaxed,
                            canonical_field(Canonicalization::kSimple, field.text)) == relaxed,
            "the simple form keeps what counts in the relaxed one");
  }
  for (const auto form : {Canonicalization::kSimple, Canonicalization::kRelaxed}) {
    const std::string body = canonical_body(form, message.body);
    require(body.empty() || body.ends_with("\r\n"), "a canonical body ends in CRLF");
    require(canonical_body(form, body) == body, "the canonical form of a body is its own");
  }
}

void check_message(std::string_view bytes, const std::string& record) {
  const auto message = SignedMessage::read(bytes, kNow);
  if (!message.ok()) {
    check_detail(message.error().detail);
    return;
  }
  check_parts(message.value().message());
  for (const auto& signature : message.value().signatures()) {
    const auto verdict =
        message.value().verify(signature, {KeyAnswer::Lookup::kAnswered, {record}});
    if (verdict.is_verified()) {
      const auto& names = signature.field.signed_names;
      require(std::any_of(names.begin(), names.end(),
                          [](const std::string& name) {
                            return strictmx::dkim::is_same_name(name, "From");
                          }),
              "From is signed");
    } else {
      check_detail(verdict.detail);
    }
    const auto missing = message.value().verify(signature, {});
    require(missing.status == SignatureStatus::kKeyMissing || signature.verdict.has_value(),
            "no key, no judgement of it");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t line_feed = std::min(bytes.find('\n'), bytes.size());
  const std::string record(bytes.substr(0, line_feed));
  check_record(record);
  check_record(bytes);
  check_field(bytes);
  check_message(bytes, record);
  check_message(bytes.substr(std::min(line_feed + 1, bytes.size())), record);
  return 0;
}
