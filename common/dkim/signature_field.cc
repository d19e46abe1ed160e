// signature_field.cc - see signature_field.h. Each tag's rule is one function of the reader below.
#include "common/dkim/signature_field.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "common/base/domain_name.h"
#include "common/base/log.h"
#include "common/dkim/key_record.h"
#include "common/dkim/message.h"
#include "common/dkim/tag_list.h"

namespace strictmx::dkim {
namespace {

using base::fail;
using base::Failure;
using base::Outcome;
using enum SignatureStatus;

constexpr std::size_t kSha256Bytes = 32;
constexpr std::size_t kMaxTimeDigits = 12;  // §3.5 sig-t-tag: 1*12DIGIT
constexpr std::size_t kMaxShownBytes = 40;  // of a peer's text in a failure

Failure<SignatureStatus> wrong(SignatureStatus status, std::string_view tag, std::string_view value,
                               std::string_view wanted) {
  std::string detail(tag);
  detail.append("=: found ");
  base::append_log_value(detail, value, kMaxShownBytes);
  detail.append(", want ").append(wanted).append(" (RFC 6376 §3.5)");
  return fail(status, std::move(detail));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// §3.5 domain-name: two labels at least.
bool is_domain(std::string_view lower_name) {
  return base::is_rfc5321_domain(lower_name) && lower_name.find('.') != std::string_view::npos;
}

// A value of §2.11 in quoted-printable: "=40" is "@". White space does not count.
std::optional<std::string> decode_quoted_printable(std::string_view value) {
  const std::string text = without_white_space(value);
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '=') {
      out.push_back(text[at]);
      continue;
    }
    if (text.size() - at < 3) return std::nullopt;
    unsigned code = 0;
    const char* const end = text.data() + at + 3;
    const auto read = std::from_chars(end - 2, end, code, 16);
    if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
    out.push_back(static_cast<char>(code));
    at += 2;
  }
  return out;
}

class FieldReader {
 public:
  explicit FieldReader(const TagList& tags) : tags_(tags) {}

  base::Result<SignatureField, SignatureStatus> read();

 private:
  Outcome<SignatureStatus> check_required() const;
  Outcome<SignatureStatus> read_version();
  Outcome<SignatureStatus> read_algorithm();
  Outcome<SignatureStatus> read_canonicalization();
  Outcome<SignatureStatus> read_query_methods();
  Outcome<SignatureStatus> read_domain_and_selector();
  Outcome<SignatureStatus> read_identity();
  Outcome<SignatureStatus> read_signed_names();
  Outcome<SignatureStatus> read_times();
  Outcome<SignatureStatus> read_body_length();
  Outcome<SignatureStatus> read_hashes();
  base::Result<std::optional<std::chrono::sys_seconds>, SignatureStatus> read_time(
      std::string_view name) const;

