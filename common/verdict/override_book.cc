// override_book.cc - see override_book.h.
#include "common/verdict/override_book.h"

#include <sstream>
#include <utility>

#include "common/base/log.h"

namespace strictmx::verdict {
namespace {

using base::fail;
using base::Outcome;
using base::WallTime;
using store::Pace;
using store::Row;
using store::StoreError;
using store::Transaction;

std::string joined(const std::vector<std::string>& patterns) {
  std::string text;
  for (const std::string& pattern : patterns) {
    if (!text.empty()) text += ' ';
    text += pattern;
  }
  return text;
}

std::vector<std::string> words(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> out;
  for (std::string word; stream >> word;) out.push_back(word);
  return out;
}

std::int64_t to_seconds(WallTime time) { return time.time_since_epoch().count(); }
WallTime to_time(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

// No value for a row that no override of ours can have left.
std::optional<OverrideRow> read_row(const Row& row) {
  const auto mode = mta_sts::policy_mode_from_name(row.text(1));
  if (!mode.has_value()) return std::nullopt;
  OverrideRow out;
  out.set.domain = row.text(0);
  out.set.mode = *mode;
  out.set.mx = words(row.text(2));
  if (row.number(3) != 0) out.set.until = to_time(row.number(3));
  out.set.note = row.text(4);
  out.set_at = to_time(row.number(5));
  out.set_by = row.number(6);
  return out;
}

void log_change(const char* what, const Override& set) {
  base::log_info(
      what, {{"policy_domain", set.domain},
             {"mode", std::string(mta_sts::policy_mode_name(set.mode))},
             {"mx", joined(set.mx)},
             {"until", set.until.has_value() ? base::format_utc(*set.until) : std::string("-")},
             {"note", set.note}});
}

}  // namespace

OverrideBook::OverrideBook(store::Database& database, const base::Clock& clock)
    : database_(database), clock_(clock), ends_seen_until_(clock.now()) {}

OverrideBook::~OverrideBook() { *is_alive_ = false; }

void OverrideBook::load(std::function<void(Outcome<StoreError>)> on_done) {
  auto rows = std::make_shared<std::vector<OverrideRow>>();
  database_.submit(
      Pace::kNow,
      [rows](Transaction& transaction) {
        return transaction.query(
            "SELECT domain, mode, mx, ends, note, set_at, set_by FROM overrides", {},
            [&](const Row& row) {
              auto read = read_row(row);
              if (read.has_value()) rows->push_back(std::move(*read));
            });
      },
      [this, alive = is_alive_, rows,
       on_done = std::move(on_done)](const Outcome<StoreError>& result) {
        if (!*alive) return;
        for (OverrideRow& row : *rows) {
          const std::string domain = row.set.domain;
          set_.insert_or_assign(domain, std::move(row));
        }
        log_conflicts();
        on_done(result);
      });
}

void OverrideBook::set_configured(const std::vector<Override>& overrides) {
  const Rows before = std::exchange(configured_, {});
  for (const Override& one : overrides) {
    configured_.insert_or_assign(one.domain, OverrideRow{one, true});
  }
  log_conflicts();
  for (const auto& [domain, row] : before) changed(domain);
  for (const auto& [domain, row] : configured_) changed(domain);
}

const Override* OverrideBook::find(const std::string& domain) const {
  if (configured_.empty() && set_.empty()) return nullptr;
  const WallTime now = clock_.now();
  for (const Rows* rows : {&configured_, &set_}) {
    const auto found = rows->find(domain);
    if (found != rows->end() && found->second.set.holds_at(now)) return &found->second.set;
  }
  return nullptr;
}

std::vector<OverrideRow> OverrideBook::list() const {
  std::vector<OverrideRow> rows;
  for (const auto& [domain, row] : configured_) rows.push_back(row);
  for (const auto& [domain, row] : set_) rows.push_back(row);
  return rows;
}

void OverrideBook::set(const Override& wanted, std::int64_t uid, Done on_done) {
  if (configured_.contains(wanted.domain)) {
    on_done(fail(OverrideBookError::kInFile,
                 "the configuration file has an [[override]] of " + wanted.domain +
                     ", which goes first: edit it there and send SIGHUP"));
    return;
  }
  if (set_.size() >= kMaxOverrides && !set_.contains(wanted.domain)) {
    on_done(fail(OverrideBookError::kFull,
                 "there are " + std::to_string(kMaxOverrides) + " overrides already"));
    return;
  }
  const OverrideRow row{wanted, false, clock_.now(), uid};
  save(row, [this, alive = is_alive_, row,
             on_done = std::move(on_done)](const Outcome<StoreError>& result) {
    if (!*alive) return;
    if (!result.ok()) {
      on_done(fail(OverrideBookError::kStore, "store: " + result.error().detail));
      return;
    }
    set_.insert_or_assign(row.set.domain, row);
    log_change("override set", row.set);
    changed(row.set.domain);
    on_done(base::done());
  });
}

void OverrideBook::remove(const std::string& domain, Done on_done) {
  if (!set_.contains(domain)) {
    if (configured_.contains(domain)) {
      on_done(fail(OverrideBookError::kInFile, "the [[override]] of " + domain +
                                                   " is in the configuration file: take it out "
                                                   "there and send SIGHUP"));
    } else {
      on_done(fail(OverrideBookError::kMissing, "no override of " + domain + " is set"));
    }
    return;
  }
  database_.submit(
      Pace::kNow,
      [domain](Transaction& transaction) {
        return transaction.run("DELETE FROM overrides WHERE domain = ?1", {domain});
      },
      [this, alive = is_alive_, domain,
       on_done = std::move(on_done)](const Outcome<StoreError>& result) {
        if (!*alive) return;
        if (!result.ok()) {
          on_done(fail(OverrideBookError::kStore, "store: " + result.error().detail));
          return;
        }
        const auto found = set_.find(domain);
        if (found != set_.end()) {
          log_change("override removed", found->second.set);
          set_.erase(found);
        }
        changed(domain);
        on_done(base::done());
      });
}

void OverrideBook::end_due() {
  const WallTime now = clock_.now();
  for (const Rows* rows : {&configured_, &set_}) {
    for (const auto& [domain, row] : *rows) {
      if (!row.set.until.has_value()) continue;
      if (*row.set.until <= ends_seen_until_ || *row.set.until > now) continue;
      log_change("override has ended", row.set);
      changed(domain);
    }
  }
  ends_seen_until_ = now;
}

void OverrideBook::save_all() {
  for (const auto& [domain, row] : set_) {
    save(row, [name = domain](const Outcome<StoreError>& result) {
      if (result.ok()) return;
      base::log_error("override can't be saved in the new store, it holds until a restart",
                      {{"policy_domain", name}, {"reason", result.error().detail}});
    });
  }
}

void OverrideBook::save(const OverrideRow& row, std::function<void(Outcome<StoreError>)> on_done) {
  database_.submit(
      Pace::kNow,
      [row](Transaction& transaction) {
        const Override& set = row.set;
        return transaction.run(
            "INSERT INTO overrides (domain, mode, mx, ends, note, set_at, set_by) VALUES (?1, ?2, "
            "?3, ?4, ?5, ?6, ?7) ON CONFLICT (domain) DO UPDATE SET mode = ?2, mx = ?3, ends = ?4, "
            "note = ?5, set_at = ?6, set_by = ?7",
            {set.domain, std::string(mta_sts::policy_mode_name(set.mode)), joined(set.mx),
             set.until.has_value() ? to_seconds(*set.until) : 0, set.note, to_seconds(row.set_at),
             row.set_by});
      },
      std::move(on_done));
}

void OverrideBook::log_conflicts() const {
  for (const auto& [domain, row] : configured_) {
    if (!set_.contains(domain)) continue;
    log_change("override of the configuration file goes before the one set by command", row.set);
  }
}

void OverrideBook::changed(const std::string& domain) const {
  if (on_change_) on_change_(domain);
}

}  // namespace strictmx::verdict
