// proxy.cc - see proxy.h.
#include "common/http/proxy.h"

#include <charconv>
#include <optional>

namespace strictmx::http {
namespace {

using base::fail;

constexpr std::string_view kScheme = "http://";

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end || port == 0) return std::nullopt;
  return port;
}

}  // namespace

base::Result<Proxy, SetupError> parse_proxy(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return fail(SetupError::kProxy, std::string(text) + ": " + std::string(why) +
                                        " (http://192.0.2.1:3128 or http://[2001:db8::1]:3128)");
  };
  if (!text.starts_with(kScheme)) return refuse("does not begin with http://");
  std::string_view place = text.substr(kScheme.size());
  if (place.ends_with('/')) place.remove_suffix(1);
  if (place.find('@') != std::string_view::npos) {  // not shown: a password would be in the log
    return fail(SetupError::kProxy, "user names and passwords are not supported");
  }
  const std::size_t colon = place.rfind(':');
  if (colon == std::string_view::npos) return refuse("has no port");
  const auto port = parse_port(place.substr(colon + 1));
  std::string_view host = place.substr(0, colon);
  const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  const auto address = base::IpAddress::parse(host);
  if (address.has_value() && address->is_ipv6() != is_bracketed) {
    return refuse("only an IPv6 address stands in brackets, and it must");
  }
  if (!address.has_value()) return refuse("the host must be an IP address, names are not resolved");
  if (!port.has_value()) return refuse("the port is no number from 1 to 65535");
  return Proxy{*address, *port};
}

std::string connect_request(const std::string& host, std::uint16_t port) {
  const std::string authority = host + ":" + std::to_string(port);
  return "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n";
}

}  // namespace strictmx::http