  const TagList& tags_;
  SignatureField field_;
};

base::Result<SignatureField, SignatureStatus> FieldReader::read() {
  using Step = Outcome<SignatureStatus> (FieldReader::*)();
  constexpr Step kSteps[] = {
      &FieldReader::read_version,
      &FieldReader::read_algorithm,
      &FieldReader::read_canonicalization,
      &FieldReader::read_query_methods,
      &FieldReader::read_body_length,
      &FieldReader::read_domain_and_selector,
      &FieldReader::read_identity,
      &FieldReader::read_signed_names,
      &FieldReader::read_times,
      &FieldReader::read_hashes,
  };
  const auto required = check_required();
  if (!required.ok()) return required.error();
  for (const Step step : kSteps) {
    const auto outcome = (this->*step)();
    if (!outcome.ok()) return outcome.error();
  }
  return std::move(field_);
}

Outcome<SignatureStatus> FieldReader::check_required() const {
  for (const std::string_view name : {"v", "a", "b", "bh", "d", "h", "s"}) {
    if (tags_.find(name) == nullptr) {
      return fail(kSignatureSyntax, std::string(name) + "= is missing (RFC 6376 §3.5)");
    }
  }
  return base::done();
}

Outcome<SignatureStatus> FieldReader::read_version() {
  const std::string_view value = tags_.value_or("v", "");
  if (value != "1") return wrong(kVersion, "v", value, "1");
  return base::done();
}

// RFC 8301 §3.1: rsa-sha1 must not be verified.
Outcome<SignatureStatus> FieldReader::read_algorithm() {
  const std::string_view value = tags_.value_or("a", "");
  for (const KeyType type : {KeyType::kRsa, KeyType::kEd25519}) {
    if (algorithm_name(type) != value) continue;
    field_.type = type;
    return base::done();
  }
  return wrong(kAlgorithm, "a", value, "rsa-sha256 or ed25519-sha256");
}

// "relaxed" alone is relaxed/simple.
Outcome<SignatureStatus> FieldReader::read_canonicalization() {
  const std::string_view value = tags_.value_or("c", "simple/simple");
  const std::size_t slash = std::min(value.find('/'), value.size());
  const std::string_view body_name = slash < value.size() ? value.substr(slash + 1) : "simple";
  const auto header_form = canonicalization_from_name(value.substr(0, slash));
  const auto body_form = canonicalization_from_name(body_name);
  if (!header_form.has_value() || !body_form.has_value()) {
    return wrong(kCanonicalizationForm, "c", value, "simple or relaxed, twice at most");
  }
  field_.header_form = *header_form;
  field_.body_form = *body_form;
  return base::done();
}

// Unknown methods are ignored, so one known method is enough.
Outcome<SignatureStatus> FieldReader::read_query_methods() {
  const std::string_view value = tags_.value_or("q", "dns/txt");
  const auto methods = split_at_colons(value);
  if (std::find(methods.begin(), methods.end(), "dns/txt") == methods.end()) {
    return wrong(kQueryMethod, "q", value, "dns/txt");
  }
  return base::done();
}

Outcome<SignatureStatus> FieldReader::read_body_length() {
  if (tags_.find("l") == nullptr) return base::done();
  return fail(kBodyLength, "l= must not be used for reports (RFC 8460 §3)");
}

Outcome<SignatureStatus> FieldReader::read_domain_and_selector() {
  const std::string_view domain = tags_.value_or("d", "");
  field_.domain = base::ascii_lower(domain);
  if (!is_domain(field_.domain)) return wrong(kSignatureSyntax, "d", domain, "a domain name");
  const std::string_view selector = tags_.value_or("s", "");
  // Underscores stand for letters while the labels are checked: the departure of the header.
  std::string plain = base::ascii_lower(selector);
  std::replace(plain.begin(), plain.end(), '_', 'x');
  if (!base::is_rfc5321_domain(plain) ||
      key_record_name(selector, domain).size() > base::kMaxNameBytes) {
    return wrong(kSignatureSyntax, "s", selector, "a selector that makes a DNS name with d=");
  }
  field_.selector = selector;
  return base::done();
}

// The domain of i= is that of d= or one below it.
Outcome<SignatureStatus> FieldReader::read_identity() {
  field_.identity_domain = field_.domain;
  const Tag* tag = tags_.find("i");
  if (tag == nullptr) return base::done();
  const auto identity = decode_quoted_printable(tag->value);
  const std::size_t at = identity.has_value() ? identity->rfind('@') : std::string::npos;
  if (at == std::string::npos) {
    return wrong(kSignatureSyntax, "i", tag->value, "an address or @ and a domain");
  }
  field_.identity_domain = base::ascii_lower(identity->substr(at + 1));
  if (!is_domain(field_.identity_domain)) {
    return wrong(kSignatureSyntax, "i", tag->value, "an address or @ and a domain");
  }
  if (field_.identity_domain != field_.domain &&
      !field_.identity_domain.ends_with("." + field_.domain)) {
    return wrong(kIdentity, "i", tag->value, "the domain of d= or one below it");
  }
  return base::done();
}

Outcome<SignatureStatus> FieldReader::read_signed_names() {
  const std::string_view value = tags_.value_or("h", "");
  bool has_from = false;
  for (const std::string_view name : split_at_colons(value)) {
    // RFC 5322 §2.2; ":" and ";" are already separators.
    const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(),
                                                      [](char c) { return c > ' ' && c <= '~'; });
    if (!is_name) return wrong(kSignatureSyntax, "h", value, "names of header fields");
    if (field_.signed_names.size() == kMaxSignedNames) {
      return fail(kSignatureSyntax, "h=: more than " + std::to_string(kMaxSignedNames) + " names");
    }
    has_from = has_from || is_same_name(name, "From");
    field_.signed_names.emplace_back(name);
  }
  if (!has_from) return wrong(kFromNotSigned, "h", value, "From among the names");
  return base::done();
}

