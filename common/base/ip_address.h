// ip_address.h - an IPv4 or IPv6 address as a value.
//
// Use: IpAddress::parse("192.0.2.1"). Text is what inet_ntop gives. is_public() before connecting
// to an address that others chose. Threads: a value. Errors: parse() gives no value for anything
// but one plain address.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace strictmx::base {

// As connect() takes it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

class IpAddress {
 public:
  static std::optional<IpAddress> parse(std::string_view text);
  // 4 or 16 bytes in network order, as in the data of A and AAAA records.
  static std::optional<IpAddress> from_bytes(std::span<const std::uint8_t> bytes);

  bool is_ipv6() const { return is_ipv6_; }
  // False for what IANA's special-purpose registries (RFC 6890) keep from the public Internet, and
  // for multicast: loopback, private, link-local, documentation... Forms of IPv6 that carry an IPv4
  // address are never public, but NAT64's well-known prefix (RFC 6052), where the one inside
  // decides.
  bool is_public() const;
  std::string text() const;
  SocketAddress socket_address(std::uint16_t port) const;
  bool operator==(const IpAddress&) const = default;

 private:
  IpAddress() = default;

  std::array<std::uint8_t, 16> bytes_{};
  bool is_ipv6_ = false;
};

}  // namespace strictmx::base
