// report_mail.cc - see report_mail.h.
#include "common/reporting/report_mail.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <utility>

#include "common/base/mail_address.h"
#include "common/reporting/mime_encoding.h"
#include "common/reporting/report_names.h"
#include "common/reporting/report_text.h"

namespace strictmx::reporting {
namespace {

using base::fail;

// RFC 5322 §3.3; day and month names are English in every locale.
std::string mail_date(base::WallTime time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} +0000", parts);
}

// RFC 2045 §6.7: "=_" is in no quoted-printable text, and "_" in no base64.
std::string boundary_of(const ReportNames& names) { return "=_strictmx_" + names.unique_digits; }

std::vector<HeaderField> header_of(const MailParts& parts, const ReportNames& names) {
  // Each recipient's mail is a message of its own, and needs its own Message-ID (RFC 5322 §3.6.4).
  const std::string message_id =
      fmt::format("<{}.{}@{}>", names.id_left, digits_of(parts.to), names.submitter);
  const std::string& domain = parts.policy_domain.text();
  return {
      {"From", std::string(parts.from)},
      {"To", std::string(parts.to)},
      {"Date", mail_date(parts.date)},
      {"Subject", fmt::format("Report Domain: {}\r\n Submitter: {}\r\n Report-ID: <{}>", domain,
                              names.submitter, names.report_id)},
      {"Message-ID", message_id},
      {"TLS-Report-Domain", domain},
      {"TLS-Report-Submitter", names.submitter},
      // RFC 8689 §3, RFC 8460 §5.3.1: the report must arrive where TLS fails.
      {"TLS-Required", "No"},
      {"Auto-Submitted", "auto-generated"},  // RFC 3834 §5: nobody answers
      {"MIME-Version", "1.0"},
      {"Content-Type", fmt::format("multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"{}\"",
                                   boundary_of(names))},
  };
}

std::string body_of(const MailParts& parts, const ReportNames& names) {
  const std::string boundary = boundary_of(names);
  std::string body = fmt::format(
      "--{}\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n"
      "\r\n",
      boundary);
  body += quoted_printable(report_text(parts.report, parts.policy_domain));
  body += fmt::format(
      "\r\n--{0}\r\n"
      "Content-Type: application/tlsrpt+gzip;\r\n"
      " name=\"{1}\"\r\n"
      "Content-Transfer-Encoding: base64\r\n"
      "Content-Disposition: attachment;\r\n"
      " filename=\"{1}\"\r\n"
      "\r\n",
      boundary, names.file_name);
  body += base64(parts.json_gzip);
  body += fmt::format("\r\n--{}--\r\n", boundary);
  return body;
}

}  // namespace

base::Result<ReportMail, MailProblem> make_report_mail(const MailParts& parts) {
  if (!base::domain_of_mail_address(parts.from).has_value()) {
    return fail(MailProblem::kFrom, "the sender is no plain mail address");
  }
  if (!base::domain_of_mail_address(parts.to).has_value()) {
    return fail(MailProblem::kTo, "the recipient is no plain mail address");
  }
  const auto names = report_names(parts.report, parts.policy_domain);
  if (!names.ok()) return fail(MailProblem::kReport, names.error().detail);
  return ReportMail{header_of(parts, names.value()), body_of(parts, names.value())};
}

}  // namespace strictmx::reporting
