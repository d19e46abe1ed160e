// policy_cache.cc - see policy_cache.h.
#include "common/mta_sts/policy_cache.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"

namespace strictmx::mta_sts {
namespace {

using base::done;
using base::Outcome;
using base::WallTime;
using store::Pace;
using store::Row;
using store::StoreError;
using store::Transaction;

// Entries looked at to find one to evict; near enough to the least recently used.
constexpr std::size_t kEvictionSample = 8;
constexpr std::size_t kEvictionBuckets = 4096;  // empty buckets walked at most, for a bounded time

// One column list for every statement that reads whole rows; read_row() knows its order.
#define STRICTMX_SELECT_POLICY \
  "SELECT domain, id, body, fetched, expires, refresh_at, last_used, days_used FROM policies "

std::int64_t to_seconds(WallTime time) { return time.time_since_epoch().count(); }
WallTime from_seconds(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

// A row that we wrote reads back as it was; one that somebody else changed may not, and is left.
std::optional<PolicyRow> read_row(const Row& row) {
  const auto parsed = parse_policy(row.text(2));
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
  out.policy.mode = parsed.value().mode;
  return out;
}

}  // namespace

std::int32_t utc_day(WallTime time) {
  return static_cast<std::int32_t>(
      std::chrono::floor<std::chrono::days>(time).time_since_epoch().count());
}

Policy CachedPolicy::parsed() const {
  auto policy = parse_policy(body);
  return policy.ok() ? std::move(policy).value() : Policy{};
}

PolicyCache::PolicyCache(store::Database& database, const base::Clock& clock,
                         std::size_t max_entries)
    : database_(database), clock_(clock), max_entries_(max_entries) {}

void PolicyCache::load(std::function<void(Outcome<StoreError>)> on_done) {
  struct Loaded {
    std::vector<PolicyRow> rows;
    std::int64_t total = 0;
  };
  auto loaded = std::make_shared<Loaded>();
  const auto limit = static_cast<std::int64_t>(max_entries_);
  database_.submit(
      Pace::kNow,
      [loaded, limit](Transaction& transaction) -> Outcome<StoreError> {
        auto counted = transaction.query("SELECT COUNT(*) FROM policies", {},
                                         [&](const Row& row) { loaded->total = row.number(0); });
        if (!counted.ok()) return counted;
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
      [this, alive = is_alive_, loaded,
       on_done = std::move(on_done)](const Outcome<StoreError>& result) {
        if (!*alive) return;
        if (result.ok()) {
          entries_.reserve(loaded->rows.size());
          for (PolicyRow& row : loaded->rows) {
            Entry& entry = entries_[std::move(row.domain)];
            if (entry.policy == nullptr) set_policy(entry, std::move(row.policy));
          }
          is_store_larger_ = static_cast<std::size_t>(loaded->total) > loaded->rows.size();
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
  return entries_[std::string(domain)];
}

void PolicyCache::set_policy(Entry& entry, CachedPolicy policy) {
  if (entry.policy != nullptr) body_bytes_ -= entry.policy->body.size();
  policy.body.shrink_to_fit();
  body_bytes_ += policy.body.size();
  entry.policy = std::make_unique<CachedPolicy>(std::move(policy));
}

void PolicyCache::drop_policy(Entry& entry) {
  if (entry.policy == nullptr) return;
  body_bytes_ -= entry.policy->body.size();
  entry.policy.reset();
}

PolicyCache::Map::iterator PolicyCache::erase(Map::iterator at) {
  drop_policy(at->second);
  return entries_.erase(at);
}

void PolicyCache::make_room() {
  // More than one may have to go for a large policy; the rest goes with the next entries.
  constexpr int kMostAtOnce = 16;
  for (int i = 0; i < kMostAtOnce; ++i) {
    const bool is_full =
        entries_.size() >= max_entries_ || body_bytes_ > max_entries_ * kMeanPolicyBytes;
    if (!is_full || !evict_one()) return;
  }
}

bool PolicyCache::evict_one() {
  // Walks on from where the last eviction ended, so that every entry gets its turn.
  const std::size_t buckets = entries_.bucket_count();
  const std::string* victim = nullptr;
  const Entry* victim_entry = nullptr;
  std::size_t seen = 0;
  const auto is_better = [](const Entry& a, const Entry& b) {
    const bool a_has = a.policy != nullptr;
    const bool b_has = b.policy != nullptr;
    if (a_has != b_has) return !a_has;
    const bool a_once = a_has && a.policy->days_used < 2;
    const bool b_once = b_has && b.policy->days_used < 2;
    if (a_once != b_once) return a_once;
    return a.last_asked < b.last_asked;
  };
  for (std::size_t step = 0; step < kEvictionBuckets && seen < kEvictionSample; ++step) {
    eviction_cursor_ = (eviction_cursor_ + 1) % buckets;
    for (auto at = entries_.begin(eviction_cursor_); at != entries_.end(eviction_cursor_); ++at) {
      if (at->second.has_job) continue;
      ++seen;
      if (victim_entry != nullptr && !is_better(at->second, *victim_entry)) continue;
      victim = &at->first;
      victim_entry = &at->second;
    }
  }
  if (victim == nullptr) return false;  // all under way; the number of jobs bounds this
  if (victim_entry->policy != nullptr) is_store_larger_ = true;
  ++evictions_;
  erase(entries_.find(*victim));
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
      [domain, policy](Transaction& transaction) {
        return transaction.run(
            "INSERT INTO policies (domain, id, body, fetched, expires, refresh_at, last_used, "
            "days_used) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (domain) DO UPDATE SET "
            "id = ?2, body = ?3, fetched = ?4, expires = ?5, refresh_at = ?6, last_used = ?7, "
            "days_used = ?8",
            {domain, policy.id, policy.body, to_seconds(policy.fetched), to_seconds(policy.expires),
             to_seconds(policy.refresh_at), std::int64_t{policy.last_used_day},
             std::int64_t{policy.days_used}});
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
    return;
  }
  if (!is_store_failing_) {
    is_store_failing_ = true;
    base::log_error(
        "store can't be written: policies are kept in memory and saved later",
        {{"error", store_error_name(result.error().code)}, {"reason", result.error().detail}});
  }
  if (unsaved_.size() < kMaxUnsaved) unsaved_.insert(domain);
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
  const WallTime now = clock_.now();
  for (const auto& [domain, entry] : entries_) {
    if (entry.policy == nullptr || !entry.policy->is_live(now)) continue;
    if (unsaved_.size() < kMaxUnsaved) unsaved_.insert(domain);
  }
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
      [this, alive = is_alive_, domain, row,
       on_done = std::move(on_done)](const Outcome<StoreError>&) {
        if (!*alive) return;
        const bool is_found = row->has_value();
        if (is_found) {
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
            "ORDER BY refresh_at LIMIT ?3",
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
      [rows, on_done = std::move(on_done)](const Outcome<StoreError>& result) {
        if (!result.ok()) return on_done(result.error());
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
      [](Transaction& transaction) { return transaction.run("DELETE FROM policies", {}); },
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
