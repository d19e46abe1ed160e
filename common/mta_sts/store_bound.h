// store_bound.h - keeps the number of stored policies below a limit, whatever is asked for.
//
// When there are more than that, rows go in this order: expired ones; those used on one day only,
// the longest unused first. A policy used on kDaysToKeep days or more is never taken: only sweep()
// of the cache ends it.
// Use: rows() is kept right by the works that write; check() after a write; note_sweep() each hour.
// Ownership: borrows database and clock. Threads: the loop's thread; rows() from any.
// Errors: none; a prune that fails is tried again after the next write.
// Limits: kPruneBatch rows a work, one work at a time, so that reads come between. Writes go on
// meanwhile: the limit is passed by what is written during a few works at most.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/base/clock.h"
#include "common/store/database.h"

namespace strictmx::mta_sts {

// cache.max_stored: about 400 MB of usual policies.
inline constexpr std::size_t kMaxStoredPolicies = 1000000;
// A few milliseconds of the database's thread, and many times what is written meanwhile.
inline constexpr std::int64_t kPruneBatch = 500;

class StoreBound {
 public:
  StoreBound(store::Database& database, const base::Clock& clock, std::size_t max_policies);
  ~StoreBound() { *is_alive_ = false; }
  StoreBound(const StoreBound&) = delete;
  StoreBound& operator=(const StoreBound&) = delete;

  // A running count. A work that is undone leaves it wrong; each prune and load counts again.
  using Rows = std::shared_ptr<std::atomic<std::int64_t>>;
  const Rows& rows() const { return rows_; }

  void check();
  void note_sweep();
  void set_max(std::size_t max_policies);
  std::uint64_t evictions() const { return evictions_; }

 private:
  // Below the limit by a part, so that pruning begins anew after thousands of writes, not each.
  std::int64_t goal() const { return max_ - max_ / 64; }
  void prune(bool counts_first);

  store::Database& database_;
  const base::Clock& clock_;
  std::int64_t max_;
  std::int64_t begin_at_;  // more rows than this begin a prune
  Rows rows_ = std::make_shared<std::atomic<std::int64_t>>(0);
  bool is_pruning_ = false;
  bool is_logged_ = false;  // once an episode, which ends with an hour without evictions
  std::uint64_t evictions_ = 0;
  std::uint64_t evictions_at_sweep_ = 0;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace strictmx::mta_sts
