// signer.cc - see signer.h.
#include "common/dkim/signer.h"

#include <algorithm>
#include <span>
#include <utility>

#include "common/base/base64.h"
#include "common/base/log.h"
#include "common/dkim/key_record.h"
#include "common/dkim/message.h"
#include "common/dkim/sha256.h"
#include "common/dkim/signed_header.h"

namespace strictmx::dkim {
namespace {

using base::fail;
using base::Failure;
using base::Outcome;

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::size_t kMaxColumns = 78;     // RFC 5322 §2.1.1
constexpr std::size_t kMaxShownBytes = 40;  // of a caller's text in a failure
constexpr Canonicalization kForm = Canonicalization::kRelaxed;

constexpr std::string_view kOverSigned[] = {"From", "Subject", "TLS-Report-Domain",
                                            "TLS-Report-Submitter"};
// RFC 6376 §5.4: changed or taken out on the way.
constexpr std::string_view kNeverSigned[] = {
    "Return-Path", "Received", "Comments", "Keywords", "Bcc", "Resent-Bcc", "DKIM-Signature"};

bool is_among(std::span<const std::string_view> names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view one) { return is_same_name(one, name); });
}

// RFC 5322 §2.2; ";" would end h=.
bool is_field_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c <= '~' && c != ':' && c != ';';
  });
}

Failure<SignerError> refused(SignerError code, std::string_view problem, std::string_view text) {
  std::string detail(problem);
  detail.append(": ");
  base::append_log_value(detail, text, kMaxShownBytes);
  return fail(code, std::move(detail));
}

// "Name: value" with CRLF in its folds, or what is wrong with it.
base::Result<std::string, SignerError> field_text(const NewField& field) {
  if (!is_field_name(field.name)) {
    return refused(SignerError::kField, "no name of a header field", field.name);
  }
  std::string text = field.name + ": ";
  std::string_view left = field.value;
  std::size_t line_start = 0;
  while (true) {
    const std::size_t line_feed = left.find('\n');
    std::string_view line = left.substr(0, line_feed);
    if (line_feed != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    text.append(line);
    // A line of white space only could be taken for the end of the header.
    const bool is_blank = line.find_first_not_of(" \t") == std::string_view::npos;
    if (is_blank && (line_start > 0 || line_feed != std::string_view::npos)) {
      return refused(SignerError::kField, "empty line in the header field", field.name);
    }
    if (text.size() - line_start > kMaxLineBytes) {
      return refused(SignerError::kField, "line over 998 bytes in the header field", field.name);
    }
    const bool is_printable = std::all_of(
        line.begin(), line.end(), [](char c) { return (c >= ' ' && c <= '~') || c == '\t'; });
    if (!is_printable) {
      return refused(SignerError::kField, "control or 8-bit character in the header field",
                     field.name);
    }
    if (line_feed == std::string_view::npos) return text;
    left.remove_prefix(line_feed + 1);
    if (!left.starts_with(' ') && !left.starts_with('\t')) {
      return refused(SignerError::kField, "line end in the header field", field.name);
    }
    text.append(kLineEnd);
    line_start = text.size();
  }
}

// The body with CRLF throughout, the last line too. What mail servers would have to change is
// refused: bare line ends (RFC 5321 §2.3.8), NUL, long lines (§4.5.3.1.6).
base::Result<std::string, SignerError> body_text(std::string_view body) {
  const bool has_crlf = body.find(kLineEnd) != std::string_view::npos;
  std::string text;
  text.reserve(body.size() + body.size() / 32 + kLineEnd.size());
  for (std::size_t number = 1; !body.empty(); ++number) {
    const std::size_t line_feed = body.find('\n');
    std::string_view line = body.substr(0, line_feed);
    const bool has_end = line_feed != std::string_view::npos;
    const auto wrong = [number](std::string_view problem) {
      return fail(SignerError::kBody,
                  "line " + std::to_string(number) + " of the body: " + std::string(problem));
    };
    if (has_end && has_crlf) {
      if (!line.ends_with('\r')) return wrong("bare LF");
      line.remove_suffix(1);
    }
    if (line.find('\r') != std::string_view::npos) return wrong("bare CR");
    if (line.find('\0') != std::string_view::npos) return wrong("NUL");
    if (line.size() > kMaxLineBytes) return wrong("over 998 bytes");
    text.append(line).append(kLineEnd);
    body.remove_prefix(has_end ? line_feed + 1 : body.size());
  }
  return text;
}

// Writes tags into a field, folded before what would go beyond kMaxColumns (RFC 6376 §3.2 allows
// it between tags, in h= around ":" and in base64 anywhere).
class FieldWriter {
 public:
  FieldWriter() : text_("DKIM-Signature:"), column_(text_.size()) {}

  // A piece that begins after white space anyway: a tag.
  void add_tag(std::string_view piece) {
    if (column_ + 1 + piece.size() > kMaxColumns) {
      fold();
    } else {
      put(" ");
    }
    put(piece);
  }
  // A piece that stands right behind the last one.
  void add(std::string_view piece) {
    if (column_ + piece.size() > kMaxColumns) fold();
    put(piece);
  }
  void add_base64(std::string_view text) {
    while (!text.empty()) {
      if (column_ >= kMaxColumns) fold();
      const std::string_view piece = text.substr(0, kMaxColumns - column_);
      put(piece);
      text.remove_prefix(piece.size());
    }
  }
  const std::string& text() const { return text_; }

 private:
  void fold() {
    text_.append("\r\n ");
    column_ = 1;
  }
  void put(std::string_view piece) {
    text_.append(piece);
    column_ += piece.size();
  }

  std::string text_;
  std::size_t column_;
};

void append_names(const std::vector<std::string>& names, FieldWriter& writer) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string piece = names[i] + (i + 1 < names.size() ? ":" : ";");
    if (i == 0) {
      writer.add_tag("h=" + piece);
    } else {
      writer.add(piece);
    }
  }
}

