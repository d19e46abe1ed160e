// result_rows.h - the SQL of results: writes a batch, reads counters, drops old days.
//
// Use: inside a store::Work. Tables: store/schema.h. Threads: the database's thread.
// Errors: StoreError, as the transaction gives it.
// Limits: those of result_store.h.
#pragma once

#include "common/base/text_hash.h"
#include "common/reporting/result_batch.h"
#include "common/reporting/result_store.h"
#include "common/reporting/store_read.h"
#include "common/store/database.h"

namespace strictmx::reporting {

StoreResult<SpoolPosition> read_position(store::Transaction& transaction);
StoreOutcome write_position(store::Transaction& transaction, SpoolPosition position);

// What texts are found by in this store.
StoreResult<base::HashKey> read_text_key(store::Transaction& transaction);

// Adds all counters; the number of rows that were folded (kMaxRowsADomain).
StoreResult<std::uint64_t> write_rows(store::Transaction& transaction, const base::HashKey& key,
                                      const ResultBatch::Rows& rows);

// The newest day with results before this one.
StoreResult<std::optional<DayNumber>> day_before(store::Transaction& transaction, DayNumber day);
StoreResult<std::vector<std::string>> read_domains(store::Transaction& transaction, DayNumber day,
                                                   const std::string& after, std::size_t limit);
StoreResult<DomainResults> read_results(store::Transaction& transaction, DayNumber day,
                                        const std::string& domain);
StoreResult<ResultPage> read_page(store::Transaction& transaction, const ResultQuery& query);

// `keep` days before today or before the newest one that is stored, whichever is earlier: a clock
// that is ahead takes nothing away.
StoreResult<DayNumber> first_kept_day(store::Transaction& transaction, DayNumber today,
                                      DayNumber keep);
// Deletes at most kMaxDroppedAtOnce rows of days before that, then texts that none names any more.
// True: there is more.
StoreResult<bool> drop_old_rows(store::Transaction& transaction, DayNumber today, DayNumber keep);

}  // namespace strictmx::reporting
