// question_key.cc - see question_key.h.
#include "common/service/question_key.h"

#include <algorithm>

#include "common/base/ip_address.h"

namespace strictmx::service {
namespace {

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '-';  // a number or a service name
  });
}

}  // namespace

std::optional<QuestionKey> read_question_key(std::string_view key) {
  // RFC 8461 §3.4: a parent's policy never holds for a subdomain.
  if (key.empty() || key.front() == '.') return std::nullopt;
  bool is_bracketed = false;
  if (key.front() == '[') {
    const std::size_t close = key.find(']');
    if (close == key.npos) return std::nullopt;
    const std::string_view rest = key.substr(close + 1);
    if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) return std::nullopt;
    key = key.substr(1, close - 1);
    is_bracketed = true;
  } else if (base::IpAddress::parse(key).has_value()) {
    return std::nullopt;
  } else if (const std::size_t colon = key.rfind(':'); colon != key.npos) {
    if (!is_port(key.substr(colon + 1))) return std::nullopt;
    key = key.substr(0, colon);
  }
  // Address literals have no policy (§3.4); DomainName refuses IPv4, IPv6 has colons.
  auto domain = base::DomainName::parse(key);
  if (!domain.ok()) return std::nullopt;
  return QuestionKey{std::move(domain).value(), is_bracketed};
}

}  // namespace strictmx::service
