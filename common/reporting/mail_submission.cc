// mail_submission.cc - see mail_submission.h.
#include "common/reporting/mail_submission.h"

#include <fmt/format.h>
#include <sysexits.h>

#include <optional>
#include <string_view>
#include <utility>

#include "common/base/child_process.h"
#include "common/base/mail_address.h"
#include "common/base/printable.h"
#include "common/reporting/smtp_submission.h"

namespace strictmx::reporting {
namespace {

using base::done;
using base::fail;
using base::Failure;
using base::Outcome;

std::optional<Failure<SubmissionError>> address_problem(const OutgoingMail& mail) {
  for (const std::string* address : {&mail.from, &mail.to}) {
    if (address->starts_with('-') || !base::domain_of_mail_address(*address).has_value()) {
      return fail(SubmissionError::kRefused,
                  "'" + base::shown(*address, kMaxReplyBytes) + "' is not one plain mail address");
    }
  }
  return std::nullopt;
}

// sendmail takes text as programs here write it.
std::string with_local_line_ends(std::string_view text) {
  std::string local;
  local.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.substr(at, 2) == "\r\n") ++at;
    local += text[at];
  }
  return local;
}

SubmissionError error_of(base::ChildError error) {
  switch (error) {
    case base::ChildError::kTimeout:
      return SubmissionError::kTimeout;
    case base::ChildError::kStopped:
      return SubmissionError::kStopped;
    case base::ChildError::kSignal:
      return SubmissionError::kTemporary;
    case base::ChildError::kStart:
    case base::ChildError::kSystem:
      return SubmissionError::kSystem;
  }
  return SubmissionError::kSystem;
}

Outcome<SubmissionError> submit_by_program(const MailSettings& settings, const OutgoingMail& mail,
                                           const std::atomic<bool>& is_stopping) {
  const base::ChildCommand command{{settings.sendmail, "-i", "-f", mail.from, "--", mail.to},
                                   with_local_line_ends(mail.text),
                                   settings.timeout};
  const auto end = base::run_child(command, is_stopping);
  if (!end.ok()) return fail(error_of(end.error().code), end.error().detail);
  if (end.value().status == EX_OK) return done();
  const std::string& said = end.value().errors.empty() ? end.value().output : end.value().errors;
  std::string detail = fmt::format("{}: exit status {}", settings.sendmail, end.value().status);
  if (!said.empty()) detail += ": " + shown_reply(said);
  // Whatever the status: it is this site's own program, and its settings get repaired.
  return fail(SubmissionError::kTemporary, std::move(detail));
}

}  // namespace

Outcome<SubmissionError> submit_mail(const MailSettings& settings, const OutgoingMail& mail,
                                     const std::atomic<bool>& is_stopping) {
  if (auto problem = address_problem(mail)) return *problem;
  if (settings.smtp_server.empty()) return submit_by_program(settings, mail, is_stopping);
  return submit_by_smtp(settings, mail, is_stopping);
}

}  // namespace strictmx::reporting
