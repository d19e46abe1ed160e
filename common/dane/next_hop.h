// next_hop.h - where a mail server is about to deliver: the name of a policy domain or of a smart
// host, and the port.
//
// Use: service/question_key.h reads one from a mail server's lookup key. Threads: a value.
// Source: RFC 8461 §3.4 (a smart host's own name is the policy domain), RFC 7672 §2.2.2 (a host
// named in the configuration needs no MX record and counts as trusted).
#pragma once

#include <cstdint>
#include <string>

#include "common/base/domain_name.h"

namespace strictmx::dane {

inline constexpr std::uint16_t kSmtpPort = 25;

struct NextHop {
  base::DomainName domain;
  bool is_bracketed = false;  // "[host]": no MX lookup, the host is its own only MX
  std::uint16_t port = kSmtpPort;

  // Of a recipient's domain, the usual case: no brackets, port 25.
  bool is_plain() const { return !is_bracketed && port == kSmtpPort; }
  // "example.com", "[relay.example.com]:587": one text for one next hop.
  std::string text() const;

  bool operator==(const NextHop&) const = default;
};

}  // namespace strictmx::dane
