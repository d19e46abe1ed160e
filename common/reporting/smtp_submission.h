// smtp_submission.h - one mail over SMTP to the mail server of this site, for mail_submission.cc.
//
// Use: submit_mail() of mail_submission.h calls it, which says what holds here too. Threads: any
// but the loop's. Errors: kSystem also where libcurl.so.4 can't be loaded.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/reporting/mail_submission.h"

namespace strictmx::reporting {

// A line of the server's, or what sendmail says: enough to know what is wrong.
inline constexpr std::size_t kMaxReplyBytes = 300;

// Without its line end, printable and cut.
std::string shown_reply(std::string_view text);

base::Outcome<SubmissionError> submit_by_smtp(const MailSettings& settings,
                                              const OutgoingMail& mail,
                                              const std::atomic<bool>& is_stopping);

}  // namespace strictmx::reporting
