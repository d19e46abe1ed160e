// reports.h - reports in the daemon: who sends them, with which key, by which way.
//
// Use: create() once user and store are what they stay; start() once the results of an earlier run
// are stored, apply() with the settings of a reload, stop() at the end.
// Ownership: borrows loop, database, clock and resolver.
// Threads: the loop's thread; worker threads of its own build, sign and submit.
// Errors: ReportsError at a reload: a key that can't be used, roots that can't be read; the old
// settings stay. At the start reports are then off, with an error in the log: questions of mail
// servers must be answered. While an organisation, a contact or a sender is missing reports are off
// too, and one log line says so.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/worker_pool.h"
#include "common/http/https_settings.h"
#include "common/reporting/reporter.h"
#include "common/service/metrics_text.h"
#include "plugins/strictmxd/network.h"

namespace strictmx::daemon {

// Pure computation: as many as there are cores, of which the loop and the database want theirs.
inline constexpr std::size_t kBuilderThreads = 2;
// Each waits for a mail server, which may take its time, or for the disk: 10,000 reports into a
// folder, each synced, took 3.5 s with eight and 5.6 to 7.2 s with four.
inline constexpr std::size_t kMailThreads = 8;
inline constexpr std::size_t kWriterThreads = 8;
inline constexpr std::size_t kMaxQueuedFiles =
    reporting::kMaxUnderWay * 2 * reporting::kMaxRuleUris;
inline constexpr std::size_t kMaxQueuedMails =
    reporting::kMaxUnderWay * (32 + 2 * reporting::kMaxRuleUris);

struct ReportSettings {
  reporting::ReporterSettings reporter;
  std::string from;
  std::vector<std::pair<std::string, std::string>> dkim_keys;  // selector, file
  reporting::MailSettings mail;
  bool allows_private = false;
  http::HttpsSettings https;
};

enum class ReportsError { kKey, kHttps };

class Reports {
 public:
  Reports(base::EventLoop& loop, store::Database& database, const base::Clock& clock,
          dns::Resolver& resolver, const ReportSettings& settings);

  // For --check-config.
  static base::Outcome<ReportsError> check(const ReportSettings& settings);
  base::Outcome<ReportsError> apply(const ReportSettings& settings);
  void start() { reporter_.start(); }
  void tick() { client_.drop_retired(); }
  void stop();
  bool is_idle() const { return reporter_.is_idle(); }

  reporting::Reporter& reporter() { return reporter_; }
  const reporting::MailAuthor& mail_author() const { return author_; }
  void write_metrics(service::MetricsText& out) const;

 private:
  base::EventLoop& loop_;
  reporting::MailAuthor author_;
  CurrentClient client_;
  reporting::HttpsSubmission asked_;
  reporting::HttpsSubmission own_;
  base::WorkerPool builders_;
  base::WorkerPool mailers_;
  base::WorkerPool writers_;
  reporting::SubmittingSender sender_;
  reporting::Reporter reporter_;
};

}  // namespace strictmx::daemon
