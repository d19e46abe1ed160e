// result_store.cc - see result_store.h.
//
// One batch at a time: apply() -> work on the database's thread -> on_applied() -> the next batch
// while there is more. More load makes larger batches, up to kBatchBytes.
#include "common/reporting/result_store.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/reporting/result_rows.h"
#include "common/reporting/store_read.h"

namespace strictmx::reporting {
namespace {

using base::done;
using store::Pace;
using store::StoreError;
using store::Transaction;

void add_counters(BatchCounters& sum, const BatchCounters& more) {
  sum.results += more.results;
  sum.parsed += more.parsed;
  sum.other_version += more.other_version;
  for (std::size_t i = 0; i < sum.broken.size(); ++i) sum.broken[i] += more.broken[i];
}

}  // namespace

// What one batch's work found; the loop takes it over after the commit.
struct ResultStore::Applied {
  SpoolPosition position;
  BatchCounters batch;
  std::uint64_t recovered = 0;
  std::uint64_t corrupt = 0;
  std::uint64_t folded = 0;
  base::WallTime began{};
  bool has_more = false;
};

ResultStore::ResultStore(base::EventLoop& loop, store::Database& database, const base::Clock& clock,
                         ResultStoreSettings settings)
    : database_(database),
      clock_(clock),
      settings_(std::move(settings)),
      broken_(std::make_shared<BrokenResults>(settings_.broken_folder)),
      retry_(loop, [this] { apply_soon(); }) {}

ResultStore::~ResultStore() { *is_alive_ = false; }

void ResultStore::load(const Callback<SpoolPosition>& callback) {
  read_with<SpoolPosition>(database_, read_position, callback);
}

void ResultStore::start(std::shared_ptr<Spool> spool) {
  spool_ = std::move(spool);
  apply_soon();
}

void ResultStore::apply_soon() {
  if (spool_ == nullptr) return;
  has_more_ = true;
  if (!is_applying_) apply();
}

void ResultStore::apply() {
  is_applying_ = true;
  has_more_ = false;
  auto applied = std::make_shared<Applied>();
  const base::WallTime now = clock_.now();
  const DayNumber oldest = day_of(now - settings_.keep);
  database_.submit(
      Pace::kSoon,
      [applied, spool = spool_, broken = broken_, oldest, now,
       steady = clock_.steady()](Transaction& transaction) -> StoreOutcome {
        auto position = read_position(transaction);
        if (!position.ok()) return position.error();
        auto key = read_text_key(transaction);
        if (!key.ok()) return key.error();
        auto spooled = spool->read(position.value(), kBatchBytes);
        if (!spooled.ok()) return base::fail(StoreError::kSystem, spooled.error().detail);
        SpoolBatch read = std::move(spooled).value();
        const ResultBatch batch(read.records, oldest, key.value());
        read.keep_first(batch.used());
        auto folded = write_rows(transaction, key.value(), batch.rows());
        if (!folded.ok()) return folded.error();
        for (const BrokenText& text : batch.broken()) broken->note(text, now, steady);
        *applied = {read.next, batch.counters(), read.recovered, read.corrupt, folded.value(),
                    now,       read.has_more};
        if (read.next == position.value()) return done();
        return write_position(transaction, read.next);
      },
      [this, alive = is_alive_, applied](const StoreOutcome& outcome) {
        if (*alive) on_applied(*applied, outcome);
      });
}

void ResultStore::on_applied(const Applied& applied, const StoreOutcome& outcome) {
  is_applying_ = false;
  if (!outcome.ok()) {
    ++counters_.failures;
    if (!std::exchange(is_failing_, true)) {
      base::log_error("results can't be stored, they stay in the spool",
                      {{"reason", outcome.error().detail}});
    }
    has_more_ = true;
    retry_.start(kRetry);
    return;
  }
  if (std::exchange(is_failing_, false)) base::log_info("results are stored again");
  add_counters(counters_.batches, applied.batch);
  counters_.recovered += applied.recovered;
  counters_.corrupt += applied.corrupt;
  counters_.folded += applied.folded;
  if (applied.corrupt > 0) {
    base::log_error("spool of results is damaged: records were passed over",
                    {{"records", std::to_string(applied.corrupt)}});
  }
  drop_applied_segments(applied.position);
  if (!applied.has_more) complete_until_ = applied.began;
  if (!applied.has_more && on_caught_up_) std::exchange(on_caught_up_, nullptr)();
  if (applied.has_more || has_more_) apply();
}

void ResultStore::drop_applied_segments(SpoolPosition applied) {
  const std::uint64_t first = spool_->first_segment();
  if (is_dropping_segments_ || first == 0 || first >= applied.segment) return;
  is_dropping_segments_ = true;
  // What was applied may be in a store that has been set aside since: the one that is there says
  // what it has.
  auto position = std::make_shared<SpoolPosition>();
  database_.submit(
      Pace::kDurable,
      [position](Transaction& transaction) -> StoreOutcome {
        auto read = read_position(transaction);
        if (!read.ok()) return read.error();
        *position = read.value();
        return done();
      },
      [this, alive = is_alive_, position](const StoreOutcome& outcome) {
        if (!*alive) return;
        is_dropping_segments_ = false;
        if (outcome.ok()) spool_->drop_before(*position);
      });
}

void ResultStore::drop_old() {
  const DayNumber today = day_of(clock_.now());
  read_with<bool>(
      database_,
      [today, keep = settings_.keep.count()](Transaction& transaction) {
        return drop_old_rows(transaction, today, keep);
      },
      [this, alive = is_alive_](const StoreResult<bool>& has_more) {
        if (!*alive) return;
        if (!has_more.ok()) {
          base::log_warning("old results can't be dropped", {{"reason", has_more.error().detail}});
        } else if (has_more.value()) {
          drop_old();
        }
      });
}

void ResultStore::domains(DayNumber day, const std::string& after, std::size_t limit,
                          const Callback<std::vector<std::string>>& callback) const {
  read_with<std::vector<std::string>>(
      database_,
      [day, after, limit = std::min(limit, kMaxDomainsAPage)](Transaction& transaction) {
        return read_domains(transaction, day, after, limit);
      },
      callback);
}

void ResultStore::results(DayNumber day, const std::string& domain,
                          const Callback<DomainResults>& callback) const {
  read_with<DomainResults>(
      database_,
      [day, domain](Transaction& transaction) { return read_results(transaction, day, domain); },
      callback);
}

void ResultStore::list(const ResultQuery& query, const Callback<ResultPage>& callback) const {
  read_with<ResultPage>(
      database_, [query](Transaction& transaction) { return read_page(transaction, query); },
      callback);
}

}  // namespace strictmx::reporting
