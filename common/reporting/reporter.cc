// reporter.cc - see reporter.h.
//
// A report under way is a Work, from begin() to release():
//   kWaiting: begin -> decide -> read_material -> build -> store_built -> attempt
//   kSending: begin -> read_built -> attempt
//   attempt -> on_attempted for each recipient -> save -> release once all is stored
// The store tells in the order in which it works, so that a row that fill() was told to be due is
// under way still, or due indeed.
#include "common/reporting/reporter.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/reporting/report_schedule.h"
#include "common/reporting/result_rows.h"

namespace strictmx::reporting {
namespace {

using base::done;
using store::Pace;
using store::Transaction;

// A session that was judged by two policies is one of each: the most of one policy is what is sure.
SessionCounts sessions_of(const DomainResults& results) {
  SessionCounts most;
  for (const StoredPolicy& policy : results.policies) {
    most.succeeded = std::max(most.succeeded, policy.sessions.succeeded);
    most.failed = std::max(most.failed, policy.sessions.failed);
  }
  return most;
}

bool is_waiting(const RecipientRow& row) { return row.state == RecipientState::kWaiting; }

bool has_waiting(const std::vector<RecipientRow>& recipients) {
  return std::any_of(recipients.begin(), recipients.end(), is_waiting);
}

// What the store has of a report that is built again: who has got it already stays so.
std::vector<RecipientRow> merged(std::vector<RecipientRow> wanted,
                                 const std::vector<RecipientRow>& stored) {
  for (const RecipientRow& row : stored) {
    if (row.state != RecipientState::kSent) continue;
    const auto same = std::find_if(wanted.begin(), wanted.end(),
                                   [&row](const RecipientRow& one) { return one.uri == row.uri; });
    if (same != wanted.end()) *same = row;
  }
  return wanted;
}

}  // namespace

struct Reporter::Work {
  ReportRow row;
  std::optional<base::DomainName> domain;  // none: the row names no domain
  std::shared_ptr<const std::string> bytes;
  std::size_t attempts_under_way = 0;
  bool is_saving = false;
  bool is_unsaved = false;  // changed since the save that is under way, or that failed
};

// What the store knows when a report is to be built.
struct Reporter::Material {
  DomainResults results;
  std::optional<ReportRow> row;
  std::vector<RecipientRow> recipients;
  std::uint64_t mails = 0;  // reports that the domain was sent on that day
  base::HashKey key;

