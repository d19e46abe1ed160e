// ip_address.cc - see ip_address.h.
#include "common/base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace strictmx::base {

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  IpAddress address;
  if (inet_pton(AF_INET, buffer, address.bytes_.data()) == 1) return address;
  if (inet_pton(AF_INET6, buffer, address.bytes_.data()) != 1) return std::nullopt;
  address.is_ipv6_ = true;
  return address;
}

std::optional<IpAddress> IpAddress::from_bytes(std::span<const std::uint8_t> bytes) {
  IpAddress address;
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  address.is_ipv6_ = bytes.size() == 16;
  return address;
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = "";
  inet_ntop(is_ipv6_ ? AF_INET6 : AF_INET, bytes_.data(), buffer, sizeof buffer);
  return buffer;
}

}  // namespace strictmx::base
