// txt_resolver.h - a Resolver for code that asks for TXT records alone: any other question is a
// mistake, and ends the test.
#pragma once

#include <cstdlib>
#include <string>

#include "common/dns/resolver.h"

namespace strictmx::fakes {

class TxtResolver : public dns::Resolver {
 public:
  void mx(const std::string&, dns::DnsCallback<dns::MxRecord>) override { std::abort(); }
  void addresses(const std::string&, dns::DnsCallback<base::IpAddress>) override { std::abort(); }
  void family(const std::string&, dns::AddressFamily, dns::DnsCallback<base::IpAddress>) override {
    std::abort();
  }
  void tlsa(const std::string&, dns::DnsCallback<dns::TlsaRecord>) override { std::abort(); }
  void cname(const std::string&, dns::DnsCallback<std::string>) override { std::abort(); }
};

}  // namespace strictmx::fakes
