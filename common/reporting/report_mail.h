// report_mail.h - the mail that carries a report (RFC 8460 §5.3), ready to be signed and sent.
//
// Use: make_report_mail(); sign header and body with DKIM, TLS-Report-Domain and
//   TLS-Report-Submitter among what is signed (§5.3); join them with an empty line between.
// Ownership: the input is borrowed for the call, the mail is a value. Threads: pure; equal input
//   gives equal bytes, so that a repeated delivery is the same mail.
// Format: header values as they stand behind "Name: ", folded by CRLF and a blank; a body of lines
//   ended by CRLF. 7-bit ASCII throughout.
// Errors: MailProblem; nothing of a report, however hostile, can add a header field or a MIME part:
//   a header holds only checked addresses, names and numbers, the text part is quoted-printable,
//   and the boundary has characters that neither part's encoding gives.
// Known gaps: not signed, not sent; one recipient a mail.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/domain_name.h"
#include "common/base/result.h"
#include "common/tlsrpt/report.h"

namespace strictmx::reporting {

struct HeaderField {
  std::string name;
  std::string value;
  bool operator==(const HeaderField&) const = default;
};

struct ReportMail {
  std::vector<HeaderField> header;
  std::string body;
};

enum class MailProblem {
  kFrom,    // no plain address
  kTo,      // no plain address
  kReport,  // its contact-info or range can't be named (report_names.h)
};

struct MailParts {
  const tlsrpt::Report& report;
  const base::DomainName& policy_domain;
  std::string_view json_gzip;  // the report as gzip() gave it
  std::string_view from;
  std::string_view to;
  base::WallTime date{};  // kept by the caller, so that a repetition is the same mail
};

base::Result<ReportMail, MailProblem> make_report_mail(const MailParts& parts);

}  // namespace strictmx::reporting
