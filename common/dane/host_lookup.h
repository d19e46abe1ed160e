// host_lookup.h - what DANE says of one host: its addresses, then its TLSA records (RFC 7672 §2.2).
//
// Use: look_up_host() with a callback.
// Ownership: borrows the resolver, which outlives the callback.
// Threads: the loop's thread; the callback never runs inside the call.
// Errors: none; a lookup that fails is a state of the host (kFailed, kBogus) with the reason.
// Limits: kMaxTlsaRecords, of kMaxTlsaTextBytes, are kept of an RRset; three names are asked for.
//
// The order of questions:
//   addresses: secure, an alias     TLSA at the end of the chain; if none, TLSA at the name itself
//              secure               TLSA at the name
//              insecure, an alias   CNAME at the name; if secure, TLSA at the name itself
//              insecure             end: TLSA is not asked for (§2.2.2)
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/dns/resolver.h"

namespace strictmx::dane {

// Owners publish two or four. The rest of a flood is not looked at.
inline constexpr std::size_t kMaxTlsaRecords = 64;
// Of their text; a whole certificate (matching type 0) has 2 to 4 KB.
inline constexpr std::size_t kMaxTlsaTextBytes = 16 * 1024;

enum class HostState {
  kUsable,     // secure TLSA, one at least usable: STARTTLS and a match are required
  kUnusable,   // secure TLSA, none usable: STARTTLS is required, the certificate not looked at
  kAbsent,     // secure answer that there is no TLSA
  kInsecure,   // addresses or TLSA are not signed: DANE does not apply
  kBogus,      // DNSSEC says that an answer is forged or broken: the host can't be used now
  kFailed,     // an answer can't be had: the host can't be used now (§2.1.2)
  kNoAddress,  // the host does not exist or has no address: nobody can deliver to it
};

std::string_view host_state_name(HostState state);

// Nothing can be said of the host, so mail must not go to it now.
constexpr bool is_unknown(HostState state) {
  return state == HostState::kBogus || state == HostState::kFailed;
}

struct HostDane {
  HostState state = HostState::kFailed;
  std::string base_domain;           // where the TLSA records are (§2.2.3), or empty
  std::vector<std::string> records;  // tlsa_text() of all of them, usable or not
  std::string reason;                // for kBogus, kFailed, kUnusable: in words
  std::chrono::seconds ttl{0};       // the least of all answers; 0 after a failure

  bool operator==(const HostDane&) const = default;
};

// `host` in lower case, as in the MX record.
void look_up_host(dns::Resolver& resolver, const std::string& host, std::uint16_t port,
                  std::function<void(HostDane)> callback);

}  // namespace strictmx::dane
