// json_members.h - writes JSON piece by piece into one string: the members of objects, in I-JSON
// (RFC 7493). Internal to tlsrpt.
//
// Use: a Members for each object; its brace is closed when it goes.
// Ownership: borrows the string. Threads: a value. Errors: none; what a text may not have becomes
// U+FFFD.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ip_address.h"
#include "common/tlsrpt/report.h"

namespace strictmx::tlsrpt {

// The text without what I-JSON forbids or a reader may stumble over (what is not UTF-8,
// noncharacters, NUL): that becomes U+FFFD. Cut before the code point that does not fit.
std::string allowed_text(std::string_view text, std::size_t max_bytes);

// In quotes, with escapes.
void append_text(std::string& out, std::string_view text);

// The members of one object, commas between them. Names are ours and need no escape.
class Members {
 public:
  explicit Members(std::string& out) : out_(out) { out_ += '{'; }
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;
  ~Members() { out_ += '}'; }

  std::string& name(std::string_view name) {
    if (!is_first_) out_ += ',';
    is_first_ = false;
    return out_.append("\"").append(name).append("\":");
  }
  void text(std::string_view name, std::string_view value) { append_text(this->name(name), value); }
  void text_if_any(std::string_view name, std::string_view value) {
    if (!value.empty()) text(name, value);
  }
  void address_if_any(std::string_view name, const std::optional<base::IpAddress>& value) {
    if (value.has_value()) text(name, value->text());  // RFC 5952
  }
  void count(std::string_view name, std::uint64_t value) {
    this->name(name) += std::to_string(std::min(value, kMaxCount));
  }
  template <class T, class Append>
  void list(std::string_view name, const std::vector<T>& items, Append append) {
    this->name(name) += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ',';
      append(out_, items[i]);
    }
    out_ += ']';
  }
  template <class T, class Append>
  void list_if_any(std::string_view name, const std::vector<T>& items, Append append) {
    if (!items.empty()) list(name, items, append);
  }
  void texts_if_any(std::string_view name, const std::vector<std::string>& texts) {
    list_if_any(name, texts, append_text);
  }

 private:
  std::string& out_;
  bool is_first_ = true;
};

}  // namespace strictmx::tlsrpt
