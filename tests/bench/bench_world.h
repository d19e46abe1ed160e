// bench_world.h - the small world that the benchmark measures: its domains, addresses, policies.
//
// Domain N is dN.test, with an MTA-STS policy in mode enforce and two mx patterns; noneN.test has
// mail exchangers and no policy. Each has one MX host, and where the zone is signed that has TLSA.
// DNS server, policy host and clients must agree on these facts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace strictmx::bench {

inline constexpr std::string_view kPolicyHostLabel = "mta-sts.";
inline constexpr std::string_view kZone = ".test";
inline constexpr std::string_view kZoneName = kZone.substr(1);

enum class DomainKind { kWithPolicy, kWithout };

std::string domain_name(DomainKind kind, unsigned number);

// The number in "dN.test", in any letter case.
std::optional<unsigned> number_of_domain(std::string_view name);

// "mta-sts.dN.test".
std::string policy_host(unsigned number);

// About 100 bytes (RFC 8461 §3.2), as most published policies.
std::string policy_text(unsigned number);

// What a socketmap server says to Postfix about domain N. The order of the patterns carries no
// meaning, and one of the peers keeps them in a set; so both orders are right.
struct ExpectedAnswers {
  std::string file_order;
  std::string other_order;
};
ExpectedAnswers expected_answers(unsigned number);

// Address of domain N's policy host, in host byte order: spread over 127.1.0.0/16 and above, so
// that no two domains of a run share one, as in the real world.
std::uint32_t policy_host_address(unsigned number);

}  // namespace strictmx::bench
