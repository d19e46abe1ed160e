// report_rows.h - the SQL of reports: what is planned, due, built, sent.
//
// Use: inside a store::Work. Tables: store/schema.h. Threads: the database's thread.
// Errors: StoreError, as the transaction gives it.
// Limits: kMaxPlannedAtOnce, kMaxListed, kMaxDroppedReports rows a call.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/text_hash.h"
#include "common/reporting/day.h"
#include "common/reporting/store_read.h"
#include "common/store/database.h"

namespace strictmx::reporting {

// Rows of one transaction: some ten milliseconds, for which all others wait.
inline constexpr std::size_t kMaxPlannedAtOnce = 2000;
inline constexpr std::size_t kMaxDroppedReports = 1000;
inline constexpr std::size_t kMaxListed = 500;
// No time that is planned lies further ahead (report_schedule.h: kSpread, kLongestRetry), but where
// the clock has been set back since.
inline constexpr std::chrono::hours kLongestAhead{5};

// Stored as these numbers; the first two have something due.
enum class ReportState {
  kWaiting = 0,  // for its time, then for an answer about whom to send it to
  kSending = 1,  // built; a recipient is still to get it
  kDone = 2,     // each recipient has got it, or won't
  kNotSent = 3,  // nobody asks for it, or a rule says so; `why` tells
  kGivenUp = 4,  // DNS gave no answer for a day
};
inline constexpr std::size_t kReportStates = 5;

enum class RecipientState {
  kWaiting = 0,
  kSent = 1,
  kRefused = 2,  // never to be tried again; `why` tells
  kGivenUp = 3,
};
inline constexpr std::size_t kRecipientStates = 4;

enum class Origin {
  kRecord = 0,  // rua of the domain's record
  kRule = 1,    // the operator's own
};

// "waiting", "sending", "done", "not-sent", "given-up"; "waiting", "sent", "refused", "given-up".
const char* report_state_name(ReportState state);
const char* recipient_state_name(RecipientState state);

struct RecipientRow {
  std::string uri;
  Origin origin = Origin::kRecord;
  RecipientState state = RecipientState::kWaiting;
  unsigned attempts = 0;
  base::WallTime next_at{};
  std::string why;
};

struct ReportRow {
  std::int64_t id = 0;
  DayNumber day = 0;
  std::string domain;
  ReportState state = ReportState::kWaiting;
  unsigned attempts = 0;
  base::WallTime since{};
  base::WallTime next_at{};
  base::WallTime created{};
  std::string why;
  std::vector<RecipientRow> recipients;  // where the call says so
};

// How many mails a mailbox may be sent on a day.
struct MailboxBound {
  DayNumber today = 0;
  std::size_t max_mails = 0;
};

// Days before `today` with results that are not closed, the newest first.
StoreResult<std::vector<DayNumber>> days_to_plan(store::Transaction& transaction, DayNumber today);
// A row for the domain, if it has results on the day and no row yet.
StoreOutcome plan_domain(store::Transaction& transaction, const base::HashKey& key, DayNumber day,
                         const std::string& domain, base::WallTime now);
// A row for each of the next domains of the day behind `after`, with the time when it is due; those
// that have one keep it. The last domain, or nothing when the day has no more.
StoreResult<std::string> plan_domains(store::Transaction& transaction, const base::HashKey& key,
                                      DayNumber day, const std::string& after, base::WallTime now);
// No more domains are expected.
StoreOutcome close_day(store::Transaction& transaction, DayNumber day);

// Puts right what a clock that was ahead has left: times out of reach, and days closed that are not
// two days old.
StoreOutcome follow_clock(store::Transaction& transaction, base::WallTime now);

// Waiting or sending, next_at not after `now`, the earliest first; without recipients.
StoreResult<std::vector<ReportRow>> due_reports(store::Transaction& transaction, base::WallTime now,
                                                std::size_t limit);
StoreResult<std::optional<ReportRow>> read_report(store::Transaction& transaction, DayNumber day,
                                                  const std::string& domain);
StoreResult<std::vector<RecipientRow>> read_recipients(store::Transaction& transaction,
                                                       std::int64_t report);
// The report's bytes; empty where there are none.
StoreResult<std::string> read_report_bytes(store::Transaction& transaction, std::int64_t report);

// State, attempts, since, next_at, created and why of the row, and its recipients as they are
// in it. A row without anything due loses its bytes.
StoreOutcome write_report(store::Transaction& transaction, const ReportRow& row);
// The same, with the report's bytes. Recipients that are stored and not in the row go, unless they
// have got it. Mailboxes of the record beyond the bound become kRefused in `row`.
StoreOutcome write_built(store::Transaction& transaction, ReportRow& row, const std::string& bytes,
                         const MailboxBound& bound);

// How many mails with reports went to mailboxes of the domain on the day.
StoreResult<std::uint64_t> mails_to_domain(store::Transaction& transaction, DayNumber day,
                                           const std::string& domain);

// Due now: what waits of the day (and of the domain, if one is given), what was given up there, and
// recipients that refused it after an attempt; of a domain that is given also what was not to be
// sent. Whoever has got it stays so. How many rows.
StoreResult<std::uint64_t> put_forward(store::Transaction& transaction, DayNumber day,
                                       const std::string& domain, base::WallTime now);

// Deletes what is about days whose results are too old (result_rows.h, drop_old_rows). True: there
// is more.
StoreResult<bool> drop_old_reports(store::Transaction& transaction, DayNumber today,
                                   DayNumber keep);

struct DayStatus {
  DayNumber day = 0;
  std::array<std::uint64_t, kReportStates> reports{};
  std::array<std::uint64_t, kRecipientStates> recipients{};
};
// The newest day before `day` that has reports, with their number by state.
StoreResult<std::optional<DayStatus>> status_before(store::Transaction& transaction, DayNumber day);

struct ReportQuery {
  DayNumber day = 0;
  std::optional<std::string> domain{};
  bool only_troubled = false;  // given up, refused, or waiting after a failed attempt
  std::string after{};         // domains behind this one
  std::size_t limit = 100;     // kMaxListed at most
};
struct ReportPage {
  std::vector<ReportRow> reports;  // by domain, with recipients
  bool has_more = false;
};
StoreResult<ReportPage> list_reports(store::Transaction& transaction, const ReportQuery& query);

}  // namespace strictmx::reporting
