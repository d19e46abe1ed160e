// record.cc - see record.h. Byte positions in failures count from 1.
#include "common/mta_sts/record.h"

#include <algorithm>

#include "common/base/log.h"

namespace strictmx::mta_sts {
namespace {

using base::fail;
using base::Failure;

constexpr std::string_view kVersion = "v=STSv1";        // §3.1 sts-version, case-sensitive
constexpr std::string_view kDiscardRule = "v=STSv1;";   // §3.1, several records at the name
constexpr std::string_view kWhiteSpace = " \t";         // RFC 5234 WSP
constexpr std::size_t kMaxExtensionNameBytes = 1 + 31;  // §3.1 sts-ext-name

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// §3.1 sts-id, the part after "id=".
bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kMaxIdBytes &&
         std::all_of(text.begin(), text.end(), is_letter_or_digit);
}

// §3.1 sts-ext-name.
bool is_extension_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxExtensionNameBytes &&
         is_letter_or_digit(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.';
         });
}

// §3.1 sts-ext-value: printable US-ASCII without "=", ";" and the space.
bool is_extension_value(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '=' && c != ';';
  });
}

// The peer's text for a failure: escaped, 60 characters at most. Thirteen bytes of four
// characters each, the quotes and the dots still fit.
std::string shown(std::string_view text) {
  std::string out;
  base::append_log_value(out, text, 55);
  if (out.size() <= 60) return out;
  out.clear();
  base::append_log_value(out, text, 13);
  return out;
}

Failure<RecordError> syntax_error(std::size_t at, std::string_view problem) {
  std::string detail = "byte " + std::to_string(at + 1) + ": ";
  detail.append(problem).append(" (RFC 8461 §3.1)");
  return fail(RecordError::kSyntax, std::move(detail));
}

std::size_t after_white_space(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(kWhiteSpace, at), text.size());
}

}  // namespace

base::Result<Record, RecordError> parse_record(std::string_view text) {
  if (text.size() > kMaxRecordBytes) {
    return fail(RecordError::kTooLarge,
                "record is over " + std::to_string(kMaxRecordBytes) + " bytes");
  }
  if (!text.starts_with(kVersion)) {
    return syntax_error(0, "found " + shown(text) + ", want v=STSv1 first");
  }
  std::optional<std::string> id;
  std::size_t at = kVersion.size();
  while (at < text.size()) {
    // §3.1 sts-field-delim: *WSP ";" *WSP
    at = after_white_space(text, at);
    if (at == text.size()) return syntax_error(at, "white space at the end needs a ';' before it");
    if (text[at] != ';') {
      return syntax_error(at, "found " + shown(text.substr(at)) + ", want ';' between fields");
    }
    at = after_white_space(text, at + 1);
    if (at == text.size()) break;  // §3.1: one more delimiter may end the record

    const std::size_t end = std::min(text.find_first_of("; \t", at), text.size());
    const std::string_view field = text.substr(at, end - at);
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos) {
      return syntax_error(at, field.empty() ? "empty field between two ';'"
                                            : "found " + shown(field) + ", want name=value");
    }
    const std::string_view name = field.substr(0, equals);
    const std::string_view value = field.substr(equals + 1);
    if (name == "id" && !id.has_value()) {
      if (!is_id(value)) {
        return syntax_error(at, "id: found " + shown(value) + ", want 1 to 32 letters and digits");
      }
      id.emplace(value);
    } else if (!is_extension_name(name) || !is_extension_value(value)) {
      // §3.2: unknown fields are ignored, and all but the first of a repeated field. Either must
      // still be a field of the grammar; a repeated id fits it as an sts-extension.
      return syntax_error(at, "found " + shown(field) + ", which is no valid name=value");
    }
    at = end;
  }
  if (!id.has_value()) return syntax_error(text.size(), "id is missing");
  return Record{*std::move(id)};
}

base::Result<std::optional<Record>, RecordError> find_record(std::span<const std::string> texts) {
  if (texts.size() > kMaxRecords) {
    return fail(RecordError::kTooLarge,
                "more than " + std::to_string(kMaxRecords) + " TXT records at the name");
  }
  // §3.1 states the discard rule for several records only. By the grammar white space may stand
  // before the first ";", so a single "v=STSv1 ; id=1" is valid while the same text beside another
  // record is discarded (erratum 6285).
  const std::string_view wanted = texts.size() == 1 ? kVersion : kDiscardRule;
  const std::string* found = nullptr;
  std::size_t count = 0;
  for (const std::string& text : texts) {
    if (!text.starts_with(wanted)) continue;
    found = &text;
    ++count;
  }
  // Only unrelated records (a wildcard, another service's): nothing is published, nobody's error.
  if (found == nullptr) return std::optional<Record>();
  if (count > 1) {
    return fail(RecordError::kMultiple, std::to_string(count) +
                                            " records begin with v=STSv1; where one may "
                                            "(RFC 8461 §3.1)");
  }
  auto record = parse_record(*found);
  if (!record.ok()) return record.error();
  return std::optional<Record>(std::move(record).value());
}

}  // namespace strictmx::mta_sts
