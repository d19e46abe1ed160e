// dns_message.h - just enough of the DNS wire format (RFC 1035 §4) for the benchmark's two ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strictmx::bench {

enum class DnsType : std::uint16_t {
  kA = 1,
  kSoa = 6,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kOpt = 41,
  kRrsig = 46,
  kNsec = 47,
  kDnskey = 48,
  kTlsa = 52,
};

inline constexpr std::size_t kDnsHeaderBytes = 12;

std::uint16_t read_u16(std::span<const std::uint8_t> bytes, std::size_t at);
void append_u16(std::vector<std::uint8_t>& out, std::uint16_t value);
void append_u32(std::vector<std::uint8_t>& out, std::uint32_t value);
// Uncompressed, with the root label.
void append_name(std::vector<std::uint8_t>& out, std::string_view name);

enum class Signatures { kNotWanted, kWanted };

// A recursive query with an EDNS record, as a stub resolver sends it.
void build_query(std::vector<std::uint8_t>& out, std::uint16_t id, std::string_view name,
                 DnsType type, Signatures signatures = Signatures::kNotWanted);

struct Question {
  std::string name;  // Letter case as sent, without the final dot.
  std::uint16_t type = 0;
  std::size_t end = 0;  // Offset of the first byte after the question.
  bool has_edns = false;
  bool wants_signatures = false;  // DO (RFC 3225)
};

// False for anything but one question without compression.
bool read_question(std::span<const std::uint8_t> message, Question& question);

}  // namespace strictmx::bench
