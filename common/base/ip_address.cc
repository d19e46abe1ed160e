// ip_address.cc - see ip_address.h.
#include "common/base/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace strictmx::base {
namespace {

struct Prefix {
  std::array<std::uint8_t, 16> bytes;  // an IPv4 prefix fills the first four
  unsigned bits;
};

// IANA IPv4 Special-Purpose Address Registry, and multicast (RFC 5771). Blocks with a few public
// addresses for protocols inside (192.0.0.0/24) are here as a whole: no server has one of those.
constexpr Prefix kSpecialIpv4[] = {
    {{0}, 8},              // "this network" (RFC 791), 0.0.0.0 is our own host
    {{10}, 8},             // private (RFC 1918)
    {{100, 64}, 10},       // shared, behind a carrier's NAT (RFC 6598)
    {{127}, 8},            // loopback
    {{169, 254}, 16},      // link-local (RFC 3927), metadata of clouds
    {{172, 16}, 12},       // private
    {{192, 0, 0}, 24},     // IETF protocols (RFC 6890)
    {{192, 0, 2}, 24},     // documentation (RFC 5737)
    {{192, 88, 99}, 24},   // 6to4 relays, withdrawn (RFC 7526)
    {{192, 168}, 16},      // private
    {{198, 18}, 15},       // benchmarking (RFC 2544)
    {{198, 51, 100}, 24},  // documentation
    {{203, 0, 113}, 24},   // documentation
    {{224}, 4},            // multicast
    {{240}, 4},            // reserved (RFC 1112), limited broadcast
};

// What is assigned of IPv6 lies in here (RFC 4291 §2.4); outside are loopback, mapped and
// compatible addresses, link-local, unique-local (RFC 4193), multicast, discard (RFC 6666), SRv6
// (RFC 9602)...
constexpr Prefix kGlobalUnicast = {{0x20}, 3};

// IANA IPv6 Special-Purpose Address Registry, what of it lies in global unicast.
constexpr Prefix kSpecialIpv6[] = {
    {{0x20, 0x01}, 23},              // IETF protocols (RFC 2928): Teredo, benchmarking, ORCHID
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation (RFC 3849)
    {{0x20, 0x02}, 16},              // 6to4 (RFC 3056)
    {{0x3f, 0xff, 0x00}, 20},        // documentation (RFC 9637)
};

constexpr Prefix kNat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};  // RFC 6052 §2.1

bool is_in(const std::array<std::uint8_t, 16>& address, const Prefix& prefix) {
  const unsigned whole = prefix.bits / 8;
  const auto mask = static_cast<std::uint8_t>(0xFF00U >> (prefix.bits % 8));
  return std::equal(address.begin(), address.begin() + whole, prefix.bytes.begin()) &&
         (mask == 0 || ((address[whole] ^ prefix.bytes[whole]) & mask) == 0);
}

bool is_in_any(const std::array<std::uint8_t, 16>& address, std::span<const Prefix> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const Prefix& prefix) { return is_in(address, prefix); });
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  text.copy(buffer, text.size());
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

bool IpAddress::is_public() const {
  if (!is_ipv6_) return !is_in_any(bytes_, kSpecialIpv4);
  if (is_in(bytes_, kNat64)) return from_bytes(std::span(bytes_).last(4))->is_public();
  return is_in(bytes_, kGlobalUnicast) && !is_in_any(bytes_, kSpecialIpv6);
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = "";
  inet_ntop(is_ipv6_ ? AF_INET6 : AF_INET, bytes_.data(), buffer, sizeof buffer);
  return buffer;
}

SocketAddress IpAddress::socket_address(std::uint16_t port) const {
  SocketAddress address;
  if (is_ipv6_) {
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(port);
    std::memcpy(&ipv6.sin6_addr, bytes_.data(), sizeof ipv6.sin6_addr);
    std::memcpy(&address.storage, &ipv6, sizeof ipv6);
    address.length = sizeof ipv6;
  } else {
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(port);
    std::memcpy(&ipv4.sin_addr, bytes_.data(), sizeof ipv4.sin_addr);
    std::memcpy(&address.storage, &ipv4, sizeof ipv4);
    address.length = sizeof ipv4;
  }
  return address;
}

}  // namespace strictmx::base
