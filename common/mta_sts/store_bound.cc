// store_bound.cc - see store_bound.h.
#include "common/mta_sts/store_bound.h"

#include <algorithm>
#include <string>

#include "common/base/log.h"
#include "common/mta_sts/cache_entry.h"

namespace strictmx::mta_sts {
namespace {

using base::Outcome;
using store::Row;
using store::StoreError;
using store::Transaction;

// Deletes in the order of the header; says how many went.
Outcome<StoreError> delete_some(Transaction& transaction, std::int64_t now, std::int64_t limit,
                                std::int64_t& deleted) {
  const auto count = [&deleted](const Row&) { ++deleted; };
  auto expired = transaction.query(
      "DELETE FROM policies WHERE domain IN (SELECT domain FROM policies WHERE expires < ?1 "
      "ORDER BY expires LIMIT ?2) RETURNING 1",
      {now, limit}, count);
  if (!expired.ok() || deleted >= limit) return expired;
  // The literal is kDaysToKeep: only so does the index policies_used_once serve.
  static_assert(kDaysToKeep == 2);
  return transaction.query(
      "DELETE FROM policies WHERE domain IN (SELECT domain FROM policies WHERE days_used < 2 "
      "ORDER BY last_used LIMIT ?1) RETURNING 1",
      {limit - deleted}, count);
}

}  // namespace

StoreBound::StoreBound(store::Database& database, const base::Clock& clock,
                       std::size_t max_policies)
    : database_(database),
      clock_(clock),
      max_(static_cast<std::int64_t>(max_policies)),
      begin_at_(max_) {}

void StoreBound::set_max(std::size_t max_policies) {
  max_ = static_cast<std::int64_t>(max_policies);
  begin_at_ = max_;
  check();
}

void StoreBound::check() {
  if (is_pruning_ || *rows_ <= begin_at_) return;
  is_pruning_ = true;
  prune(true);
}

void StoreBound::prune(bool counts_first) {
  struct Batch {
    std::int64_t deleted = 0;
    std::int64_t left = 0;
  };
  auto batch = std::make_shared<Batch>();
  const std::int64_t now = clock_.now().time_since_epoch().count();
  database_.submit(
      store::Pace::kSoon,
      [batch, now, counts_first, rows = rows_, max = max_,
       goal = goal()](Transaction& transaction) -> Outcome<StoreError> {
        if (counts_first) {
          auto counted = transaction.query("SELECT COUNT(*) FROM policies", {},
                                           [&](const Row& row) { *rows = row.number(0); });
          if (!counted.ok()) return counted;
        }
        batch->left = *rows;
        if (counts_first && batch->left <= max) return base::done();
        const std::int64_t limit = std::min(batch->left - goal, kPruneBatch);
        if (limit <= 0) return base::done();
        auto outcome = delete_some(transaction, now, limit, batch->deleted);
        if (!outcome.ok()) return outcome;
        *rows -= batch->deleted;
        batch->left = *rows;
        return base::done();
      },
      [this, alive = is_alive_, batch](const Outcome<StoreError>& result) {
        if (!*alive) return;
        const std::int64_t deleted = result.ok() ? batch->deleted : 0;
        evictions_ += static_cast<std::uint64_t>(deleted);
        if (deleted > 0 && !is_logged_) {
          is_logged_ = true;
          base::log_warning(
              "store holds cache.max_stored policies: expired ones and those used on one day only "
              "make room",
              {{"max_stored", std::to_string(max_)}});
        }
        if (deleted > 0 && batch->left > goal()) {
          prune(false);
          return;
        }
        is_pruning_ = false;
        // Where only kept policies are left, a flood's may still not pile up on top of them.
        begin_at_ = batch->left <= max_ ? max_ : batch->left + kPruneBatch;
      });
}

void StoreBound::note_sweep() {
  if (evictions_ == evictions_at_sweep_) is_logged_ = false;
  evictions_at_sweep_ = evictions_;
  begin_at_ = max_;
  check();
}

}  // namespace strictmx::mta_sts
