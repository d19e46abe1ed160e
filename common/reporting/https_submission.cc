// https_submission.cc - see https_submission.h.
#include "common/reporting/https_submission.h"

#include <utility>
#include <vector>

namespace strictmx::reporting {
namespace {

using base::done;
using base::fail;
using base::Outcome;

constexpr const char* kMediaType = "application/tlsrpt+gzip";  // RFC 8460 §5.4, §6.4
constexpr int kGone = 410;  // RFC 9110 §15.5.11: likely permanent

using Addresses = base::Result<std::vector<base::IpAddress>, SubmissionError>;

Addresses usable_addresses(const std::string& host, const dns::DnsResult<base::IpAddress>& found,
                           bool allows_private) {
  if (!found.ok()) {
    const bool is_timeout = found.error().code == dns::DnsError::kTimeout;
    return fail(is_timeout ? SubmissionError::kTimeout : SubmissionError::kTemporary,
                host + ": " + found.error().detail);
  }
  if (found.value().records.empty()) {
    return fail(SubmissionError::kTemporary, host + ": no address in DNS");
  }
  std::vector<base::IpAddress> usable;
  for (const base::IpAddress& address : found.value().records) {
    if (usable.size() == kMaxTargetAddresses) break;
    if (allows_private || address.is_public()) usable.push_back(address);
  }
  if (usable.empty()) {
    return fail(SubmissionError::kRefused,
                host + " has no public address, but " + found.value().records.front().text());
  }
  return usable;
}

Outcome<SubmissionError> outcome_of(const std::string& host, const http::HttpResult& result) {
  if (!result.ok()) {
    const std::string detail = host + ": " + result.error().detail;
    switch (result.error().code) {
      case http::HttpError::kTimeout:
        return fail(SubmissionError::kTimeout, detail);
      case http::HttpError::kSystem:
        return fail(SubmissionError::kSystem, detail);
      case http::HttpError::kConnect:
      case http::HttpError::kCertificate:
      case http::HttpError::kTls:
      case http::HttpError::kTooLarge:
      case http::HttpError::kProtocol:
        return fail(SubmissionError::kTemporary, detail);
    }
  }
  const int status = result.value().status;
  if (status >= 200 && status < 300) return done();
  const bool is_redirect = status >= 300 && status < 400;
  return fail(status == kGone ? SubmissionError::kRefused : SubmissionError::kTemporary,
              host + ": HTTP status " + std::to_string(status) +
                  (is_redirect ? ", redirects are not followed" : ""));
}

}  // namespace

HttpsSubmission::HttpsSubmission(dns::Resolver& resolver, http::Client& client, bool allows_private)
    : resolver_(resolver), client_(client), allows_private_(allows_private) {}
HttpsSubmission::~HttpsSubmission() { *is_alive_ = false; }

void HttpsSubmission::submit(const ReportTarget& target, std::shared_ptr<const std::string> gzip,
                             SubmissionCallback callback) {
  resolver_.addresses(
      target.host,
      [this, alive = is_alive_, target, gzip = std::move(gzip), callback = std::move(callback),
       allows_private = allows_private_](const dns::DnsResult<base::IpAddress>& found) {
        if (!*alive) return;
        auto addresses = usable_addresses(target.host, found, allows_private);
        if (!addresses.ok()) return callback(addresses.error());
        http::HttpRequest request{target.host, target.path, std::move(addresses).value()};
        request.port = target.port;
        request.method = http::HttpMethod::kPost;
        request.content_type = kMediaType;
        request.body = gzip;
        client_.send(std::move(request),
                     [alive, callback, host = target.host](const http::HttpResult& result) {
                       if (*alive) callback(outcome_of(host, result));
                     });
      });
}

}  // namespace strictmx::reporting
