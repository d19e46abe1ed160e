// mime_encoding.cc - see mime_encoding.h.
#include "common/reporting/mime_encoding.h"

#include <algorithm>

#include "common/base/base64.h"

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
  const std::string encoded = base::base64_encode(bytes);
  std::string out;
  out.reserve(encoded.size() + encoded.size() / kMaxColumns * kLineEnd.size() + 8);
  for (std::size_t at = 0; at < encoded.size(); at += kMaxColumns) {
    out.append(encoded, at, kMaxColumns);
    out += kLineEnd;
  }
  return out;
}

}  // namespace strictmx::reporting
