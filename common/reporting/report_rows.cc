// report_rows.cc - see report_rows.h.
#include "common/reporting/report_rows.h"

#include <algorithm>
#include <utility>

#include "common/reporting/report_schedule.h"
#include "common/reporting/result_rows.h"

namespace strictmx::reporting {
namespace {

using base::done;
using store::Row;
using store::Transaction;

std::int64_t as_number(base::WallTime time) { return time.time_since_epoch().count(); }
std::int64_t as_number(std::size_t value) { return static_cast<std::int64_t>(value); }
std::int64_t as_number(ReportState state) { return static_cast<std::int64_t>(state); }
std::int64_t as_number(RecipientState state) { return static_cast<std::int64_t>(state); }

base::WallTime time_of(std::int64_t seconds) {
  return base::WallTime(std::chrono::seconds(seconds));
}

// Somebody may have edited the store: an unknown state has nothing due.
ReportState report_state(std::int64_t number) {
  const bool is_known = number >= 0 && number < as_number(kReportStates);
  return is_known ? static_cast<ReportState>(number) : ReportState::kGivenUp;
}
RecipientState recipient_state(std::int64_t number) {
  const bool is_known = number >= 0 && number < as_number(kRecipientStates);
  return is_known ? static_cast<RecipientState>(number) : RecipientState::kGivenUp;
}

constexpr bool has_something_due(ReportState state) {
  return state == ReportState::kWaiting || state == ReportState::kSending;
}

#define STRICTMX_REPORT_COLUMNS "id, day, domain, state, attempts, since, next_at, created, why"

ReportRow report_of(const Row& row) {
  ReportRow report;
  report.id = row.number(0);
  report.day = row.number(1);
  report.domain = row.text(2);
  report.state = report_state(row.number(3));
  report.attempts = static_cast<unsigned>(row.number(4));
  report.since = time_of(row.number(5));
  report.next_at = time_of(row.number(6));
  report.created = time_of(row.number(7));
  report.why = row.text(8);
  return report;
}

// An attempt may follow: now, or when the operator says so.
bool needs_bytes(const ReportRow& row) {
  return has_something_due(row.state) ||
         std::any_of(row.recipients.begin(), row.recipients.end(), [](const RecipientRow& one) {
           return one.attempts > 0 && one.state != RecipientState::kSent;
         });
}

StoreOutcome write_recipients(Transaction& transaction, const ReportRow& row) {
  for (const RecipientRow& one : row.recipients) {
    auto written = transaction.run(
        "INSERT INTO report_recipients (report, uri, origin, state, attempts, next_at, why) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (report, uri) DO UPDATE SET "
        "state = excluded.state, attempts = excluded.attempts, next_at = excluded.next_at, "
        "why = excluded.why",
        {row.id, one.uri, static_cast<std::int64_t>(one.origin), as_number(one.state),
         static_cast<std::int64_t>(one.attempts), as_number(one.next_at), one.why});
    if (!written.ok()) return written;
  }
  return done();
}

// One reader's mailbox, however it is written: letter case and what follows a '+' tell nobody
// apart.
std::string mailbox_key(std::string mailbox) {
  std::transform(mailbox.begin(), mailbox.end(), mailbox.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const std::size_t at = mailbox.rfind('@');
  const std::size_t plus = mailbox.find('+');
  if (plus != 0 && plus < at) mailbox.erase(plus, at - plus);
  return mailbox;
}

// Counts a mail for the mailbox; false: the bound is reached.
StoreResult<bool> take_mail(Transaction& transaction, const std::string& mailbox,
                            const MailboxBound& bound) {
  const std::string domain = mailbox.substr(mailbox.rfind('@') + 1);
  std::size_t mails = 0;
  auto counted = transaction.query(
      "INSERT INTO report_mailboxes (day, domain, mailbox, mails) VALUES (?1, ?2, ?3, 1) "
      "ON CONFLICT (day, domain, mailbox) DO UPDATE SET mails = report_mailboxes.mails + 1 "
      "RETURNING mails",
      {bound.today, domain, mailbox},
      [&mails](const Row& row) { mails = static_cast<std::size_t>(row.number(0)); });
  if (!counted.ok()) return counted.error();
  if (mails <= bound.max_mails) return true;
  auto undone = transaction.run(
      "UPDATE report_mailboxes SET mails = mails - 1 "
      "WHERE day = ?1 AND domain = ?2 AND mailbox = ?3",
      {bound.today, domain, mailbox});
  if (!undone.ok()) return undone.error();
  return false;
}

}  // namespace

const char* report_state_name(ReportState state) {
  switch (state) {
    case ReportState::kWaiting:
      return "waiting";
    case ReportState::kSending:
      return "sending";
    case ReportState::kDone:
      return "done";
    case ReportState::kNotSent:
      return "not-sent";
    case ReportState::kGivenUp:
      return "given-up";
  }
  return "";
}

const char* recipient_state_name(RecipientState state) {
  switch (state) {
    case RecipientState::kWaiting:
      return "waiting";
    case RecipientState::kSent:
      return "sent";
    case RecipientState::kRefused:
      return "refused";
    case RecipientState::kGivenUp:
      return "given-up";
  }
  return "";
}

StoreResult<std::vector<DayNumber>> days_to_plan(Transaction& transaction, DayNumber today) {
  std::vector<DayNumber> days;
  for (DayNumber day = today;;) {
    auto before = day_before(transaction, day);
    if (!before.ok()) return before.error();
    if (!before.value().has_value()) return days;
    day = *before.value();
    bool is_closed = false;
    auto looked = transaction.query("SELECT 1 FROM report_days WHERE day = ?1", {day},
                                    [&is_closed](const Row&) { is_closed = true; });
    if (!looked.ok()) return looked.error();
    if (!is_closed) days.push_back(day);
  }
}

StoreOutcome plan_domain(Transaction& transaction, const base::HashKey& key, DayNumber day,
                         const std::string& domain, base::WallTime now) {
  return transaction.run(
      "INSERT INTO reports (day, domain, state, attempts, since, next_at, created, why, report) "
      "SELECT ?1, ?2, 0, 0, 0, ?3, 0, '', '' WHERE EXISTS "
      "(SELECT 1 FROM results WHERE day = ?1 AND domain = ?2) "
      "ON CONFLICT (day, domain) DO NOTHING",
      {day, domain, as_number(due_time(key, day, domain, now))});
}

StoreResult<std::string> plan_domains(Transaction& transaction, const base::HashKey& key,
                                      DayNumber day, const std::string& after, base::WallTime now) {
  auto domains = read_domains(transaction, day, after, kMaxPlannedAtOnce);
  if (!domains.ok()) return domains.error();
  for (const std::string& domain : domains.value()) {
    auto written = plan_domain(transaction, key, day, domain, now);
    if (!written.ok()) return written.error();
  }
  if (domains.value().size() < kMaxPlannedAtOnce) return std::string();
  return domains.value().back();
}

StoreOutcome close_day(Transaction& transaction, DayNumber day) {
  return transaction.run("INSERT INTO report_days (day) VALUES (?1) ON CONFLICT (day) DO NOTHING",
                         {day});
}

StoreOutcome follow_clock(Transaction& transaction, base::WallTime now) {
  const std::int64_t latest = as_number(now + kLongestAhead);
  auto recipients = transaction.run(
      "UPDATE report_recipients SET next_at = ?1 WHERE state = 0 AND next_at > ?2 AND report IN "
      "(SELECT id FROM reports WHERE state < 2 AND next_at > ?2)",
      {as_number(now), latest});
  if (!recipients.ok()) return recipients;
  auto reports = transaction.run(
      "UPDATE reports SET next_at = ?1 + id % ?3, since = MIN(since, ?1) "
      "WHERE state < 2 AND next_at > ?2",
      {as_number(now), latest, static_cast<std::int64_t>(kMakeUpSpread.count())});
  if (!reports.ok()) return reports;
  return transaction.run("DELETE FROM report_days WHERE day >= ?1", {day_of(now) - 1});
}

StoreResult<std::vector<ReportRow>> due_reports(Transaction& transaction, base::WallTime now,
                                                std::size_t limit) {
  std::vector<ReportRow> due;
  auto read =
      transaction.query("SELECT " STRICTMX_REPORT_COLUMNS
                        " FROM reports WHERE state < 2 AND next_at <= ?1 ORDER BY next_at LIMIT ?2",
                        {as_number(now), as_number(limit)},
                        [&due](const Row& row) { due.push_back(report_of(row)); });
  if (!read.ok()) return read.error();
  return due;
}

StoreResult<std::optional<ReportRow>> read_report(Transaction& transaction, DayNumber day,
                                                  const std::string& domain) {
  std::optional<ReportRow> report;
  auto read = transaction.query(
      "SELECT " STRICTMX_REPORT_COLUMNS " FROM reports WHERE day = ?1 AND domain = ?2",
      {day, domain}, [&report](const Row& row) { report = report_of(row); });
  if (!read.ok()) return read.error();
  return report;
}

StoreResult<std::vector<RecipientRow>> read_recipients(Transaction& transaction,
                                                       std::int64_t report) {
  std::vector<RecipientRow> recipients;
  auto read = transaction.query(
      "SELECT uri, origin, state, attempts, next_at, why FROM report_recipients "
      "WHERE report = ?1 ORDER BY uri",
      {report}, [&recipients](const Row& row) {
        recipients.push_back({std::string(row.text(0)),
                              row.number(1) == 0 ? Origin::kRecord : Origin::kRule,
                              recipient_state(row.number(2)), static_cast<unsigned>(row.number(3)),
                              time_of(row.number(4)), std::string(row.text(5))});
      });
  if (!read.ok()) return read.error();
  return recipients;
}

StoreResult<std::string> read_report_bytes(Transaction& transaction, std::int64_t report) {
  std::string bytes;
  auto read = transaction.query("SELECT report FROM reports WHERE id = ?1", {report},
                                [&bytes](const Row& row) { bytes = row.text(0); });
  if (!read.ok()) return read.error();
  return bytes;
}

StoreOutcome write_report(Transaction& transaction, const ReportRow& row) {
  // A store that was set aside meanwhile has other rows by these numbers.
  bool is_there = false;
  auto written = transaction.query(
      "UPDATE reports SET state = ?2, attempts = ?3, since = ?4, next_at = ?5, created = ?6, "
      "why = ?7, report = CASE WHEN ?10 THEN report ELSE '' END "
      "WHERE id = ?1 AND day = ?8 AND domain = ?9 RETURNING id",
      {row.id, as_number(row.state), static_cast<std::int64_t>(row.attempts), as_number(row.since),
       as_number(row.next_at), as_number(row.created), row.why, row.day, row.domain,
       static_cast<std::int64_t>(needs_bytes(row) ? 1 : 0)},
      [&is_there](const Row&) { is_there = true; });
  if (!written.ok() || !is_there) return written;
  return write_recipients(transaction, row);
}

StoreOutcome write_built(Transaction& transaction, ReportRow& row, const std::string& bytes,
                         const MailboxBound& bound) {
  constexpr std::string_view kMailto = "mailto:";
  for (RecipientRow& one : row.recipients) {
    // The operator knows how much he asks for.
    const bool is_bounded = one.state == RecipientState::kWaiting &&
                            one.origin == Origin::kRecord && one.uri.starts_with(kMailto);
    if (!is_bounded) continue;
    auto taken = take_mail(transaction, mailbox_key(one.uri.substr(kMailto.size())), bound);
    if (!taken.ok()) return taken.error();
    if (taken.value()) continue;
    one.state = RecipientState::kRefused;
    one.why = "the mailbox has got " + std::to_string(bound.max_mails) +
              " reports today, as many as report.max_mails_to_mailbox allows";
  }
  // Whoever the record named before, and names no more, gets nothing.
  auto withdrawn =
      transaction.run("DELETE FROM report_recipients WHERE report = ?1 AND state <> ?2",
                      {row.id, as_number(RecipientState::kSent)});
  if (!withdrawn.ok()) return withdrawn;
  auto written = write_report(transaction, row);
  if (!written.ok() || !has_something_due(row.state)) return written;
  return transaction.run(
      "UPDATE reports SET report = ?2 WHERE id = ?1 AND day = ?3 AND domain = ?4",
      {row.id, bytes, row.day, row.domain});
}

StoreResult<std::uint64_t> mails_to_domain(Transaction& transaction, DayNumber day,
                                           const std::string& domain) {
  std::uint64_t mails = 0;
  auto read = transaction.query(
      "SELECT COALESCE(SUM(mails), 0) FROM report_mailboxes WHERE day = ?1 AND domain = ?2",
      {day, domain},
      [&mails](const Row& row) { mails = static_cast<std::uint64_t>(row.number(0)); });
  if (!read.ok()) return read.error();
  return mails;
}

StoreResult<std::uint64_t> put_forward(Transaction& transaction, DayNumber day,
                                       const std::string& domain, base::WallTime now) {
  std::uint64_t rows = 0;
  // One domain: also where it was not to be sent before. What is built has its bytes still, and
  // they are sent.
  auto moved = transaction.query(
      "UPDATE reports SET next_at = MIN(next_at, ?3), since = ?3, attempts = 0, "
      "state = CASE WHEN report <> '' THEN 1 ELSE 0 END "
      "WHERE day = ?1 AND (?2 = '' OR domain = ?2) AND (state IN (0, 1, 4) "
      "OR (state = 3 AND ?2 <> '') OR (state = 2 AND EXISTS (SELECT 1 FROM report_recipients r "
      "WHERE r.report = reports.id AND r.attempts > 0 AND r.state IN (2, 3)))) RETURNING id",
      {day, domain, as_number(now)}, [&rows](const Row&) { ++rows; });
  if (!moved.ok()) return moved.error();
  auto recipients = transaction.run(
      "UPDATE report_recipients SET next_at = ?3, attempts = 0, state = 0 "
      "WHERE (state = 0 OR (state IN (2, 3) AND attempts > 0)) AND report IN "
      "(SELECT id FROM reports WHERE day = ?1 AND (?2 = '' OR domain = ?2) AND state < 2)",
      {day, domain, as_number(now)});
  if (!recipients.ok()) return recipients.error();
  return rows;
}

StoreResult<bool> drop_old_reports(Transaction& transaction, DayNumber today, DayNumber keep) {
  auto first = first_kept_day(transaction, today, keep);
  if (!first.ok()) return first.error();
  const DayNumber oldest = first.value();
  std::size_t dropped = 0;
  const auto count = [&dropped](const Row&) { ++dropped; };
  auto recipients = transaction.run(
      "DELETE FROM report_recipients WHERE report IN "
      "(SELECT id FROM reports WHERE day < ?1 ORDER BY day, domain LIMIT ?2)",
      {oldest, as_number(kMaxDroppedReports)});
  if (!recipients.ok()) return recipients.error();
  auto reports = transaction.query(
      "DELETE FROM reports WHERE id IN "
      "(SELECT id FROM reports WHERE day < ?1 ORDER BY day, domain LIMIT ?2) RETURNING 1",
      {oldest, as_number(kMaxDroppedReports)}, count);
  if (!reports.ok()) return reports.error();
  auto mailboxes = transaction.query(
      "DELETE FROM report_mailboxes WHERE (day, domain, mailbox) IN "
      "(SELECT day, domain, mailbox FROM report_mailboxes WHERE day < ?1 LIMIT ?2) RETURNING 1",
      {oldest, as_number(kMaxDroppedReports)}, count);
  if (!mailboxes.ok()) return mailboxes.error();
  auto days = transaction.run("DELETE FROM report_days WHERE day < ?1", {oldest});
  if (!days.ok()) return days.error();
  return dropped >= kMaxDroppedReports;
}

StoreResult<std::optional<DayStatus>> status_before(Transaction& transaction, DayNumber day) {
  std::optional<DayStatus> status;
  auto looked =
      transaction.query("SELECT day FROM reports WHERE day < ?1 ORDER BY day DESC LIMIT 1", {day},
                        [&status](const Row& row) {
                          status = DayStatus{row.number(0), {}, {}};
                        });
  if (!looked.ok()) return looked.error();
  if (!status.has_value()) return status;
  auto reports =
      transaction.query("SELECT state, COUNT(*) FROM reports WHERE day = ?1 GROUP BY state",
                        {status->day}, [&status](const Row& row) {
                          status->reports[static_cast<std::size_t>(report_state(row.number(0)))] +=
                              static_cast<std::uint64_t>(row.number(1));
                        });
  if (!reports.ok()) return reports.error();
  auto recipients = transaction.query(
      "SELECT r.state, COUNT(*) FROM reports JOIN report_recipients r ON r.report = reports.id "
      "WHERE reports.day = ?1 GROUP BY r.state",
      {status->day}, [&status](const Row& row) {
        status->recipients[static_cast<std::size_t>(recipient_state(row.number(0)))] +=
            static_cast<std::uint64_t>(row.number(1));
      });
  if (!recipients.ok()) return recipients.error();
  return status;
}

StoreResult<ReportPage> list_reports(Transaction& transaction, const ReportQuery& query) {
  ReportPage page;
  const std::size_t limit = std::min(query.limit, kMaxListed);
  auto read = transaction.query(
      "SELECT " STRICTMX_REPORT_COLUMNS
      " FROM reports WHERE day = ?1 AND domain > ?2 AND (?3 = '' OR domain = ?3) "
      "AND (?4 = 0 OR state = 4 OR (state = 0 AND attempts > 0) OR EXISTS ("
      "SELECT 1 FROM report_recipients r WHERE r.report = reports.id "
      "AND (r.state >= 2 OR (r.state = 0 AND r.attempts > 0)))) ORDER BY domain LIMIT ?5",
      {query.day, query.after, query.domain.value_or(""),
       static_cast<std::int64_t>(query.only_troubled ? 1 : 0), as_number(limit + 1)},
      [&page](const Row& row) { page.reports.push_back(report_of(row)); });
  if (!read.ok()) return read.error();
  page.has_more = page.reports.size() > limit;
  if (page.has_more) page.reports.pop_back();
  for (ReportRow& report : page.reports) {
    auto recipients = read_recipients(transaction, report.id);
    if (!recipients.ok()) return recipients.error();
    report.recipients = std::move(recipients).value();
  }
  return page;
}

}  // namespace strictmx::reporting
