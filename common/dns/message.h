// message.h - reads the records of one DNS message (RFC 1035 §4).
//
// Use: read_message(bytes, type). Takes every record of the asked type in the answer section: the
// resolver has put exactly the CNAME chain and its end there.
// Threads: pure. Errors: no value for a message that can't be read to its end.
// Limits: kMaxMessageRecords a message; further ones are an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "common/dns/resolver.h"

namespace strictmx::dns {

inline constexpr std::size_t kMaxMessageRecords = 1024;

enum class RecordType : int {
  kA = 1,
  kCname = 5,
  kSoa = 6,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kTlsa = 52,
};

struct Message {
  int rcode = 0;
  std::uint32_t ttl = 0;  // least of the answer section, or of the SOA (RFC 2308 §5)
  bool has_soa = false;
  std::vector<std::string> texts;
  std::vector<MxRecord> mx;
  std::vector<base::IpAddress> addresses;
  std::vector<TlsaRecord> tlsa;
  std::vector<std::string> cnames;  // when CNAME was asked for
  std::string alias_target;         // where the chain of CNAMEs from the asked name ends, or empty

  bool has_records() const;
};

std::optional<Message> read_message(std::span<const std::uint8_t> bytes, RecordType type);

}  // namespace strictmx::dns
