// smtp_submission.cc - see smtp_submission.h. The only user of libcurl.
//
// It is loaded when the first mail is to leave. Linked in, it and the some thirty libraries behind
// it take a daemon's memory from its start on, as much as all the rest, also where no report is
// ever sent by SMTP.
#include "common/reporting/smtp_submission.h"

#include <curl/curl.h>
#include <dlfcn.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/printable.h"

namespace strictmx::reporting {
namespace {

using base::done;
using base::fail;
using base::Failure;
using base::Outcome;

constexpr const char* kName = "libcurl.so.4";  // of 7.85 or later, for its options

// libcurl's own functions.
struct CurlLibrary {
  decltype(&curl_global_init) global_init = nullptr;
  decltype(&curl_easy_init) easy_init = nullptr;
  decltype(&curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&curl_easy_perform) easy_perform = nullptr;
  decltype(&::curl_easy_setopt) easy_setopt = nullptr;
  decltype(&::curl_easy_getinfo) easy_getinfo = nullptr;
  decltype(&curl_easy_strerror) easy_strerror = nullptr;
  decltype(&curl_slist_append) slist_append = nullptr;
  decltype(&curl_slist_free_all) slist_free_all = nullptr;
};

struct Loaded {
  CurlLibrary library;
  std::string problem;

  Loaded() {
    handle_ = dlopen(kName, RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) note();
    if (!problem.empty()) return;
    find("curl_global_init", library.global_init);
    find("curl_easy_init", library.easy_init);
    find("curl_easy_cleanup", library.easy_cleanup);
    find("curl_easy_perform", library.easy_perform);
    find("curl_easy_setopt", library.easy_setopt);
    find("curl_easy_getinfo", library.easy_getinfo);
    find("curl_easy_strerror", library.easy_strerror);
    find("curl_slist_append", library.slist_append);
    find("curl_slist_free_all", library.slist_free_all);
    if (!problem.empty()) return;
    if (library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) problem = "libcurl does not start";
  }

 private:
  template <class Function>
  void find(const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(handle_, name));
    if (function == nullptr) note();
  }
  void note() {
    const char* reason = dlerror();
    problem = std::string(reason == nullptr ? kName : reason) + " (Debian package libcurl4)";
  }

  void* handle_ = nullptr;
};

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
    // The path is what we greet with: this host's own name may have no dot, which servers refuse.
    const std::string name = mail_.from.substr(mail_.from.rfind('@') + 1);
    set(CURLOPT_URL, ("smtp://" + settings_.smtp_server + "/" + name).c_str());
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
    // A 5xx too is the site's own server speaking, of its own settings as often as of the reader:
    // it gets repaired within the day, or the attempts end. Of the last reply but that to QUIT,
    // which libcurl sends after a failure (RFC 5321 §4.2.1).
    long code = 0;
    curl_.easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &code);
    const bool has_words = code >= 400 && refusal_.starts_with(std::to_string(code));
    return fail(SubmissionError::kTemporary,
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

std::string shown_reply(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return base::shown(text, kMaxReplyBytes);
}

Outcome<SubmissionError> submit_by_smtp(const MailSettings& settings, const OutgoingMail& mail,
                                        const std::atomic<bool>& is_stopping) {
  static const Loaded curl;
  if (!curl.problem.empty()) return fail(SubmissionError::kSystem, curl.problem);
  return SmtpTransaction(curl.library, settings, mail, is_stopping).perform();
}

}  // namespace strictmx::reporting
