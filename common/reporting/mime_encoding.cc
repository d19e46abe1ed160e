// mime_encoding.cc - see mime_encoding.h.
#include "common/reporting/mime_encoding.h"

#include <algorithm>
#include <cstdint>

namespace strictmx::reporting {
namespace {

constexpr std::size_t kMaxColumns = 76;  // RFC 2045 §6.7 (5), §6.8
constexpr std::string_view kLineEnd = "\r\n";

void append_encoded(std::string& line, char c) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  line += '=';
  line += kHex[byte >> 4];
  line += kHex[byte & 15];
}

// RFC 2045 §6.7 (2, 3): printable ASCII stands for itself; white space not at the end of a line.
bool is_literal(char c, bool is_last) {
  if (c == ' ' || c == '\t') return !is_last;
  return c > ' ' && c <= '~' && c != '=';
}

}  // namespace

std::string quoted_printable(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::size_t column = 0;
    for (std::size_t i = 0; i < end; ++i) {
      std::string encoded(1, text[i]);
      if (!is_literal(text[i], i + 1 == end)) {
        encoded.clear();
        append_encoded(encoded, text[i]);
      }
      // The last one of a line may fill it; any other leaves room for the soft line break's "=".
      const std::size_t room = i + 1 == end ? kMaxColumns : kMaxColumns - 1;
      if (column + encoded.size() > room) {
        out.append("=").append(kLineEnd);
        column = 0;
      }
      out += encoded;
      column += encoded.size();
    }
    out += kLineEnd;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr std::size_t kLineBytes = kMaxColumns / 4 * 3;
  std::string out;
  out.reserve(bytes.size() / 3 * 4 + bytes.size() / kLineBytes * kLineEnd.size() + 8);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = (bits << 8) | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += i <= group.size() ? kAlphabet[(bits >> (18 - 6 * i)) & 63] : '=';
    }
    if ((at + 3) % kLineBytes == 0 || at + 3 >= bytes.size()) out += kLineEnd;
  }
  return out;
}

}  // namespace strictmx::reporting
