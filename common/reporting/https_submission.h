// https_submission.h - POSTs a report to a target of the kind kHttps (RFC 8460 §5.4).
//
// Use: submit() a target and the report as gzip() gave it; the callback comes once.
// Ownership: borrows resolver and client. Destroyed with submissions under way it calls nobody.
// Threads: the loop's thread; a callback never runs inside submit(), and must not destroy this.
// Trust: whoever published the record chose the host, so it is connected to only by addresses that
//   are public, unless private ones are allowed. Its certificate must be valid (§3 and §7 would let
//   us ignore that): a report tells who mails whom.
// Errors: success is a 2xx status and nothing else; redirects are not followed. kRefused: status
//   410, or no public address. All else gets repaired, perhaps within the day: kTemporary,
//   kTimeout.
// Limits: kMaxTargetAddresses; time and size as the client has them.
// Known gaps: behind a proxy (https.proxy) the proxy resolves the name once more, and its own rules
//   say where it may lead.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/dns/resolver.h"
#include "common/http/client.h"
#include "common/reporting/report_target.h"
#include "common/reporting/submission_error.h"

namespace strictmx::reporting {

// Of one host that are tried, one after another; a name with hundreds gets no more of our time.
inline constexpr std::size_t kMaxTargetAddresses = 8;

using SubmissionCallback = std::function<void(base::Outcome<SubmissionError>)>;

class HttpsSubmission {
 public:
  HttpsSubmission(dns::Resolver& resolver, http::Client& client, bool allows_private);
  ~HttpsSubmission();
  HttpsSubmission(const HttpsSubmission&) = delete;
  HttpsSubmission& operator=(const HttpsSubmission&) = delete;

  // Holds for submissions from now on.
  void set_allows_private(bool allows_private) { allows_private_ = allows_private; }

  void submit(const ReportTarget& target, std::shared_ptr<const std::string> gzip,
              SubmissionCallback callback);

 private:
  dns::Resolver& resolver_;
  http::Client& client_;
  bool allows_private_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace strictmx::reporting
