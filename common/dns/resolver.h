// resolver.h - DNS questions, asked and answered on the event loop.
//
// Use: txt(), mx(), addresses(), family(), tlsa() or cname() with a callback. "Nothing there" is an
// answer with no records. Ownership: the resolver outlives every callback; callbacks under way when
// it is destroyed are never called. Threads: the loop's thread only. A callback never runs inside
// the call that asked. Units: ttl in seconds, already counted down by caches on the way. Errors:
// DnsError with the reason in words. Limits: a deadline on each question (dns.timeout).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/result.h"

namespace strictmx::dns {

enum class DnsError {
  kTimeout,        // no answer before the deadline
  kServerFailure,  // SERVFAIL, REFUSED and other rcodes, or no server reachable
  kBogus,          // DNSSEC says that the answer is forged or broken
  kMalformed,      // the answer can't be read
  kName,           // the name can't be asked for
};

// Names for logs and metrics.
const char* dns_error_name(DnsError error);

template <class R>
struct DnsAnswer {
  std::vector<R> records;       // empty: the name or the type does not exist
  std::chrono::seconds ttl{0};  // of the records (the least), or of their absence (RFC 2308 §5)
  bool name_exists = true;      // false: NXDOMAIN
  bool is_secure = false;       // DNSSEC validated, every CNAME on the way included
  // Where the chain of CNAMEs ends, in lower case; empty when the name is no alias.
  std::string alias_target{};
};

struct MxRecord {
  unsigned preference = 0;
  std::string host;  // lower-case, no final dot; empty for the null MX (RFC 7505)
  bool operator==(const MxRecord&) const = default;
};

// RFC 6698 §2.1, as it came: dane/tlsa.h says what can be used.
struct TlsaRecord {
  std::uint8_t usage = 0;
  std::uint8_t selector = 0;
  std::uint8_t matching_type = 0;
  std::string data;  // bytes
  bool operator==(const TlsaRecord&) const = default;
};

enum class AddressFamily { kIpv4, kIpv6 };

template <class R>
using DnsResult = base::Result<DnsAnswer<R>, DnsError>;
template <class R>
using DnsCallback = std::function<void(DnsResult<R>)>;

class Resolver {
 public:
  virtual ~Resolver() = default;

  // CNAMEs are followed. Each text is one record, its character-strings joined (RFC 8461 §3.1).
  virtual void txt(const std::string& name, DnsCallback<std::string> callback) = 0;
  // In preference order; equal preferences in the order of the answer.
  virtual void mx(const std::string& name, DnsCallback<MxRecord> callback) = 0;
  // A and AAAA together; an error when one of them fails and the other has no records.
  virtual void addresses(const std::string& name, DnsCallback<base::IpAddress> callback) = 0;
  // A or AAAA alone.
  virtual void family(const std::string& name, AddressFamily family,
                      DnsCallback<base::IpAddress> callback) = 0;
  virtual void tlsa(const std::string& name, DnsCallback<TlsaRecord> callback) = 0;
  // The first CNAME at the name itself, not followed: is the alias secure where its target is not?
  virtual void cname(const std::string& name, DnsCallback<std::string> callback) = 0;
};

}  // namespace strictmx::dns
