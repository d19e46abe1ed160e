// policy_fetch.h - one HTTPS fetch of a domain's policy (RFC 8461 §3.3).
//
// Use: fetch() with a callback. No retries and no caching here: policy_resolver decides those.
// Ownership: borrows resolver and client; callbacks under way when they go are never called.
// Threads: the loop's thread; the callback never runs inside fetch().
// Addresses: IPv4 first; IPv6 where there is no IPv4, or none that takes a connection.
// Errors: a FetchFault, with the reason in words.
#pragma once

#include <functional>
#include <string>

#include "common/base/domain_name.h"
#include "common/base/result.h"
#include "common/dns/resolver.h"
#include "common/http/client.h"
#include "common/mta_sts/policy.h"
#include "common/tlsrpt/result_type.h"

namespace strictmx::mta_sts {

// What a report says of a fetch that failed (RFC 8460 §4.3.2.2). The reason for others names
// nothing of this site's network; it is empty where the lack is our own and no concern of the
// domain's.
struct FetchFault {
  tlsrpt::ResultType type;
  std::string told_reason;
};
using FetchResult = base::Result<Policy, FetchFault>;
using FetchCallback = std::function<void(FetchResult)>;

class PolicyFetcher {
 public:
  PolicyFetcher(dns::Resolver& resolver, http::Client& client)
      : resolver_(resolver), client_(client) {}

  void fetch(const base::DomainName& policy_domain, FetchCallback callback);

 private:
  dns::Resolver& resolver_;
  http::Client& client_;
};

// What an HTTPS answer means: the policy, or why there is none. Pure.
FetchResult policy_from_response(const http::HttpResult& result);

}  // namespace strictmx::mta_sts
