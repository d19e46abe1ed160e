// report_sender.h - hands one report to one recipient: by mail, by HTTPS, or into a folder.
//
// Use: the Reporter calls send() for each recipient and attempt; the callback comes once.
// Ownership: SubmittingSender borrows the pools and both HttpsSubmissions; callbacks under way when
// it is destroyed are never called.
// Threads: the loop's thread; callbacks run on it, never inside send(). Mails are put together,
// signed and handed over in the mailers' threads, files written by the writers: a mail server that
// hangs holds up nothing but mail.
// Limits: a mail server that did not answer in time is left alone for kMailPause; mails whose turn
// comes meanwhile fail at once, and are tried again later.
// Errors: SubmissionError with words.
// Mail: TLS failures must not keep a report from its reader (RFC 8460 §5.3.1): the mail server is
// told by TLS-Required: No, and takes it from there.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/domain_name.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/worker_pool.h"
#include "common/dkim/signer.h"
#include "common/reporting/https_submission.h"
#include "common/reporting/mail_submission.h"
#include "common/reporting/report_rows.h"

namespace strictmx::reporting {

struct Delivery {
  base::DomainName domain;  // whose policy the report is about
  std::string uri;          // as report_target.h normalises it, or "file:/FOLDER"
  Origin origin = Origin::kRecord;
  base::WallTime created{};                  // the Date of its mail
  std::shared_ptr<const std::string> bytes;  // the report in gzip
};

class ReportSender {
 public:
  using Callback = std::function<void(const base::Outcome<SubmissionError>&)>;
  virtual ~ReportSender() = default;
  virtual void send(const Delivery& delivery, const Callback& callback) = 0;
};

// From whom mails come.
struct MailAuthor {
  std::string from;                            // a plain mail address
  std::shared_ptr<const dkim::Signer> signer;  // null: the mail server signs
};

// The whole mail to a mailbox, the same bytes each time. Pure.
base::Result<std::string, SubmissionError> compose_mail(const MailAuthor& author,
                                                        const Delivery& delivery,
                                                        const std::string& mailbox);

// Writes the report as FOLDER/<file name of RFC 8460 §5.1>: at once whole, or not at all. A name
// that no file can have is cut to its last part.
base::Outcome<SubmissionError> write_to_folder(const std::string& folder, const Delivery& delivery);

inline constexpr std::chrono::seconds kMailPause{60};

class SubmittingSender : public ReportSender {
 public:
  struct Settings {
    MailAuthor author;
    MailSettings mail;
  };

  // `asked` sends where records point, `own` where the operator's rules do.
  SubmittingSender(base::EventLoop& loop, base::WorkerPool& mailers, base::WorkerPool& writers,
                   HttpsSubmission& asked, HttpsSubmission& own)
      : loop_(loop), mailers_(mailers), writers_(writers), asked_(asked), own_(own) {}
  ~SubmittingSender() override;
  SubmittingSender(const SubmittingSender&) = delete;
  SubmittingSender& operator=(const SubmittingSender&) = delete;

  void set_settings(Settings settings);
  // Ends what runs in the pool: those attempts fail with kStopped.
  void stop() { common_->is_stopping = true; }
  void send(const Delivery& delivery, const Callback& callback) override;

 private:
  // Outlives the sender in work that still runs.
  struct Common {
    std::atomic<bool> is_stopping = false;
    std::atomic<base::SteadyTime> paused_until = base::SteadyTime();
  };

  static base::Outcome<SubmissionError> submit(const Settings& settings, const Delivery& delivery,
                                               const std::string& mailbox, Common& common);
  void run(base::WorkerPool& pool, std::function<base::Outcome<SubmissionError>()> work,
           const Callback& callback);

  base::EventLoop& loop_;
  base::WorkerPool& mailers_;
  base::WorkerPool& writers_;
  HttpsSubmission& asked_;
  HttpsSubmission& own_;
  std::shared_ptr<const Settings> settings_ = std::make_shared<Settings>();
  std::shared_ptr<Common> common_ = std::make_shared<Common>();
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace strictmx::reporting
