// policy_fetch.cc - see policy_fetch.h.
#include "common/mta_sts/policy_fetch.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace strictmx::mta_sts {
namespace {

using base::fail;
using tlsrpt::ResultType;

constexpr const char* kPolicyHostPrefix = "mta-sts.";            // §3.3
constexpr const char* kPolicyPath = "/.well-known/mta-sts.txt";  // §3.2
// Addresses of one policy host that are tried, of each family; a name with hundreds gets no more of
// our time.
constexpr std::size_t kMaxAddresses = 4;

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

// Almost every policy host can be reached by IPv4, so AAAA is a second question that comes only
// where it is needed:
//   A -> GET -> done
//     no A, or an error -> AAAA -> GET -> done
//         no connection -> AAAA -> GET -> done, or without AAAA the first failure
class Fetch : public std::enable_shared_from_this<Fetch> {
 public:
  Fetch(dns::Resolver& resolver, http::Client& client, std::string host, FetchCallback callback)
      : resolver_(resolver),
        client_(client),
        host_(std::move(host)),
        callback_(std::move(callback)) {}

  void start() {
    resolver_.family(
        host_, AddressFamily::kIpv4,
        [self = shared_from_this()](const AddressResult& found) { self->on_ipv4(found); });
  }

 private:
  using AddressFamily = dns::AddressFamily;
  using AddressResult = dns::DnsResult<base::IpAddress>;

  void on_ipv4(const AddressResult& found) {
    if (found.ok() && !found.value().records.empty()) {
      return get(found.value().records, [this](const http::HttpResult& result) {
        if (result.ok() || result.error().code != http::HttpError::kConnect) {
          return callback_(policy_from_response(result));
        }
        failure_ = policy_from_response(result).error();
        ask_ipv6();
      });
    }
    failure_ = fault(ResultType::kStsPolicyFetchError, host_ + ": no address in DNS");
    if (!found.ok()) note_dns_failure(found);
    // Who was silent once would be so again, for as long, and somebody waits.
    const bool is_hopeless =
        found.ok() ? !found.value().name_exists : found.error().code == dns::DnsError::kTimeout;
    if (is_hopeless) return callback_(failure_);
    ask_ipv6();
  }

  void ask_ipv6() {
    resolver_.family(
        host_, AddressFamily::kIpv6,
        [self = shared_from_this()](const AddressResult& found) { self->on_ipv6(found); });
  }

  void on_ipv6(const AddressResult& found) {
    if (found.ok() && !found.value().records.empty()) {
      return get(found.value().records, [this](const http::HttpResult& result) {
        callback_(policy_from_response(result));
      });
    }
    if (!found.ok() && !has_tried_) note_dns_failure(found);
    callback_(failure_);
  }

  // The client tries the addresses one after another, in this order.
  void get(std::vector<base::IpAddress> addresses,
           std::function<void(const http::HttpResult&)> on_answer) {
    if (addresses.size() > kMaxAddresses) addresses.resize(kMaxAddresses, addresses.front());
    has_tried_ = true;
    client_.send({host_, kPolicyPath, std::move(addresses)},
                 [self = shared_from_this(), on_answer = std::move(on_answer)](
                     const http::HttpResult& result) { on_answer(result); });
  }

  void note_dns_failure(const AddressResult& found) { failure_ = dns_fault(host_, found.error()); }

  dns::Resolver& resolver_;
  http::Client& client_;
  const std::string host_;
  const FetchCallback callback_;
  base::Failure<FetchFault> failure_{};  // what to tell if the other family has no address
  bool has_tried_ = false;
};

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
  std::make_shared<Fetch>(resolver_, client_, policy_domain.with_prefix(kPolicyHostPrefix),
                          std::move(callback))
      ->start();
}

}  // namespace strictmx::mta_sts