  static StoreResult<Material> read(Transaction& transaction, DayNumber day,
                                    const std::string& domain);
  // Empty: the report is to be sent.
  std::string why_not(const ReporterSettings& settings) const;
};

StoreResult<Reporter::Material> Reporter::Material::read(Transaction& transaction, DayNumber day,
                                                         const std::string& domain) {
  Material material;
  auto results = read_results(transaction, day, domain);
  if (!results.ok()) return results.error();
  material.results = std::move(results).value();
  auto row = read_report(transaction, day, domain);
  if (!row.ok()) return row.error();
  material.row = std::move(row).value();
  if (material.row.has_value()) {
    auto recipients = read_recipients(transaction, material.row->id);
    if (!recipients.ok()) return recipients.error();
    material.recipients = std::move(recipients).value();
  }
  auto mails = mails_to_domain(transaction, day, domain);
  if (!mails.ok()) return mails.error();
  material.mails = mails.value();
  auto key = read_text_key(transaction);
  if (!key.ok()) return key.error();
  material.key = key.value();
  return material;
}

std::string Reporter::Material::why_not(const ReporterSettings& settings) const {
  const SessionCounts sessions = sessions_of(results);
  if (results.policies.empty()) return "no results are stored";
  if (settings.only_failures && sessions.failed == 0) {
    return "only successes, and report.only_failures is set";
  }
  if (settings.ignores_own_mails && sessions.failed == 0 && sessions.succeeded <= mails) {
    return "no more sessions than report mails to it that day (report.ignore_own_mails)";
  }
  return {};
}

Reporter::Reporter(base::EventLoop& loop, store::Database& database, const base::Clock& clock,
                   dns::Resolver& resolver, ReportSender& sender, base::WorkerPool& builders)
    : database_(database),
      clock_(clock),
      resolver_(resolver),
      sender_(sender),
      builders_(builders),
      timer_(loop, [this] { look(); }) {}

Reporter::~Reporter() { *is_alive_ = false; }

void Reporter::set_settings(ReporterSettings settings) {
  if (settings.is_on != settings_.is_on) planned_on_.reset();
  settings_ = std::move(settings);
}

void Reporter::start() {
  is_started_ = true;
  look();
}

void Reporter::stop() {
  is_stopping_ = true;
  timer_.stop();
}

void Reporter::look() {
  if (is_stopping_) return;
  timer_.start(settings_.look_interval);
  for (const auto& [id, work] : std::map(under_way_)) {
    if (work->is_unsaved && !work->is_saving) save(work);
  }
  plan();
  fill();
}

void Reporter::note_read_failure(const std::string& reason) {
  ++counters_.store_failures;
  base::log_warning("reports can't be read from the store", {{"reason", reason}});
}

void Reporter::note_write_failure(const std::string& reason) {
  ++counters_.store_failures;
  if (std::exchange(is_store_failing_, true)) return;
  base::log_error("reports can't be stored, no more are sent", {{"reason", reason}});
}

void Reporter::note_written() {
  if (std::exchange(is_store_failing_, false)) base::log_info("reports are stored again");
}

// ---- planning

void Reporter::plan() {
  const DayNumber today = day_of(clock_.now());
  const bool is_fresh = planned_on_ == today && clock_.steady() - planned_at_ < kPlanInterval;
  if (is_planning_ || is_fresh) return;
  if (!is_complete(today - 1)) return;
  is_planning_ = true;
  planned_on_ = today;
  planned_at_ = clock_.steady();
  read_with<std::vector<DayNumber>>(
      database_,
      [today, now = clock_.now(), is_on = settings_.is_on](Transaction& transaction) {
        if (auto followed = follow_clock(transaction, now); !followed.ok()) {
          return StoreResult<std::vector<DayNumber>>(followed.error());
        }
        auto days = days_to_plan(transaction, today);
        if (!days.ok() || is_on) return days;
        // What passed while reports were off is nobody's business later.
        for (const DayNumber day : days.value()) {
          if (day >= today - 1) continue;  // they may be on again in a moment
          auto closed = close_day(transaction, day);
          if (!closed.ok()) return StoreResult<std::vector<DayNumber>>(closed.error());
        }
        return StoreResult<std::vector<DayNumber>>(std::vector<DayNumber>());
      },
      [this, alive = is_alive_](const StoreResult<std::vector<DayNumber>>& days) {
        if (!*alive) return;
        if (!days.ok()) {
          note_write_failure(days.error().detail);
          planned_on_.reset();
          is_planning_ = false;
          return;
        }
        days_to_plan_ = days.value();
        plan_next_day();
      });
}

void Reporter::plan_next_day() {
  if (days_to_plan_.empty() || !keeps_on()) {
    on_planned();
    return;
  }
  const DayNumber day = days_to_plan_.back();
  days_to_plan_.pop_back();
  // Yesterday's results may still come, a spool that was left being read again.
  const bool is_last_time = day < day_of(clock_.now()) - 1;
  plan_domains_after(day, "", is_last_time, [this](const StoreOutcome& planned) {
    if (planned.ok()) {
      plan_next_day();
      return;
    }
    note_write_failure(planned.error().detail);
    planned_on_.reset();
    is_planning_ = false;
  });
}

// One page at a time, so that others get their turn at the store.
void Reporter::plan_domains_after(DayNumber day, const std::string& after, bool is_last_time,
                                  const std::function<void(const StoreOutcome&)>& callback) {
  read_with<std::string>(
      database_,
      [day, after, now = clock_.now(),
       is_last_time](Transaction& transaction) -> StoreResult<std::string> {
        auto key = read_text_key(transaction);
        if (!key.ok()) return key.error();
        auto last = plan_domains(transaction, key.value(), day, after, now);
        if (!last.ok() || !last.value().empty() || !is_last_time) return last;
        auto closed = close_day(transaction, day);
        if (!closed.ok()) return closed.error();
        return last;
      },
      [this, alive = is_alive_, day, is_last_time, callback](const StoreResult<std::string>& last) {
        if (!*alive) return;
        if (!last.ok()) {
          callback(last.error());
        } else if (!last.value().empty() && keeps_on()) {
          plan_domains_after(day, last.value(), is_last_time, callback);
        } else {
          callback(done());
        }
      });
}

void Reporter::on_planned() {
  is_planning_ = false;
  drop_old();
  fill();
}

void Reporter::drop_old() {
  read_with<bool>(
      database_,
      [today = day_of(clock_.now()), keep = settings_.keep.count()](Transaction& transaction) {
        return drop_old_reports(transaction, today, keep);
      },
      [this, alive = is_alive_](const StoreResult<bool>& has_more) {
        if (!*alive || is_stopping_) return;
        if (!has_more.ok()) {
          base::log_warning("old reports can't be dropped", {{"reason", has_more.error().detail}});
        } else if (has_more.value()) {
          drop_old();
        }
      });
}

// ---- what is due

void Reporter::fill() {
  const bool is_full = under_way_.size() > kMaxUnderWay / 2;
  if (!is_started_ || !keeps_on() || is_asking_ || is_full) return;
  is_asking_ = true;
  // Those under way are due in the store until they are settled there.
  const std::size_t limit = kMaxUnderWay + under_way_.size();
  read_with<std::vector<ReportRow>>(
      database_,
      [now = clock_.now(), limit](Transaction& transaction) {
        return due_reports(transaction, now, limit);
      },
      [this, alive = is_alive_, limit](const StoreResult<std::vector<ReportRow>>& due) {
        if (!*alive) return;
        is_asking_ = false;
        if (!due.ok()) {
          note_read_failure(due.error().detail);
          return;
        }
        has_more_due_ = due.value().size() >= limit;
        for (const ReportRow& row : due.value()) {
          if (under_way_.contains(row.id)) continue;
          // While nothing can be written, one that is not built yet tries whether it can again.
          if (is_store_failing_ && row.state == ReportState::kSending) continue;
          const bool is_full = under_way_.size() >= (is_store_failing_ ? 1 : kMaxUnderWay);
          if (is_full) has_more_due_ = true;
          if (is_full || !keeps_on()) break;
          begin(row);
        }
      });
}

void Reporter::begin(ReportRow row) {
  auto domain = base::DomainName::parse(row.domain);
  const std::int64_t id = row.id;
  auto work = std::make_shared<Work>();
  work->row = std::move(row);
  under_way_.emplace(id, work);
  if (!domain.ok()) {
    settle(work, ReportState::kGivenUp, domain.error().detail);
    return;
  }
  work->domain = std::move(domain).value();
  if (work->row.state == ReportState::kSending) {
    read_built(work);
    return;
  }
  find_destinations(resolver_, settings_.rules, settings_.max_recipients, *work->domain,
                    [this, alive = is_alive_, work](const Destinations& destinations) {
                      if (*alive) decide(work, destinations);
                    });
}

void Reporter::decide(const WorkPointer& work, const Destinations& destinations) {
  if (!keeps_on()) {
    release(work);
    return;
  }
  switch (destinations.kind) {
    case Destinations::Kind::kNobody:
      settle(work, ReportState::kNotSent, destinations.why);
      return;
    case Destinations::Kind::kNoAnswer:
      postpone(work, destinations.why);
      return;
    case Destinations::Kind::kFound:
      work->row.recipients = destinations.recipients;
      read_material(work);
      return;
  }
}

void Reporter::postpone(const WorkPointer& work, const std::string& why) {
  const base::WallTime now = clock_.now();
  ReportRow& row = work->row;
  if (row.attempts == 0) row.since = now;
  ++row.attempts;
  if (is_given_up(row.since, row.attempts, now)) {
    settle(work, ReportState::kGivenUp, why);
    return;
  }
  row.next_at = now + retry_wait(row.attempts);
  row.why = why;
  save(work);
}

void Reporter::read_material(const WorkPointer& work) {
  read_with<Material>(
      database_,
      [day = work->row.day, domain = work->row.domain](Transaction& transaction) {
        return Material::read(transaction, day, domain);
      },
      [this, alive = is_alive_, work](const StoreResult<Material>& material) {
        if (!*alive) return;
        if (!material.ok() || !keeps_on()) {
          if (!material.ok()) note_read_failure(material.error().detail);
          release(work);
          return;
        }
        build(work, material.value());
      });
}

void Reporter::build(const WorkPointer& work, const Material& material) {
  ReportRow& row = work->row;
  const std::string why_not = material.why_not(settings_);
  if (!why_not.empty()) {
    row.recipients.clear();
    settle(work, ReportState::kNotSent, why_not);
    return;
  }
  row.recipients = merged(std::move(row.recipients), material.recipients);
  if (!has_waiting(row.recipients)) {
    settle(work, ReportState::kDone, "no destination can be used");
    return;
  }
  using Built = base::Result<std::string, BuildProblem>;
  auto built = std::make_shared<Built>(base::fail(BuildProblem::kCompression, "not built"));
  const bool is_taken = builders_.submit(
      [built, results = material.results, author = settings_.author,
       id = report_id(material.key, row.day, row.domain)] {
        *built = build_report(results, author, id);
      },
      [this, alive = is_alive_, work, built] {
        if (!*alive) return;
        if (!built->ok()) {
          postpone(work, "the report can't be built: " + built->error().detail);
          return;
        }
        work->bytes = std::make_shared<const std::string>(std::move(*built).value());
        store_built(work);
      });
  if (!is_taken) release(work);  // due still
}

void Reporter::store_built(const WorkPointer& work) {
  if (!keeps_on()) {
    release(work);
    return;
  }
  const base::WallTime now = clock_.now();
  ReportRow& row = work->row;
  row.state = ReportState::kSending;
  row.attempts = 0;
  row.since = now;
  row.why.clear();
  if (row.created == base::WallTime()) row.created = now;
  for (RecipientRow& one : row.recipients) {
    if (is_waiting(one)) one.next_at = now;
  }
  row.next_at = now;
  const MailboxBound bound{day_of(now), settings_.max_mails_to_mailbox};
  auto stored = std::make_shared<ReportRow>(row);
  database_.submit(
      Pace::kNow,
      [stored, bytes = work->bytes, bound, row](Transaction& transaction) {
        *stored = row;
        return write_built(transaction, *stored, *bytes, bound);
      },
      [this, alive = is_alive_, work, stored](const StoreOutcome& outcome) {
        if (!*alive) return;
        if (!outcome.ok()) {
          note_write_failure(outcome.error().detail);
          release(work);
          return;
        }
        note_written();
        for (const RecipientRow& one : stored->recipients) {
          if (one.state == RecipientState::kRefused) {
            ++counters_.recipients[static_cast<std::size_t>(one.state)];
          }
        }
        work->row = *stored;
        attempt(work);
      });
}

void Reporter::read_built(const WorkPointer& work) {
  struct Built {
    std::vector<RecipientRow> recipients;
    std::string bytes;
  };
  read_with<Built>(
      database_,
      [id = work->row.id](Transaction& transaction) -> StoreResult<Built> {
        auto recipients = read_recipients(transaction, id);
        if (!recipients.ok()) return recipients.error();
        auto bytes = read_report_bytes(transaction, id);
        if (!bytes.ok()) return bytes.error();
        return Built{std::move(recipients).value(), std::move(bytes).value()};
      },
      [this, alive = is_alive_, work](const StoreResult<Built>& built) {
        if (!*alive) return;
        if (!built.ok() || !keeps_on()) {
          if (!built.ok()) note_read_failure(built.error().detail);
          release(work);
          return;
        }
        work->row.recipients = built.value().recipients;
        work->bytes = std::make_shared<const std::string>(built.value().bytes);
        attempt(work);
      });
}

// ---- attempts

void Reporter::attempt(const WorkPointer& work) {
  if (!keeps_on()) {
    release(work);
    return;
  }
  const base::WallTime now = clock_.now();
  std::vector<std::size_t> due;
  for (std::size_t i = 0; i < work->row.recipients.size(); ++i) {
    const RecipientRow& one = work->row.recipients[i];
    if (is_waiting(one) && one.next_at <= now) due.push_back(i);
  }
  if (due.empty()) {
    note_if_done(work->row);
    save(work);  // puts the row's own time right
    return;
  }
  work->attempts_under_way = due.size();
  for (const std::size_t i : due) {
    const RecipientRow& one = work->row.recipients[i];
    sender_.send({*work->domain, one.uri, one.origin, work->row.created, work->bytes},
                 [this, alive = is_alive_, work, i](const base::Outcome<SubmissionError>& outcome) {
                   if (*alive) on_attempted(work, i, outcome);
                 });
  }
}

void Reporter::on_attempted(const WorkPointer& work, std::size_t recipient,
                            const base::Outcome<SubmissionError>& outcome) {
  --work->attempts_under_way;
  const base::WallTime now = clock_.now();
  ReportRow& row = work->row;
  RecipientRow& one = row.recipients[recipient];
  const bool is_stopped = !outcome.ok() && outcome.error().code == SubmissionError::kStopped;
  if (!is_stopped) {
    ++one.attempts;
    one.why = outcome.ok() ? "" : outcome.error().detail;
    if (outcome.ok()) {
      one.state = RecipientState::kSent;
    } else if (outcome.error().code == SubmissionError::kRefused) {
      one.state = RecipientState::kRefused;
    } else if (is_given_up(row.since, one.attempts, now)) {
      one.state = RecipientState::kGivenUp;
    } else {
      one.next_at = now + retry_wait(one.attempts);
    }
    if (!outcome.ok()) ++counters_.failed_attempts;
    if (!is_waiting(one)) ++counters_.recipients[static_cast<std::size_t>(one.state)];
    const std::string day = day_text(row.day);
    if (outcome.ok()) {
      base::log_info("report sent", {{"domain", row.domain}, {"day", day}, {"to", one.uri}});
    } else {
      base::log_warning(
          is_waiting(one) ? "report not sent yet" : "report not sent",
          {{"domain", row.domain}, {"day", day}, {"to", one.uri}, {"reason", one.why}});
    }
  }
  note_if_done(row);
  save(work);
}

// ---- outcomes

void Reporter::note_if_done(ReportRow& row) {
  if (has_waiting(row.recipients)) return;
  row.state = ReportState::kDone;
  ++counters_.settled[static_cast<std::size_t>(row.state)];
}

void Reporter::settle(const WorkPointer& work, ReportState state, std::string why) {
  ReportRow& row = work->row;
  row.state = state;
  row.why = std::move(why);
  ++counters_.settled[static_cast<std::size_t>(state)];
  if (state == ReportState::kGivenUp) {
    base::log_warning("report given up",
                      {{"domain", row.domain}, {"day", day_text(row.day)}, {"reason", row.why}});
  } else {
    base::log_debug("report not sent",
                    {{"domain", row.domain}, {"day", day_text(row.day)}, {"reason", row.why}});
  }
  save(work);
}

// One write of a row at a time; what changes meanwhile is written next.
void Reporter::save(const WorkPointer& work) {
  work->is_unsaved = true;
  if (work->is_saving) return;
  work->is_unsaved = false;
  work->is_saving = true;
  ReportRow row = work->row;
  if (row.state == ReportState::kSending) {
    row.next_at = base::WallTime::max();
    for (const RecipientRow& one : row.recipients) {
      if (is_waiting(one)) row.next_at = std::min(row.next_at, one.next_at);
    }
  }
  database_.submit(
      Pace::kNow,
      [row = std::move(row)](Transaction& transaction) { return write_report(transaction, row); },
      [this, alive = is_alive_, work](const StoreOutcome& outcome) {
        if (*alive) on_saved(work, outcome);
      });
}

void Reporter::on_saved(const WorkPointer& work, const StoreOutcome& outcome) {
  work->is_saving = false;
  if (!outcome.ok()) {
    // It stays under way, so that nobody gets it twice, until look() has it written.
    note_write_failure(outcome.error().detail);
    work->is_unsaved = true;
    return;
  }
  note_written();
  if (work->is_unsaved) {
    save(work);
  } else if (work->attempts_under_way == 0) {
    release(work);
  }
}

void Reporter::release(const WorkPointer& work) {
  under_way_.erase(work->row.id);
  if (has_more_due_ && !is_store_failing_) fill();
}

// ---- for the operator

void Reporter::put_forward(DayNumber day, const std::string& domain, const Forwarded& callback) {
  read_with<std::uint64_t>(
      database_,
      [day, domain, now = clock_.now()](Transaction& transaction) -> StoreResult<std::uint64_t> {
        if (!domain.empty()) {
          auto key = read_text_key(transaction);
          if (!key.ok()) return key.error();
          auto planned = plan_domain(transaction, key.value(), day, domain, now);
          if (!planned.ok()) return planned.error();
        }
        return reporting::put_forward(transaction, day, domain, now);
      },
      [this, alive = is_alive_, callback](const StoreResult<std::uint64_t>& rows) {
        if (!*alive) return;
        callback(rows);
        fill();
      });
}

bool Reporter::is_complete(DayNumber day) const {
  return !complete_until_ || complete_until_() >= day_start(day + 1);
}

void Reporter::send_now(DayNumber day, const std::string& domain, const Forwarded& callback) {
  // A day may have domains that are not planned: its reports were off, or it has just ended.
  if (!domain.empty()) {
    put_forward(day, domain, callback);
    return;
  }
  plan_domains_after(day, "", false, [this, day, callback](const StoreOutcome& planned) {
    if (planned.ok()) {
      put_forward(day, "", callback);
    } else {
      callback(planned.error());
    }
  });
}

void Reporter::preview(DayNumber day, const base::DomainName& domain,
                       const std::function<void(const StoreResult<ReportPreview>&)>& callback) {
  const auto with_material = [this, alive = is_alive_, callback](
                                 const Destinations& destinations,
                                 const StoreResult<Material>& material) {
    if (!*alive) return;
    if (!material.ok()) {
      callback(material.error());
      return;
    }
    auto preview = std::make_shared<ReportPreview>();
    preview->destinations = destinations;
    preview->results = material.value().results;
    preview->row = material.value().row;
    preview->not_sent_because = destinations.kind == Destinations::Kind::kFound
                                    ? material.value().why_not(settings_)
                                    : destinations.why;
    const auto tell = [alive, callback, preview] {
      if (*alive) callback(StoreResult<ReportPreview>(*preview));
    };
    if (preview->results.policies.empty()) {
      tell();
      return;
    }
    const std::string id =
        report_id(material.value().key, preview->results.day, preview->results.domain);
    const bool is_taken = builders_.submit(
        [preview, author = settings_.author, id] {
          auto built = build_report(preview->results, author, id);
          if (built.ok()) preview->bytes = std::move(built).value();
        },
        tell);
    if (!is_taken) tell();
  };
  find_destinations(resolver_, settings_.rules, settings_.max_recipients, domain,
                    [this, alive = is_alive_, day, name = domain.text(),
                     with_material](const Destinations& destinations) {
                      if (!*alive) return;
                      read_with<Material>(
                          database_,
                          [day, name](Transaction& transaction) {
                            return Material::read(transaction, day, name);
                          },
                          [destinations, with_material](const StoreResult<Material>& material) {
                            with_material(destinations, material);
                          });
                    });
}

}  // namespace strictmx::reporting