base::Result<std::optional<std::chrono::sys_seconds>, SignatureStatus> FieldReader::read_time(
    std::string_view name) const {
  const Tag* tag = tags_.find(name);
  if (tag == nullptr) return std::optional<std::chrono::sys_seconds>();
  const std::string_view value = tag->value;
  if (value.empty() || value.size() > kMaxTimeDigits ||
      !std::all_of(value.begin(), value.end(), is_digit)) {
    return wrong(kSignatureSyntax, name, value, "1 to 12 digits");
  }
  std::int64_t seconds = 0;
  std::from_chars(value.data(), value.data() + value.size(), seconds);  // twelve digits always fit
  return std::optional(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
}

// x= must be greater than t= where both are there.
Outcome<SignatureStatus> FieldReader::read_times() {
  const auto signed_at = read_time("t");
  if (!signed_at.ok()) return signed_at.error();
  const auto expires = read_time("x");
  if (!expires.ok()) return expires.error();
  field_.signed_at = signed_at.value();
  field_.expires = expires.value();
  if (field_.signed_at.has_value() && field_.expires.has_value() &&
      *field_.expires <= *field_.signed_at) {
    return wrong(kSignatureSyntax, "x", tags_.value_or("x", ""), "a time after t=");
  }
  return base::done();
}

Outcome<SignatureStatus> FieldReader::read_hashes() {
  auto signature = decode_base64_tag(tags_.value_or("b", ""));
  if (!signature.has_value() || signature->empty()) {
    return wrong(kSignatureSyntax, "b", tags_.value_or("b", ""), "base64");
  }
  auto body_hash = decode_base64_tag(tags_.value_or("bh", ""));
  if (!body_hash.has_value() || body_hash->size() != kSha256Bytes) {
    return wrong(kSignatureSyntax, "bh", tags_.value_or("bh", ""), "a SHA-256 hash in base64");
  }
  field_.signature = *std::move(signature);
  field_.body_hash = *std::move(body_hash);
  return base::done();
}

}  // namespace

std::string_view key_type_name(KeyType type) {
  switch (type) {
    case KeyType::kRsa:
      return "rsa";
    case KeyType::kEd25519:
      return "ed25519";
  }
  return "rsa";
}

std::string_view algorithm_name(KeyType type) {
  switch (type) {
    case KeyType::kRsa:
      return "rsa-sha256";
    case KeyType::kEd25519:
      return "ed25519-sha256";
  }
  return "rsa-sha256";
}

base::Result<SignatureField, SignatureStatus> parse_signature_field(std::string_view text) {
  if (text.size() > kMaxSignatureFieldBytes) {
    return fail(kSignatureSyntax,
                "field is over " + std::to_string(kMaxSignatureFieldBytes) + " bytes");
  }
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view value = text.substr(std::min(colon + 1, text.size()));
  const auto tags = TagList::parse(value);
  if (!tags.ok()) return fail(kSignatureSyntax, tags.error().detail);
  auto field = FieldReader(tags.value()).read();
  if (!field.ok()) return field;
  // §3.7: the value of b= is taken out with all white space around it.
  const std::string_view whole = tags.value().find("b")->whole;
  const auto start = static_cast<std::size_t>(whole.data() - text.data());
  field.value()
      .unsigned_text.append(text.substr(0, start))
      .append(text.substr(start + whole.size()));
  return field;
}

}  // namespace strictmx::dkim
