// proxy.h - the HTTP proxy of https.proxy: its address, and the words of CONNECT (RFC 9110 §9.3.6).
//
// Use: parse_proxy() once, then connect_request() for each tunnel. Threads: pure.
// Errors: SetupError::kProxy with what can't be used.
// Limits: an IP address only; to resolve a name here would block, or need DNS before DNS. No
// credentials.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/ip_address.h"
#include "common/base/result.h"
#include "common/http/https_settings.h"

namespace strictmx::http {

// Proxies answer with a status line and a handful of headers.
inline constexpr std::size_t kMaxTunnelAnswerBytes = 8 * 1024;

struct Proxy {
  base::IpAddress address;
  std::uint16_t port = 0;
};

base::Result<Proxy, SetupError> parse_proxy(std::string_view text);

// The proxy gets the name, so that its rules and its own DNS apply.
std::string connect_request(const std::string& host, std::uint16_t port);

}  // namespace strictmx::http
