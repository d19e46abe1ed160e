// reporter.h - the daily reports (RFC 8460): planned after midnight UTC, built and sent when due.
//
// Use: set_settings(), start() once the results of an earlier run are in the store, tick() now and
// then; stop() at the end and wait for is_idle().
//
//   results of a UTC day -> a row a domain, due 1 to 14,400 s after midnight (report_schedule.h)
//   due -> rules and the record at _smtp._tls.<domain> -> nobody asks: the row says why
//       -> built in a worker thread -> bytes and recipients stored -> each recipient tried
//       -> outcome stored -> tried again with growing waits, up to a day
//
// At least once: what was stored before the first attempt goes on after a crash, with the same id
// and bytes; a recipient that the store says has got it is never tried again.
// Ownership: borrows everything it is made from. Callbacks under way when it goes are dropped.
// Threads: the loop's thread.
// Errors: DNS and recipients that fail are tried again; a store that fails sends nothing new, and
// keeps what was sent in memory until it can be written.
// Limits: kMaxUnderWay reports at once; ReporterSettings has those of recipients and mailboxes.
// Known gaps: results that come after their day's report was built are not reported.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/worker_pool.h"
#include "common/dns/resolver.h"
#include "common/reporting/report_builder.h"
#include "common/reporting/report_destinations.h"
#include "common/reporting/report_rows.h"
#include "common/reporting/report_rules.h"
#include "common/reporting/report_sender.h"
#include "common/store/database.h"

namespace strictmx::reporting {

// Each may hold a report of some hundred kilobytes, a DNS question and an open connection; servers
// that hang must not hold up all others.
inline constexpr std::size_t kMaxUnderWay = 256;
// How often the store is asked for what is due.
inline constexpr std::chrono::milliseconds kLookInterval{10000};
inline constexpr std::chrono::minutes kPlanInterval{60};

struct ReporterSettings {
  bool is_on = false;
  std::string why_off;  // in words, for the operator, while it is not on
  ReportAuthor author;
  ReportRules rules;
  bool only_failures = false;
  // A day without failures on which a domain met no more sessions than it was sent report mails is
  // not reported: for servers that count the sessions of those (RFC 8460 §5.3.1).
  bool ignores_own_mails = false;
  std::size_t max_recipients = 0;        // of a record
  std::size_t max_mails_to_mailbox = 0;  // a UTC day
  std::chrono::days keep{30};            // as the results
  std::chrono::milliseconds look_interval = kLookInterval;
};

struct ReporterCounters {
  std::array<std::uint64_t, kReportStates> settled{};        // reports that came into that state
  std::array<std::uint64_t, kRecipientStates> recipients{};  // recipients that did
  std::uint64_t failed_attempts = 0;
  std::uint64_t store_failures = 0;
};

// What would be sent to whom; nothing is stored or sent.
struct ReportPreview {
  Destinations destinations;
  DomainResults results;
  std::optional<ReportRow> row;  // what the store knows of it
  std::string bytes;             // the report in gzip; empty where there are no results
  std::string not_sent_because;  // empty: it would be sent
};

class Reporter {
 public:
  Reporter(base::EventLoop& loop, store::Database& database, const base::Clock& clock,
           dns::Resolver& resolver, ReportSender& sender, base::WorkerPool& builders);
  ~Reporter();
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  void set_settings(ReporterSettings settings);
  const ReporterSettings& settings() const { return settings_; }

  // Until when the store has all results (ResultStore::complete_until): days that ended later are
  // not planned yet. Asked at each look; without it all days are complete.
  void set_completeness(std::function<base::WallTime()> complete_until) {
    complete_until_ = std::move(complete_until);
  }
  void start();
  // The wall clock was set: what waits for a time out of reach does so no longer.
  void on_clock_step() { planned_on_.reset(); }
  // Begins nothing more; attempts under way end as they end.
  void stop();
  // Nothing under way: no attempt, and no outcome that is not stored.
  bool is_idle() const { return under_way_.empty(); }
  std::size_t under_way() const { return under_way_.size(); }

  // The store has all results of the day.
  bool is_complete(DayNumber day) const;
  using Forwarded = std::function<void(const StoreResult<std::uint64_t>&)>;
  // The day's reports at once, or that of one domain (report_rows.h, put_forward). How many.
  void send_now(DayNumber day, const std::string& domain, const Forwarded& callback);
  void preview(DayNumber day, const base::DomainName& domain,
               const std::function<void(const StoreResult<ReportPreview>&)>& callback);

  const ReporterCounters& counters() const { return counters_; }
  store::Database& database() { return database_; }

 private:
  struct Work;
  struct Material;
  using WorkPointer = std::shared_ptr<Work>;

  void look();
  void plan();
  void plan_next_day();
  void plan_domains_after(DayNumber day, const std::string& after, bool is_last_time,
                          const std::function<void(const StoreOutcome&)>& callback);
  void on_planned();
  void drop_old();
  void fill();

  void begin(ReportRow row);
  void decide(const WorkPointer& work, const Destinations& destinations);
  void postpone(const WorkPointer& work, const std::string& why);
  void read_material(const WorkPointer& work);
  void build(const WorkPointer& work, const Material& material);
  void store_built(const WorkPointer& work);
  void read_built(const WorkPointer& work);
  void attempt(const WorkPointer& work);
  void on_attempted(const WorkPointer& work, std::size_t recipient,
                    const base::Outcome<SubmissionError>& outcome);
  void note_if_done(ReportRow& row);
  void settle(const WorkPointer& work, ReportState state, std::string why);
  void save(const WorkPointer& work);
  void on_saved(const WorkPointer& work, const StoreOutcome& outcome);
  void release(const WorkPointer& work);
  void put_forward(DayNumber day, const std::string& domain, const Forwarded& callback);
  void note_read_failure(const std::string& reason);
  void note_write_failure(const std::string& reason);
  void note_written();
  bool keeps_on() const { return settings_.is_on && !is_stopping_; }

  store::Database& database_;
  const base::Clock& clock_;
  dns::Resolver& resolver_;
  ReportSender& sender_;
  base::WorkerPool& builders_;
  std::function<base::WallTime()> complete_until_;
  ReporterSettings settings_;
  ReporterCounters counters_;
  std::map<std::int64_t, WorkPointer> under_way_;  // by id of the row
  std::vector<DayNumber> days_to_plan_;
  bool is_started_ = false;
  bool is_stopping_ = false;
  bool is_planning_ = false;
  bool is_asking_ = false;  // the store, for what is due
  bool has_more_due_ = false;
  bool is_store_failing_ = false;
  std::optional<DayNumber> planned_on_;
  base::SteadyTime planned_at_{};
  base::Timer timer_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace strictmx::reporting
