// policy_fetch.cc - see policy_fetch.h.
#include "common/mta_sts/policy_fetch.h"

#include <utility>

namespace strictmx::mta_sts {
namespace {

using base::fail;
using tlsrpt::ResultType;

constexpr const char* kPolicyHostPrefix = "mta-sts.";            // §3.3
constexpr const char* kPolicyPath = "/.well-known/mta-sts.txt";  // §3.2
// Addresses of one policy host that are tried; a name with hundreds gets no more of our time.
constexpr std::size_t kMaxAddresses = 8;

// §3.2: the media type should be text/plain; parameters are ignored, also charset.
bool is_text_plain(std::string_view content_type) {
  const std::size_t end = content_type.find_first_of("; \t");
  return base::ascii_lower(content_type.substr(0, end)) == "text/plain";
}

ResultType result_type_of(http::HttpError error) {
  switch (error) {
    case http::HttpError::kCertificate:
    case http::HttpError::kTls:
      return ResultType::kStsWebpkiInvalid;
    case http::HttpError::kTimeout:
    case http::HttpError::kConnect:
    case http::HttpError::kTooLarge:
    case http::HttpError::kProtocol:
    case http::HttpError::kSystem:
      return ResultType::kStsPolicyFetchError;
  }
  return ResultType::kStsPolicyFetchError;
}

// What the domain's owner may read as it is.
base::Failure<FetchFault> fault(ResultType type, const std::string& reason) {
  return fail(FetchFault{type, reason}, reason);
}

// The resolver's words may name our own name servers.
base::Failure<FetchFault> dns_fault(const std::string& host,
                                    const base::Failure<dns::DnsError>& failure) {
  return fail(FetchFault{ResultType::kStsPolicyFetchError,
                         host + ": DNS: " + dns::dns_error_name(failure.code)},
              host + ": " + failure.detail);
}

base::Failure<FetchFault> http_fault(const base::Failure<http::HttpError>& failure) {
  const bool is_own_lack = failure.code == http::HttpError::kSystem;
  return fail(FetchFault{result_type_of(failure.code), is_own_lack ? "" : failure.detail},
              failure.detail);
}

}  // namespace

FetchResult policy_from_response(const http::HttpResult& result) {
  if (!result.ok()) return http_fault(result.error());
  const http::HttpResponse& response = result.value();
  // §3.3: only 200; redirects are not followed.
  if (response.status != 200) {
    return fault(ResultType::kStsPolicyFetchError,
                 "HTTP status " + std::to_string(response.status) + ", only 200 counts");
  }
  if (!is_text_plain(response.content_type)) {
    return fault(ResultType::kStsPolicyFetchError,
                 "media type is not text/plain but " +
                     (response.content_type.empty() ? "missing" : response.content_type));
  }
  auto policy = parse_policy(response.body);
  if (!policy.ok()) return fault(ResultType::kStsPolicyInvalid, policy.error().detail);
  return std::move(policy).value();
}

void PolicyFetcher::fetch(const base::DomainName& policy_domain, FetchCallback callback) {
  const std::string host = policy_domain.with_prefix(kPolicyHostPrefix);
  resolver_.addresses(host, [this, host, callback = std::move(callback)](
                                const dns::DnsResult<base::IpAddress>& found) {
    if (!found.ok()) {
      callback(dns_fault(host, found.error()));
      return;
    }
    std::vector<base::IpAddress> addresses = found.value().records;
    if (addresses.empty()) {
      callback(fault(ResultType::kStsPolicyFetchError, host + ": no address in DNS"));
      return;
    }
    // The client tries them one after another, in this order.
    if (addresses.size() > kMaxAddresses) addresses.resize(kMaxAddresses, addresses.front());
    client_.send(
        {host, kPolicyPath, std::move(addresses)},
        [callback](const http::HttpResult& result) { callback(policy_from_response(result)); });
  });
}

}  // namespace strictmx::mta_sts
