// domain_name.cc - see domain_name.h. The only user of libidn2.
#include "common/base/domain_name.h"

#include <idn2.h>

#include <algorithm>
#include <memory>

#include "common/base/printable.h"

namespace strictmx::base {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || is_digit(c); }

enum class LabelError { kNone, kEmpty, kTooLong, kCharacter };

LabelError check_label(std::string_view label, bool underscore_allowed) {
  if (label.empty()) return LabelError::kEmpty;
  if (label.size() > kMaxLabelBytes) return LabelError::kTooLong;
  if (label.front() == '-' || label.back() == '-') return LabelError::kCharacter;
  for (const char c : label) {
    if (is_letter_or_digit(c) || c == '-' || (c == '_' && underscore_allowed)) continue;
    return LabelError::kCharacter;
  }
  return LabelError::kNone;
}

// The first broken label's error; `name` is lower-case without a final dot.
LabelError check_labels(std::string_view name, bool underscore_allowed) {
  std::size_t start = 0;
  while (true) {
    const std::size_t dot = name.find('.', start);
    const auto label = name.substr(start, dot == name.npos ? name.npos : dot - start);
    const LabelError error = check_label(label, underscore_allowed);
    if (error != LabelError::kNone || dot == name.npos) return error;
    start = dot + 1;
  }
}

bool last_label_is_number(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  const auto last = dot == name.npos ? name : name.substr(dot + 1);
  return std::all_of(last.begin(), last.end(), is_digit);
}

Result<std::string, NameError> to_a_labels(std::string_view text) {
  if (text.size() > 4 * kMaxNameBytes) return fail(NameError::kTooLong, "name is too long");
  char* output = nullptr;
  const std::string input(text);
  const int code = idn2_to_ascii_8z(input.c_str(), &output, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<char, void (*)(void*)> owned(output, idn2_free);
  if (code != IDN2_OK) {
    return fail(NameError::kIdn, std::string("not a valid IDN: ") + idn2_strerror(code));
  }
  return ascii_lower(std::string_view(owned.get()));
}

}  // namespace

char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

bool is_rfc5321_domain(std::string_view name) {
  return name.size() <= kMaxNameBytes && check_labels(name, false) == LabelError::kNone;
}

Result<DomainName, NameError> DomainName::parse(std::string_view text) {
  if (text.find('\0') != text.npos) return fail(NameError::kCharacter, "NUL in the name");
  std::string name;
  if (is_ascii(text)) {
    name = ascii_lower(text);
  } else {
    auto converted = to_a_labels(text);
    if (!converted.ok()) return converted.error();
    name = std::move(converted).value();
  }
  if (!name.empty() && name.back() == '.') name.pop_back();
  if (name.empty()) return fail(NameError::kEmpty, "empty name");
  if (name.size() > kMaxNameBytes) return fail(NameError::kTooLong, "name is over 253 bytes");
  switch (check_labels(name, true)) {
    case LabelError::kNone:
      break;
    case LabelError::kEmpty:
      return fail(NameError::kEmpty, "empty label");
    case LabelError::kTooLong:
      return fail(NameError::kTooLong, "label is over 63 bytes");
    case LabelError::kCharacter:
      return fail(NameError::kCharacter, "character that no host name has");
  }
  if (last_label_is_number(name)) return fail(NameError::kAddress, "an address, not a domain");
  return DomainName(std::move(name));
}

std::string DomainName::with_prefix(std::string_view prefix) const {
  if (prefix.size() + text_.size() > kMaxNameBytes) return {};
  return std::string(prefix) + text_;
}

}  // namespace strictmx::base
