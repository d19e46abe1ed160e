// mail_submission.h - hands one mail to the local mail server: by its program sendmail, or by SMTP.
//
// Use: submit_mail() on a worker thread; it blocks until the mail is taken or is not.
// Threads: any but the loop's. SIGPIPE must be ignored.
// Trust: the server is the operator's own, so over SMTP its certificate is not checked; TLS is used
//   where it is offered. No credentials, no proxy, no .netrc. Both addresses must be plain
//   (base/mail_address.h) and not begin with a dash; they are checked here once more, and nothing
//   goes through a shell.
// Errors: SubmissionError; the detail has the server's own words, printable and cut. kRefused is an
//   address that can't be: no reply and no exit status is, because it is this site's own server
//   that speaks, and its settings get repaired.
// Limits: settings.timeout for the whole; the end of an SMTP connection (QUIT) may take as long
// once
//   more. The word to stop is heeded within about a second.
// Known gaps: a process that gave up new privileges for good (base::become_user()) can't use a
//   sendmail that is setuid or setgid for its queue, as Postfix's postdrop is: there SMTP is the
//   way.
#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "common/base/result.h"
#include "common/reporting/submission_error.h"

namespace strictmx::reporting {

struct OutgoingMail {
  std::string from;
  std::string to;
  std::string text;  // the whole message, lines ended by CRLF
};

struct MailSettings {
  std::string sendmail;     // the program's path; used when smtp_server is empty
  std::string smtp_server;  // "HOST:PORT", an IPv6 address in brackets
  std::chrono::seconds timeout{60};
};

base::Outcome<SubmissionError> submit_mail(const MailSettings& settings, const OutgoingMail& mail,
                                           const std::atomic<bool>& is_stopping);

}  // namespace strictmx::reporting
