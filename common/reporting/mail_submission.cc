// mail_submission.cc - see mail_submission.h. The only user of libcurl, for SMTP.
#include "common/reporting/mail_submission.h"

#include <fmt/format.h>
#include <sysexits.h>

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/child_process.h"
#include "common/base/mail_address.h"
#include "common/base/printable.h"
#include "common/reporting/curl_library.h"

namespace strictmx::reporting {
namespace {

using base::done;
using base::fail;
using base::Failure;
using base::Outcome;

// A line of the server's, or what sendmail says: enough to know what is wrong.
constexpr std::size_t kMaxReplyBytes = 300;

std::string shown_reply(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return base::shown(text, kMaxReplyBytes);
}

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

// sysexits.h: what this mail or its addresses are to blame for stays as it is; the rest is the
// state of a server, which gets repaired.
SubmissionError error_of_exit(int status) {
  switch (status) {
    case EX_USAGE:
    case EX_DATAERR:
    case EX_NOUSER:
    case EX_NOHOST:
      return SubmissionError::kRefused;
    default:
      return SubmissionError::kTemporary;
  }
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
  return fail(error_of_exit(end.value().status), std::move(detail));
}

// One transaction by SMTP. Its callbacks are called inside perform() and by the clean-up.
class SmtpTransaction {
 public:
  SmtpTransaction(const CurlLibrary& curl, const MailSettings& settings, const OutgoingMail& mail,
                  const std::atomic<bool>& is_stopping)
      : curl_(curl),
        settings_(settings),
        mail_(mail),
        unsent_(mail.text),
        is_stopping_(is_stopping),
        recipients_(curl.slist_append(nullptr, mail.to.c_str()), curl.slist_free_all),
        easy_(curl.easy_init(), curl.easy_cleanup) {}

  Outcome<SubmissionError> perform() {
    if (easy_ == nullptr || recipients_ == nullptr) {
      return fail(SubmissionError::kSystem, "libcurl: out of memory");
    }
    const CURLcode refused = set_options();
    if (refused != CURLE_OK) {
      return fail(SubmissionError::kSystem,
                  std::string("libcurl refuses an option: ") + curl_.easy_strerror(refused));
    }
    const CURLcode result = curl_.easy_perform(easy_.get());
    if (result == CURLE_OK) return done();
    return failure(result);
  }

 private:
  template <class T>
  void set(CURLoption option, T value) {
    const CURLcode result = curl_.easy_setopt(easy_.get(), option, value);
    if (refused_ == CURLE_OK) refused_ = result;
  }

  CURLcode set_options() {
    const auto timeout = static_cast<long>(
        std::chrono::duration_cast<std::chrono::milliseconds>(settings_.timeout).count());
    set(CURLOPT_PROTOCOLS_STR, "smtp");
    // Without a path, libcurl greets with the name of this host.
    set(CURLOPT_URL, ("smtp://" + settings_.smtp_server).c_str());
    set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    set(CURLOPT_PROXY, "");  // the environment is not asked
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT_MS, timeout);
    set(CURLOPT_CONNECTTIMEOUT_MS, timeout);
    // For QUIT, which the timeout of the whole does not cover.
    set(CURLOPT_SERVER_RESPONSE_TIMEOUT, static_cast<long>(settings_.timeout.count()));
    set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_TRY));
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
    set(CURLOPT_MAIL_FROM, mail_.from.c_str());
    set(CURLOPT_MAIL_RCPT, recipients_.get());
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(mail_.text.size()));
    set(CURLOPT_READFUNCTION, &SmtpTransaction::give_text);
    set(CURLOPT_READDATA, static_cast<void*>(this));
    set(CURLOPT_HEADERFUNCTION, &SmtpTransaction::take_reply_line);
    set(CURLOPT_HEADERDATA, static_cast<void*>(this));
    set(CURLOPT_WRITEFUNCTION, &SmtpTransaction::drop_text);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &SmtpTransaction::ask_to_stop);
    set(CURLOPT_XFERINFODATA, static_cast<void*>(this));
    set(CURLOPT_ERRORBUFFER, reason_.data());
    return refused_;
  }

  Failure<SubmissionError> failure(CURLcode result) const {
    if (is_stopping_) return fail(SubmissionError::kStopped, settings_.smtp_server + ": stopped");
    const std::string words =
        *reason_.data() != '\0' ? reason_.data() : curl_.easy_strerror(result);
    if (result == CURLE_OPERATION_TIMEDOUT) {
      return fail(SubmissionError::kTimeout,
                  settings_.smtp_server + ": " + base::shown(words, kMaxReplyBytes));
    }
    // Of the last reply but that to QUIT, which libcurl sends after a failure (RFC 5321 §4.2.1).
    long code = 0;
    curl_.easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &code);
    const bool has_words = code >= 400 && refusal_.starts_with(std::to_string(code));
    return fail(code >= 500 ? SubmissionError::kRefused : SubmissionError::kTemporary,
                settings_.smtp_server + ": " +
                    (has_words ? shown_reply(refusal_) : base::shown(words, kMaxReplyBytes)));
  }

  static std::size_t give_text(char* buffer, std::size_t size, std::size_t count, void* self) {
    std::string_view& unsent = static_cast<SmtpTransaction*>(self)->unsent_;
    const std::size_t given = unsent.copy(buffer, size * count);
    unsent.remove_prefix(given);
    return given;
  }

  // The last line is kept: with several, all have the same code (RFC 5321 §4.2.1).
  static std::size_t take_reply_line(char* line, std::size_t size, std::size_t count, void* self) {
    const std::string_view reply(line, size * count);
    if (reply.starts_with('4') || reply.starts_with('5')) {
      static_cast<SmtpTransaction*>(self)->refusal_ = reply.substr(0, kMaxReplyBytes + 1);
    }
    return size * count;
  }

  static std::size_t drop_text(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
  }

  static int ask_to_stop(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<SmtpTransaction*>(self)->is_stopping_ ? 1 : 0;
  }

  const CurlLibrary& curl_;
  const MailSettings& settings_;
  const OutgoingMail& mail_;
  std::string_view unsent_;
  const std::atomic<bool>& is_stopping_;
  std::string refusal_;  // the last line of a reply 4xx or 5xx
  std::array<char, CURL_ERROR_SIZE> reason_{};
  CURLcode refused_ = CURLE_OK;
  std::unique_ptr<curl_slist, decltype(CurlLibrary::slist_free_all)> recipients_;
  std::unique_ptr<CURL, decltype(CurlLibrary::easy_cleanup)>
      easy_;  // last: it goes first, and may still call back
};

}  // namespace

Outcome<SubmissionError> submit_mail(const MailSettings& settings, const OutgoingMail& mail,
                                     const std::atomic<bool>& is_stopping) {
  if (auto problem = address_problem(mail)) return *problem;
  if (settings.smtp_server.empty()) return submit_by_program(settings, mail, is_stopping);
  std::string problem;
  const CurlLibrary* curl = CurlLibrary::load(problem);
  if (curl == nullptr) return fail(SubmissionError::kSystem, problem);
  return SmtpTransaction(*curl, settings, mail, is_stopping).perform();
}

}  // namespace strictmx::reporting
