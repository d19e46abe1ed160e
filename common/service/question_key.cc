// question_key.cc - see question_key.h.
#include "common/service/question_key.h"

#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "common/base/ip_address.h"

namespace strictmx::service {
namespace {

constexpr std::size_t kMaxServiceName = 32;

// A number, or a name of services(5) as Postfix takes it.
std::optional<std::uint16_t> read_port(std::string_view text) {
  std::uint16_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && number != 0) {
    return number;
  }
  const bool is_name = !text.empty() && text.size() <= kMaxServiceName &&
                       std::all_of(text.begin(), text.end(), [](char c) {
                         return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                                (c >= 'A' && c <= 'Z') || c == '-';
                       });
  if (!is_name) return std::nullopt;
  // Reads a small file; only for next hops that somebody wrote into a configuration by name.
  const servent* service = getservbyname(std::string(text).c_str(), "tcp");
  if (service == nullptr) return std::nullopt;
  return ntohs(static_cast<std::uint16_t>(service->s_port));
}

}  // namespace

std::optional<dane::NextHop> read_question_key(std::string_view key) {
  // RFC 8461 §3.4: a parent's policy never holds for a subdomain.
  if (key.empty() || key.front() == '.') return std::nullopt;
  bool is_bracketed = false;
  std::optional<std::uint16_t> port = dane::kSmtpPort;
  if (key.front() == '[') {
    const std::size_t close = key.find(']');
    if (close == key.npos) return std::nullopt;
    const std::string_view rest = key.substr(close + 1);
    if (!rest.empty()) port = rest.front() == ':' ? read_port(rest.substr(1)) : std::nullopt;
    key = key.substr(1, close - 1);
    is_bracketed = true;
  } else if (base::IpAddress::parse(key).has_value()) {
    return std::nullopt;
  } else if (const std::size_t colon = key.rfind(':'); colon != key.npos) {
    port = read_port(key.substr(colon + 1));
    key = key.substr(0, colon);
  }
  if (!port.has_value()) return std::nullopt;
  // Address literals have no policy (§3.4); DomainName refuses IPv4, IPv6 has colons.
  auto domain = base::DomainName::parse(key);
  if (!domain.ok()) return std::nullopt;
  return dane::NextHop{std::move(domain).value(), is_bracketed, *port};
}

}  // namespace strictmx::service
