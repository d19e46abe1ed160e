// printable.cc - see printable.h.
#include "common/base/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace strictmx::base {
namespace {

bool is_harmless(char32_t c) {
  if (c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD) return false;
  const bool is_formatting = (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
                             (c >= 0x2060 && c <= 0x206F) || c == 0x061C || c == 0xFEFF ||
                             (c >= 0xFFF0 && c <= 0xFFFB) || c >= 0xE0000;
  return !is_formatting;
}

// Appends the first code point or byte of the text as it may be shown; returns its bytes.
std::size_t append_first(std::string& out, std::string_view text) {
  const CodePoint point = first_code_point(text);
  const std::size_t bytes = std::max<std::size_t>(point.bytes, 1);
  if (point.bytes > 0 && is_harmless(point.value)) {
    out.append(text.substr(0, bytes));
    return bytes;
  }
  for (const char c : text.substr(0, bytes)) {
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
  }
  return bytes;
}

}  // namespace

CodePoint first_code_point(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  char32_t value = first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return {};
    value = (value << 6) | (byte(i) & 0x3Fu);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kLeast[length] || value > 0x10FFFF || is_surrogate) return {};
  return {value, length};
}

std::string shown(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) text.remove_prefix(append_first(out, text));
  return out;
}

std::string shown(std::string_view text, std::size_t max_bytes) {
  std::string out;
  while (!text.empty()) {
    const std::size_t before = out.size();
    text.remove_prefix(append_first(out, text));
    if (out.size() <= max_bytes) continue;
    out.resize(before);
    return out + "...";
  }
  return out;
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace strictmx::base
