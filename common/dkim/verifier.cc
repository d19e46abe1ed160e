// verifier.cc - see verifier.h. §6.1.1 and the body hash of §6.1.3 come before the key is looked
// up, so that a broken message costs nobody a DNS question.
#include "common/dkim/verifier.h"

#include <algorithm>
#include <utility>

#include "common/dkim/key_record.h"
#include "common/dkim/public_key.h"
#include "common/dkim/sha256.h"
#include "common/dkim/signed_header.h"

namespace strictmx::dkim {
namespace {

using enum SignatureStatus;

// RFC 6376 §6.1.2 and §6.1.3 with one record.
Verdict verify_with(const SignatureField& field, std::string_view signed_bytes,
                    std::string_view text) {
  const auto record = parse_key_record(text);
  if (!record.ok()) return {record.error().code, record.error().detail};
  if (record.value().type != field.type) {
    return {kKeyType,
            "k=" + std::string(key_type_name(record.value().type)) +
                " in the key record does not fit a=" + std::string(algorithm_name(field.type))};
  }
  if (record.value().is_strict && field.identity_domain != field.domain) {
    return {kKeyStrict, "t=s in the key record: i= must have the domain of d= (RFC 6376 §3.6.1)"};
  }
  const auto checked = check_signature(record.value(), signed_bytes, field.signature);
  if (!checked.ok()) return {checked.error().code, checked.error().detail};
  return {kVerified, ""};
}

bool covers_all(const Message& message, const SignatureField& field, std::string_view name) {
  return count_names(field.signed_names, name) >= count_fields(message.fields, name);
}

}  // namespace

base::Result<SignedMessage, MessageError> SignedMessage::read(std::string_view bytes,
                                                              base::WallTime received) {
  auto message = split_message(bytes);
  if (!message.ok()) return message.error();
  SignedMessage made(std::move(message).value());
  made.read_signatures(received);
  return made;
}

void SignedMessage::read_signatures(base::WallTime received) {
  for (std::size_t place = 0; place < message_.fields.size(); ++place) {
    if (!is_same_name(message_.fields[place].name, "DKIM-Signature")) continue;
    Signature signature;
    signature.own_place = place;
    if (signatures_.size() >= kMaxSignatures) {
      signature.verdict = {kTooManySignatures, "only the first " + std::to_string(kMaxSignatures) +
                                                   " signatures are looked at"};
      signatures_.push_back(std::move(signature));
      continue;
    }
    auto field = parse_signature_field(message_.fields[place].text);
    if (field.ok()) {
      signature.field = std::move(field).value();
      signature.key_name = key_record_name(signature.field.selector, signature.field.domain);
      signature.verdict = judge_field(signature.field, received);
    } else {
      signature.verdict = {field.error().code, field.error().detail};
    }
    signatures_.push_back(std::move(signature));
  }
}

std::optional<Verdict> SignedMessage::judge_field(const SignatureField& field,
                                                  base::WallTime received) {
  if (!covers_all(message_, field, "From")) {
    return Verdict{kFromNotSigned, "the message has a further From field that is not signed"};
  }
  if (field.expires.has_value() && received > *field.expires) {
    return Verdict{kExpired, "x= was " + base::format_utc(*field.expires)};
  }
  std::optional<std::string>& hash = body_hashes_[static_cast<std::size_t>(field.body_form)];
  if (!hash.has_value()) hash = body_hash(field.body_form, message_.body);
  if (!hash.has_value()) return Verdict{kSystem, "OpenSSL can't hash"};
  if (*hash != field.body_hash) return Verdict{kBodyAltered, "bh= is not the hash of the body"};
  return std::nullopt;
}

Verdict SignedMessage::verify(const Signature& signature, const KeyAnswer& answer) const {
  if (signature.verdict.has_value()) return *signature.verdict;
  switch (answer.lookup) {
    case KeyAnswer::Lookup::kAnswered:
      break;
    case KeyAnswer::Lookup::kTemporary:
      return {kDnsTemporary, "no answer for " + signature.key_name};
    case KeyAnswer::Lookup::kBogus:
      return {kDnsBogus, "DNSSEC refuses the answer for " + signature.key_name};
  }
  const SignatureField& field = signature.field;
  const std::string signed_bytes =
      signed_header(field.header_form, message_.fields, field.signed_names, signature.own_place,
                    field.unsigned_text);
  Verdict verdict{kKeyMissing, "no key record at " + signature.key_name};
  const std::size_t count = std::min(answer.texts.size(), kMaxKeyRecords);
  for (std::size_t i = 0; i < count; ++i) {
    Verdict one = verify_with(field, signed_bytes, answer.texts[i]);
    if (one.is_verified()) return one;
    // The first record that is one tells the reason.
    if (verdict.status == kKeyMissing) verdict = std::move(one);
  }
  if (verdict.status == kKeyMissing && answer.texts.size() > kMaxKeyRecords) {
    return {kKeyTooLarge,
            "more than " + std::to_string(kMaxKeyRecords) + " records at " + signature.key_name};
  }
  return verdict;
}

bool SignedMessage::covers(const Signature& signature, std::string_view name) const {
  return count_fields(message_.fields, name) > 0 && covers_all(message_, signature.field, name);
}

}  // namespace strictmx::dkim
