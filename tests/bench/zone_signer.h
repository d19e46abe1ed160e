// zone_signer.h - signs the benchmark's zone as it is asked about (RFC 4034, RFC 6605).
//
// One key for all, ECDSA P-256. Each signature is made once and then kept, so that a prepared zone
// costs its server next to nothing. Absence is told by an NSEC record at the asked name itself,
// whose next name is the first one below it: true, and the same work for who validates.
// Errors: end the program through die().
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dns_message.h"
#include "tls_handles.h"

namespace strictmx::bench {

struct RecordSet {
  std::string owner;  // lower-case, without the final dot
  DnsType type;
  std::uint32_t ttl;
  std::vector<std::uint8_t> data;  // of its one record, names uncompressed (RFC 4034 §6.2)
};

class ZoneSigner {
 public:
  // `zone`: without dots.
  explicit ZoneSigner(std::string zone);

  // The data of a DNSKEY record, and as a line that a validator takes for its trust anchor.
  std::vector<std::uint8_t> key_data() const;
  std::string anchor() const;

  // The data of the RRSIG record over it.
  const std::vector<std::uint8_t>& signature_data(const RecordSet& records);

 private:
  std::uint16_t key_tag() const;
  std::vector<std::uint8_t> sign(std::span<const std::uint8_t> bytes) const;

  const std::string zone_;
  TlsHandle<EVP_PKEY> key_;
  std::unordered_map<std::string, std::vector<std::uint8_t>> signatures_;
};

// The data of an NSEC record that says: `owner` has these types and no others.
std::vector<std::uint8_t> nsec_data(std::string_view owner, std::span<const DnsType> types);

}  // namespace strictmx::bench