std::vector<std::string> names_in_message(const std::vector<std::string>& wanted,
                                          std::span<const HeaderField> fields) {
  std::vector<std::string> names;
  for (const std::string_view name : kOverSigned) {
    names.insert(names.end(), count_fields(fields, name) + 1, std::string(name));
  }
  for (const std::string& name : wanted) {
    if (is_among(kOverSigned, name)) continue;
    names.insert(names.end(), count_fields(fields, name), name);
  }
  return names;
}

Outcome<SignerError> check_names(const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_field_name(names[i]) || is_among(kNeverSigned, names[i])) {
      return refused(SignerError::kName, "not to be signed", names[i]);
    }
    if (count_names(std::span(names).first(i), names[i]) > 0) {
      return refused(SignerError::kName, "named twice", names[i]);
    }
  }
  if (names.size() > kMaxSignedNames) {
    return fail(SignerError::kName,
                "more than " + std::to_string(kMaxSignedNames) + " names to sign");
  }
  return base::done();
}

}  // namespace

base::Result<Signer, SignerError> Signer::create(const base::DomainName& domain,
                                                 std::vector<SigningKey> keys,
                                                 SignerSettings settings) {
  const std::string& name = domain.text();
  if (!base::is_rfc5321_domain(name) || name.find('.') == std::string::npos) {
    return refused(SignerError::kDomain, "no domain to sign for", name);
  }
  if (keys.empty() || keys.size() > kMaxSigningKeys) {
    return fail(SignerError::kKeys, "want 1 to " + std::to_string(kMaxSigningKeys) + " keys");
  }
  for (const SigningKey& key : keys) {
    const std::string key_name = key_record_name(key.selector, name);
    if (!base::is_rfc5321_domain(base::ascii_lower(key.selector)) ||
        key_name.size() > base::kMaxNameBytes) {
      return refused(SignerError::kSelector, "no selector", key.selector);
    }
  }
  if (settings.lifetime.has_value() && *settings.lifetime <= std::chrono::seconds{0}) {
    return fail(SignerError::kLifetime, "x= must come after t= (RFC 6376 §3.5)");
  }
  const auto checked = check_names(settings.signed_names);
  if (!checked.ok()) return checked.error();
  return Signer(name, std::move(keys), std::move(settings));
}

base::Result<std::string, SignerError> Signer::sign(const std::vector<NewField>& fields,
                                                    std::string_view body,
                                                    base::WallTime now) const {
  std::string header;
  for (const NewField& field : fields) {
    const auto text = field_text(field);
    if (!text.ok()) return text.error();
    header.append(text.value()).append(kLineEnd);
  }
  auto text = body_text(body);
  if (!text.ok()) return text.error();
  header.append(kLineEnd);

  // The header as a verifier will split it.
  const auto message = split_message(header);
  if (!message.ok()) return fail(SignerError::kTooLarge, message.error().detail);
  const std::vector<HeaderField>& split = message.value().fields;
  if (count_fields(split, "From") != 1) return fail(SignerError::kFrom, "want exactly one From");
  const auto names = names_in_message(settings_.signed_names, split);
  if (names.size() > kMaxSignedNames) {
    return fail(SignerError::kTooLarge,
                "more than " + std::to_string(kMaxSignedNames) + " fields to sign");
  }
  const auto hash = body_hash(kForm, text.value());
  if (!hash.has_value()) return fail(SignerError::kSystem, "OpenSSL can't hash");

  std::string signed_message;
  for (const SigningKey& key : keys_) {
    const std::string algorithm(algorithm_name(key.key.type()));
    const auto time = now.time_since_epoch();
    FieldWriter writer;
    for (const std::string& tag :
         {std::string("v=1;"), "a=" + algorithm + ";", std::string("c=relaxed/relaxed;"),
          "d=" + domain_ + ";", "s=" + key.selector + ";",
          "t=" + std::to_string(time.count()) + ";"}) {
      writer.add_tag(tag);
    }
    if (settings_.lifetime.has_value()) {
      writer.add_tag("x=" + std::to_string((time + *settings_.lifetime).count()) + ";");
    }
    append_names(names, writer);
    writer.add_tag("bh=" + base::base64_encode(*hash) + ";");
    writer.add_tag("b=");
    auto signature = key.key.sign(signed_header(kForm, split, names, std::nullopt, writer.text()));
    if (!signature.ok()) return fail(SignerError::kSystem, signature.error().detail);
    writer.add_base64(base::base64_encode(signature.value()));
    signed_message.append(writer.text()).append(kLineEnd);
  }
  if (signed_message.size() + header.size() > kMaxHeaderBytes ||
      split.size() + keys_.size() > kMaxHeaderFields ||
      signed_message.size() + header.size() + text.value().size() > kMaxMessageBytes) {
    return fail(SignerError::kTooLarge, "the message is over what our own reader takes");
  }
  return signed_message.append(header).append(text.value());
}

}  // namespace strictmx::dkim
