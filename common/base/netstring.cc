// netstring.cc - see netstring.h.
#include "common/base/netstring.h"

#include <charconv>

namespace strictmx::base {

Netstring parse_netstring(std::string_view input, std::size_t max_payload) {
  std::size_t length = 0;
  std::size_t at = 0;
  for (; at < input.size() && input[at] != ':'; ++at) {
    const char digit = input[at];
    if (digit < '0' || digit > '9') return {NetstringState::kMalformed, {}};
    if (at > 0 && length == 0) return {NetstringState::kMalformed, {}};  // leading zero
    length = length * 10 + static_cast<std::size_t>(digit - '0');
    if (length > max_payload) return {NetstringState::kTooLong, {}};
  }
  if (at == input.size()) return {NetstringState::kIncomplete, {}};
  if (at == 0) return {NetstringState::kMalformed, {}};  // no length at all
  const std::size_t start = at + 1;
  if (input.size() - start < length + 1) return {NetstringState::kIncomplete, {}};
  if (input[start + length] != ',') return {NetstringState::kMalformed, {}};
  return {NetstringState::kComplete, input.substr(start, length), start + length + 1};
}

void append_netstring(std::string& out, std::string_view payload) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, payload.size()).ptr;
  out.append(digits, end);
  out.push_back(':');
  out.append(payload);
  out.push_back(',');
}

}  // namespace strictmx::base
