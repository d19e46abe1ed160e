// tlsa.h - what a TLSA record means for SMTP (RFC 6698 §2.1, RFC 7671, RFC 7672 §3.1).
//
// Use: tlsa_use() on each record of a secure RRset; tlsa_text() for reports and for people.
// Threads: pure. Errors: TlsaUse names why a record can't be used.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/dns/resolver.h"

namespace strictmx::dane {

enum class TlsaUse {
  kUsable,
  kUsage,         // 0 and 1 are undefined for SMTP (RFC 7672 §3.1.3), above 3 nothing is assigned
  kSelector,      // neither 0 (certificate) nor 1 (public key)
  kMatchingType,  // neither 0 (whole), 1 (SHA2-256) nor 2 (SHA2-512)
  kData,          // a digest of another length, or no DER where the whole is published
};

TlsaUse tlsa_use(const dns::TlsaRecord& record);
std::string_view tlsa_use_name(TlsaUse use);

// "3 1 1 0123abcd...": usage, selector, matching type and data in hexadecimal (RFC 8460 §4.5).
std::string tlsa_text(const dns::TlsaRecord& record);

// "_25._tcp.mx.example.com" (RFC 7672 §2.2.3).
std::string tlsa_name(std::uint16_t port, std::string_view base_domain);

}  // namespace strictmx::dane
