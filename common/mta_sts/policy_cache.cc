// policy_cache.cc - see policy_cache.h.
#include "common/mta_sts/policy_cache.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/mta_sts/clock_step.h"

namespace strictmx::mta_sts {
namespace {

using base::done;
using base::Outcome;
using base::WallTime;
using store::Pace;
using store::Row;
using store::StoreError;
using store::Transaction;

// One column list for every statement that reads whole rows; read_row() knows its order.
#define STRICTMX_SELECT_POLICY \
  "SELECT domain, id, body, fetched, expires, refresh_at, last_used, days_used FROM policies "

std::int64_t to_seconds(WallTime time) { return time.time_since_epoch().count(); }
WallTime from_seconds(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

// A row that we wrote reads back as it was; one that somebody else changed may not, and is left.
std::optional<PolicyRow> read_row(const Row& row) {
  const auto parsed = parse_accepted_policy(row.text(2));
  if (!parsed.ok()) return std::nullopt;
  PolicyRow out{std::string(row.text(0)), {}};
  out.policy.id = row.text(1);
  out.policy.body = row.text(2);
  out.policy.body.shrink_to_fit();
  out.policy.fetched = from_seconds(row.number(3));
  out.policy.expires = from_seconds(row.number(4));
  out.policy.refresh_at = from_seconds(row.number(5));
  out.policy.last_used_day = static_cast<std::int32_t>(row.number(6));
  out.policy.days_used = static_cast<std::int32_t>(row.number(7));
  out.policy.max_age =
      std::chrono::duration_cast<decltype(out.policy.max_age)>(parsed.value().max_age);
  out.policy.mode = parsed.value().mode;
  return out;
}

Rank rank_of(const Entry& entry) {
  if (entry.policy == nullptr) return Rank::kAbsent;
  if (entry.policy->days_used >= kDaysToKeep) return Rank::kKept;
  return entry.is_asked_again ? Rank::kAgain : Rank::kOnce;
}

}  // namespace

PolicyCache::PolicyCache(store::Database& database, const base::Clock& clock,
                         std::size_t max_entries, std::size_t max_stored)
    : database_(database),
      clock_(clock),
      max_entries_(max_entries),
      bound_(database, clock, max_stored) {}

void PolicyCache::load(std::function<void(Outcome<StoreError>)> on_done) {
  struct Loaded {
    std::vector<PolicyRow> rows;
    std::int64_t total = 0;
  };
  auto loaded = std::make_shared<Loaded>();
  const auto limit = static_cast<std::int64_t>(max_entries_);
  database_.submit(
      Pace::kNow,
      [loaded, limit, rows = bound_.rows()](Transaction& transaction) -> Outcome<StoreError> {
        auto counted = transaction.query("SELECT COUNT(*) FROM policies", {},
                                         [&](const Row& row) { loaded->total = row.number(0); });
        if (!counted.ok()) return counted;
        *rows = loaded->total;
        loaded->rows.reserve(static_cast<std::size_t>(std::min(limit, loaded->total)));
        // Only a full table needs the sort.
        const char* sql = loaded->total <= limit ? STRICTMX_SELECT_POLICY "LIMIT ?1"
                                                 : STRICTMX_SELECT_POLICY
                              "ORDER BY last_used DESC LIMIT ?1";
        return transaction.query(sql, {limit}, [&](const Row& row) {
          auto read = read_row(row);
          if (read.has_value()) loaded->rows.push_back(std::move(*read));
        });
      },
      [this, alive = is_alive_, loaded, steps = clock_steps_,
       on_done = std::move(on_done)](const Outcome<StoreError>& result) {
        if (!*alive) return;
        const WallTime now = clock_.now();
        if (clock_steps_ != steps) return load(on_done);
        if (result.ok()) {
          entries_.reserve(loaded->rows.size());
          const std::size_t count = loaded->rows.size();
          // The last used first were read first; what is added last is evicted last.
          for (; !loaded->rows.empty(); loaded->rows.pop_back()) {
            PolicyRow& row = loaded->rows.back();
            Entry* known = find(row.domain);
            Entry& entry = known != nullptr ? *known : insert(std::move(row.domain));
            row.policy.cap_expiry(now);
            if (entry.policy == nullptr) set_policy(entry, std::move(row.policy));
          }
          is_store_larger_ = static_cast<std::size_t>(loaded->total) > count;
          bound_.check();
        }
        on_done(result);
      });
}

Entry* PolicyCache::find(std::string_view domain) {
  const auto found = entries_.find(domain);
  return found == entries_.end() ? nullptr : &found->second;
}

Entry& PolicyCache::make(std::string_view domain) {
  if (Entry* found = find(domain)) return *found;
  make_room();
  return insert(std::string(domain));
}

Entry& PolicyCache::insert(std::string domain) {
  const auto at = entries_.try_emplace(std::move(domain)).first;
  at->second.name = &at->first;
  place(at->second);
  return at->second;
}

void PolicyCache::set_policy(Entry& entry, CachedPolicy policy) {
  if (entry.policy != nullptr) body_bytes_ -= entry.policy->body.size();
  policy.body.shrink_to_fit();
  body_bytes_ += policy.body.size();
  entry.policy = std::make_unique<CachedPolicy>(std::move(policy));
  place(entry);
}

void PolicyCache::drop_policy(Entry& entry) {
  if (entry.policy == nullptr) return;
  body_bytes_ -= entry.policy->body.size();
  entry.policy.reset();
  place(entry);
}

PolicyCache::Map::iterator PolicyCache::erase(Map::iterator at) {
  drop_policy(at->second);
  order_.remove(at->second);
  return entries_.erase(at);
}

void PolicyCache::place(Entry& entry) {
  if (entry.has_job) return;
  order_.remove(entry);
  order_.add(entry, rank_of(entry));
}

void PolicyCache::note_use(Entry& entry) {
  entry.is_asked_again = true;
  place(entry);
}

void PolicyCache::hold(Entry& entry) {
  order_.remove(entry);
  entry.has_job = true;
}

void PolicyCache::release(Entry& entry) {
  entry.has_job = false;
  place(entry);
}

void PolicyCache::make_room() {
  // More than one may have to go for a large policy; the rest goes with the next entries.
  constexpr int kMostAtOnce = 16;
  for (int i = 0; i < kMostAtOnce; ++i) {
    const bool is_full = entries_.size() >= max_entries_;
    const bool is_heavy = body_bytes_ > max_entries_ * kMeanPolicyBytes;
    // Only a policy gives back bytes.
    if ((!is_full && !is_heavy) || !evict_one(is_full ? Rank::kAbsent : Rank::kOnce)) return;
  }
}

bool PolicyCache::evict_one(Rank lowest) {
  const Entry* victim = order_.oldest(lowest);
  if (victim == nullptr) return false;  // all under way; the number of jobs bounds this
  if (victim->policy != nullptr) is_store_larger_ = true;
  ++evictions_;
  erase(entries_.find(*victim->name));
  return true;
}

void PolicyCache::put(const std::string& domain, CachedPolicy policy) {
  Entry& entry = make(domain);
  set_policy(entry, std::move(policy));
  save(domain, *entry.policy);
}

void PolicyCache::save_use(const std::string& domain, const CachedPolicy& policy) {
  save(domain, policy);
}

void PolicyCache::save(const std::string& domain, const CachedPolicy& policy) {
  database_.submit(
      Pace::kSoon,
      [domain, policy, rows = bound_.rows()](Transaction& transaction) -> Outcome<StoreError> {
        bool is_new = true;
        auto looked = transaction.query("SELECT 1 FROM policies WHERE domain = ?1", {domain},
                                        [&](const Row&) { is_new = false; });
        if (!looked.ok()) return looked;
        // What a wrong clock has cut from `expires` is not stored.
        auto written = transaction.run(
            "INSERT INTO policies (domain, id, body, fetched, expires, refresh_at, last_used, "
            "days_used) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (domain) DO UPDATE SET "
            "id = ?2, body = ?3, fetched = ?4, expires = ?5, refresh_at = ?6, last_used = ?7, "
            "days_used = ?8",
            {domain, policy.id, policy.body, to_seconds(policy.fetched),
             to_seconds(policy.fetched + policy.life()), to_seconds(policy.refresh_at),
             std::int64_t{policy.last_used_day}, std::int64_t{policy.days_used}});
        if (written.ok() && is_new) ++*rows;
        return written;
      },
      [this, alive = is_alive_, domain](const Outcome<StoreError>& result) {
        if (*alive) on_saved(domain, result);
      });
}

void PolicyCache::on_saved(const std::string& domain, const Outcome<StoreError>& result) {
  if (result.ok()) {
    unsaved_.erase(domain);
    if (is_store_failing_ && unsaved_.empty()) {
      is_store_failing_ = false;
      base::log_info("store can be written again, everything is saved");
    }
    bound_.check();
    return;
  }
  note_unwritten(result.error());
  if (unsaved_.size() < kMaxUnsaved) unsaved_.insert(domain);
}

void PolicyCache::note_unwritten(const base::Failure<StoreError>& why) {
  if (is_store_failing_) return;
  is_store_failing_ = true;
  base::log_error("store can't be written: policies are kept in memory and saved later",
                  {{"error", store_error_name(why.code)}, {"reason", why.detail}});
}

void PolicyCache::remember_unsaved() {
  const WallTime now = clock_.now();
  for (const auto& [domain, entry] : entries_) {
    if (entry.policy == nullptr || !entry.policy->is_live(now)) continue;
    if (unsaved_.size() < kMaxUnsaved) unsaved_.insert(domain);
  }
}

void PolicyCache::on_clock_step(const base::ClockStep& step) {
  ++clock_steps_;
  for (auto& [domain, entry] : entries_) move_times(entry, step);
  // Works run in the order of submit(): writes of before are moved, writes of after are not.
  database_.submit(
      Pace::kNow, [step](Transaction& transaction) { return move_stored_times(transaction, step); },
      [this, alive = is_alive_](const Outcome<StoreError>& result) {
        if (!*alive || result.ok()) return;
        note_unwritten(result.error());
        remember_unsaved();
      });
}

void PolicyCache::retry_store() {
  // One first: a disk that is still full costs one attempt.
  constexpr std::size_t kAtOnce = 1000;
  std::vector<std::string> names;
  for (const std::string& name : unsaved_) {
    names.push_back(name);
    if (names.size() >= kAtOnce) break;
  }
  for (const std::string& name : names) {
    const Entry* entry = find(name);
    if (entry != nullptr && entry->policy != nullptr) {
      save(name, *entry->policy);
    } else {
      unsaved_.erase(name);
    }
  }
}

void PolicyCache::save_all() {
  is_store_larger_ = false;
  remember_unsaved();
  is_store_failing_ = !unsaved_.empty();
  retry_store();
}

bool PolicyCache::may_be_in_store(std::string_view domain) const {
  return is_store_larger_ && entries_.find(domain) == entries_.end();
}

void PolicyCache::load_one(const std::string& domain, std::function<void(bool)> on_done) {
  ++store_reads_;
  auto row = std::make_shared<std::optional<PolicyRow>>();
  database_.submit(
      Pace::kNow,
      [domain, row](Transaction& transaction) {
        return transaction.query(STRICTMX_SELECT_POLICY "WHERE domain = ?1", {domain},
                                 [&](const Row& found) { *row = read_row(found); });
      },
      [this, alive = is_alive_, domain, row, steps = clock_steps_,
       on_done = std::move(on_done)](const Outcome<StoreError>&) {
        if (!*alive) return;
        const WallTime now = clock_.now();
        if (clock_steps_ != steps) return load_one(domain, on_done);
        const bool is_found = row->has_value();
        if (is_found) {
          (*row)->policy.cap_expiry(now);
          Entry& entry = make(domain);
          if (entry.policy == nullptr) set_policy(entry, std::move((*row)->policy));
        }
        on_done(is_found);
      });
}

void PolicyCache::due_for_refresh(std::int32_t since_day, std::size_t limit,
                                  std::function<void(std::vector<std::string>)> on_done) {
  auto names = std::make_shared<std::vector<std::string>>();
  const std::int64_t now = to_seconds(clock_.now());
  database_.submit(
      Pace::kNow,
      [names, now, since_day, limit](Transaction& transaction) {
        return transaction.query(
            "SELECT domain FROM policies WHERE refresh_at <= ?1 AND last_used >= ?2 "
            "ORDER BY refresh_at, expires LIMIT ?3",
            {now, std::int64_t{since_day}, static_cast<std::int64_t>(limit)},
            [&](const Row& row) { names->emplace_back(row.text(0)); });
      },
      [names, on_done = std::move(on_done)](const Outcome<StoreError>&) {
        on_done(std::move(*names));
      });
}

void PolicyCache::list(
    const std::string& after, std::size_t limit,
    std::function<void(base::Result<std::vector<PolicyRow>, StoreError>)> on_done) {
  auto rows = std::make_shared<std::vector<PolicyRow>>();
  database_.submit(
      Pace::kNow,
      [rows, after, limit](Transaction& transaction) {
        return transaction.query(STRICTMX_SELECT_POLICY
                                 "WHERE domain > ?1 ORDER BY domain LIMIT ?2",
                                 {after, static_cast<std::int64_t>(limit)}, [&](const Row& row) {
                                   auto read = read_row(row);
                                   if (read.has_value()) rows->push_back(std::move(*read));
                                 });
      },
      [this, alive = is_alive_, rows,
       on_done = std::move(on_done)](const Outcome<StoreError>& result) {
        if (!*alive) return;
        if (!result.ok()) return on_done(result.error());
        const WallTime now = clock_.now();
        for (PolicyRow& row : *rows) row.policy.cap_expiry(now);
        on_done(std::move(*rows));
      });
}

void PolicyCache::forget(const std::string& domain,
                         std::function<void(Outcome<StoreError>)> on_done) {
  Entry* entry = find(domain);
  if (entry != nullptr) {
    drop_policy(*entry);
    entry->trouble.reset();
    entry->checked_until = {};
    if (!entry->has_job) erase(entries_.find(domain));
  }
  unsaved_.erase(domain);
  database_.submit(
      Pace::kNow,
      [domain](Transaction& transaction) {
        return transaction.run("DELETE FROM policies WHERE domain = ?1", {domain});
      },
      std::move(on_done));
}

void PolicyCache::forget_all(std::function<void(Outcome<StoreError>)> on_done) {
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    drop_policy(entry);
    entry.trouble.reset();
    entry.checked_until = {};
    at = entry.has_job ? std::next(at) : erase(at);
  }
  unsaved_.clear();
  database_.submit(
      Pace::kNow,
      [rows = bound_.rows()](Transaction& transaction) {
        *rows = 0;
        return transaction.run("DELETE FROM policies", {});
      },
      std::move(on_done));
}

void PolicyCache::sweep(std::int32_t since_day) {
  const WallTime now = clock_.now();
  for (auto at = entries_.begin(); at != entries_.end();) {
    const Entry& entry = at->second;
    const bool is_idle_policy = entry.policy != nullptr && !entry.policy->is_live(now) &&
                                entry.policy->last_used_day < since_day;
    const bool is_stale_absence = entry.policy == nullptr && entry.checked_until < now &&
                                  (entry.trouble == nullptr || entry.trouble->retry_at < now);
    at = !entry.has_job && (is_idle_policy || is_stale_absence) ? erase(at) : std::next(at);
  }
  bound_.note_sweep();
  const std::int64_t now_seconds = to_seconds(now);
  database_.submit(
      Pace::kSoon,
      [now_seconds, since_day](Transaction& transaction) {
        return transaction.run("DELETE FROM policies WHERE expires < ?1 AND last_used < ?2",
                               {now_seconds, std::int64_t{since_day}});
      },
      [](const Outcome<StoreError>&) {});
}

}  // namespace strictmx::mta_sts
