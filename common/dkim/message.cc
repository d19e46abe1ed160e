// message.cc - see message.h.
#include "common/dkim/message.h"

#include <algorithm>
#include <optional>
#include <string>

#include "common/base/domain_name.h"
#include "common/base/log.h"

namespace strictmx::dkim {
namespace {

using base::fail;

constexpr std::string_view kWhiteSpace = " \t";  // RFC 5234 WSP
constexpr std::size_t kMaxShownBytes = 40;       // of a peer's text in a failure

bool starts_with_white_space(std::string_view line) {
  return line.starts_with(' ') || line.starts_with('\t');
}

// RFC 5322 §2.2: printable US-ASCII without ":", then the ":". White space before it is the
// obsolete form of §4.5.8, which RFC 6376 §3.4.2 knows as well.
std::optional<std::string_view> field_name(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view before = line.substr(0, colon);
  const std::string_view name = before.substr(0, before.find_last_not_of(kWhiteSpace) + 1);
  const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(),
                                                    [](char c) { return c > ' ' && c <= '~'; });
  return is_name ? std::optional(name) : std::nullopt;
}

// One line of `bytes` from `at`, its end included.
std::string_view line_at(std::string_view bytes, std::size_t at) {
  const std::size_t line_feed = bytes.find('\n', at);
  return bytes.substr(at, line_feed == std::string_view::npos ? line_feed : line_feed - at + 1);
}

std::string_view without_line_end(std::string_view line) {
  if (!line.ends_with('\n')) return line;
  line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

bool is_same_name(std::string_view one, std::string_view other) {
  return one.size() == other.size() &&
         std::equal(one.begin(), one.end(), other.begin(),
                    [](char a, char b) { return base::ascii_lower(a) == base::ascii_lower(b); });
}

base::Result<Message, MessageError> split_message(std::string_view bytes) {
  if (bytes.size() > kMaxMessageBytes) {
    return fail(MessageError::kTooLarge,
                "message is over " + std::to_string(kMaxMessageBytes) + " bytes");
  }
  Message message;
  std::size_t at = 0;
  if (bytes.starts_with("From ") && !field_name(without_line_end(line_at(bytes, 0)))) {
    at = line_at(bytes, 0).size();
  }
  const std::size_t header_start = at;
  std::size_t field_start = at;
  while (at < bytes.size()) {
    const std::string_view whole = line_at(bytes, at);
    const std::string_view line = without_line_end(whole);
    if (at + whole.size() - header_start > kMaxHeaderBytes) {
      return fail(MessageError::kTooLarge,
                  "header is over " + std::to_string(kMaxHeaderBytes) + " bytes");
    }
    at += whole.size();
    if (line.empty()) {
      message.body = bytes.substr(at);
      break;
    }
    if (starts_with_white_space(line) && !message.fields.empty()) {
      message.fields.back().text =
          bytes.substr(field_start, at - field_start - (whole.size() - line.size()));
      continue;
    }
    const auto name = field_name(line);
    if (!name.has_value()) {
      std::string detail = "no header field: ";
      base::append_log_value(detail, line, kMaxShownBytes);
      return fail(MessageError::kSyntax, std::move(detail));
    }
    if (message.fields.size() == kMaxHeaderFields) {
      return fail(MessageError::kTooLarge,
                  "more than " + std::to_string(kMaxHeaderFields) + " header fields");
    }
    field_start = at - whole.size();
    message.fields.push_back({*name, line});
  }
  return message;
}

}  // namespace strictmx::dkim
