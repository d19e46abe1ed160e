// json_members.cc - see json_members.h.
#include "common/tlsrpt/json_members.h"

#include <fmt/format.h>

#include <iterator>

#include "common/base/printable.h"

namespace strictmx::tlsrpt {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// RFC 7493 §2.1 allows no noncharacters; NUL ends the text for too many readers.
bool is_allowed(const base::CodePoint& point) {
  if (point.bytes == 0 || point.value == 0) return false;
  const bool is_noncharacter =
      (point.value >= 0xFDD0 && point.value <= 0xFDEF) || (point.value & 0xFFFE) == 0xFFFE;
  return !is_noncharacter;
}

}  // namespace

std::string allowed_text(std::string_view text, std::size_t max_bytes) {
  std::string out;
  while (!text.empty()) {
    const base::CodePoint point = base::first_code_point(text);
    const std::string_view bytes = text.substr(0, std::max<std::size_t>(point.bytes, 1));
    const std::string_view told = is_allowed(point) ? bytes : kReplacement;
    if (out.size() + told.size() > max_bytes) break;
    out += told;
    text.remove_prefix(bytes.size());
  }
  return out;
}

void append_text(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const base::CodePoint point = base::first_code_point(text);
    const std::string_view bytes = text.substr(0, std::max<std::size_t>(point.bytes, 1));
    if (!is_allowed(point)) {
      out += kReplacement;
    } else if (point.value == '"' || point.value == '\\') {
      out.append("\\").append(bytes);
    } else if (point.value < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(point.value));
    } else {
      out += bytes;
    }
    text.remove_prefix(bytes.size());
  }
  out += '"';
}

}  // namespace strictmx::tlsrpt
