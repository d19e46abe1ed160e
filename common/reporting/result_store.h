// result_store.h - counters of TLS results by day, domain, policy as applied and failure details.
//
// Use: load() says where the spool is to be read on; start() with the spool opened there; then
// apply_soon() whenever something was put into it. drop_old() now and then.
// Exactly once: a batch's counters and the position behind it are written in one transaction, and
// each batch begins at the position that the store holds. A file of the spool goes only when the
// store has that position safe on the disk.
// Ownership: borrows database, clock and loop; shares the spool with the database's thread.
// Threads: the loop's thread. Callbacks run on the loop, after the call has returned.
// Errors: StoreError. While the store can't be written or the spool not be read, applying is tried
// again every kRetry, and the spool keeps what comes.
// Limits: kBatchBytes of spool at a time; kMaxRowsADomain rows and kMaxTextADomain bytes of text a
// domain and day: further policies are counted by their type alone, further kinds of failure by
// policy and result type. Known gaps: the number of domains of a
// day is bounded by the disk alone; days are dropped by the wall clock, and
// only beside a newer one that is stored.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/reporting/broken_results.h"
#include "common/reporting/day.h"
#include "common/reporting/result_batch.h"
#include "common/reporting/spool.h"
#include "common/store/database.h"
#include "common/tlsrpt/result_datagram.h"

namespace strictmx::reporting {

// About 10,000 results. More would make repeats cheaper still, and memory larger.
inline constexpr std::size_t kBatchBytes = 4ULL * 1024 * 1024;
// A report with more kinds of failure helps nobody, and a sender could make up any number.
inline constexpr std::size_t kMaxRowsADomain = 1000;
// A policy may have 64 KiB; one of RFC 8461 has a few hundred bytes.
inline constexpr std::size_t kMaxTextADomain = 1024ULL * 1024;
// Rows deleted in one transaction: some milliseconds.
inline constexpr std::size_t kMaxDroppedAtOnce = 5000;
// Of one page of list(), after which no further domain is begun. In JSON a byte may become six; a
// reply has 16 MiB at most.
inline constexpr std::size_t kMaxRowsAPage = 2000;
inline constexpr std::size_t kMaxTextAPage = 512ULL * 1024;
inline constexpr std::size_t kMaxDomainsAPage = 1000;
inline constexpr std::chrono::milliseconds kRetry{1000};

struct ResultStoreSettings {
  std::chrono::days keep{30};  // results.keep_days
  std::string broken_folder;
};

struct StoredFailure {
  tlsrpt::FailureDetails details;
  std::uint64_t sessions = 0;
};

struct StoredPolicy {
  tlsrpt::AppliedPolicy policy;
  SessionCounts sessions;
  std::vector<StoredFailure> failures;
};

struct DomainResults {
  DayNumber day = 0;
  std::string domain;
  std::vector<StoredPolicy> policies;
  std::size_t text_bytes = 0;  // of all of them
};

// What list() gives: days newest first, in each the domains by name.
struct ResultQuery {
  std::optional<DayNumber> day{};       // this day alone
  std::optional<std::string> domain{};  // this domain alone, lower-case A-labels
  // Behind the last one of an earlier page.
  std::optional<std::pair<DayNumber, std::string>> after{};
  std::size_t limit = 100;
};

struct ResultPage {
  std::vector<DomainResults> results;
  bool has_more = false;
};

// Counters since start; of results that are in the store.
struct ResultCounters {
  BatchCounters batches;
  std::uint64_t recovered = 0;  // found in the spool without a length
  std::uint64_t corrupt = 0;    // damaged records of the spool
  std::uint64_t folded = 0;     // rows for which kMaxRowsADomain was reached
  std::uint64_t failures = 0;   // batches that could not be written
};

class ResultStore {
 public:
  template <class T>
  using Callback = std::function<void(const base::Result<T, store::StoreError>&)>;

  ResultStore(base::EventLoop& loop, store::Database& database, const base::Clock& clock,
              ResultStoreSettings settings);
  ~ResultStore();
  ResultStore(const ResultStore&) = delete;
  ResultStore& operator=(const ResultStore&) = delete;

  void load(const Callback<SpoolPosition>& callback);
  void start(std::shared_ptr<Spool> spool);
  void apply_soon();
  // Called once: what was in the spool at the start is in the store.
  void set_on_caught_up(std::function<void()> callback) { on_caught_up_ = std::move(callback); }
  // All results received before this moment are in the store: what happened on a day that has ended
  // by then is complete. 1970: none was looked for yet.
  base::WallTime complete_until() const { return complete_until_; }
  void drop_old();
  void set_keep(std::chrono::days keep) { settings_.keep = keep; }

  // Domains with results on this day, by name, behind `after`.
  void domains(DayNumber day, const std::string& after, std::size_t limit,
               const Callback<std::vector<std::string>>& callback) const;
  // All of one domain and day: what a report is made of. No policies: nothing is stored.
  void results(DayNumber day, const std::string& domain,
               const Callback<DomainResults>& callback) const;
  void list(const ResultQuery& query, const Callback<ResultPage>& callback) const;

  const ResultCounters& counters() const { return counters_; }
  // Nothing under way, and nothing known to wait.
  bool is_idle() const { return !is_applying_ && !has_more_; }
  // The last batch could not be written.
  bool is_failing() const { return is_failing_; }

 private:
  struct Applied;
  void apply();
  void on_applied(const Applied& applied, const base::Outcome<store::StoreError>& outcome);
  void drop_applied_segments(SpoolPosition applied);

  store::Database& database_;
  const base::Clock& clock_;
  ResultStoreSettings settings_;
  std::shared_ptr<Spool> spool_;
  std::shared_ptr<BrokenResults> broken_;  // the database thread's
  ResultCounters counters_;
  bool is_applying_ = false;
  bool has_more_ = false;
  bool is_dropping_segments_ = false;
  bool is_failing_ = false;
  std::function<void()> on_caught_up_;
  base::WallTime complete_until_{};
  base::Timer retry_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace strictmx::reporting
