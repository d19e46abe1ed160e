// store_read.h - what a function of rows gives, handed to a callback on the loop.
//
// Use: read_with<T>(database, [](Transaction&) -> StoreResult<T> {...}, callback).
// Threads: called on the loop's thread; `read` runs on the database's thread and must touch nothing
// but its own captures; the callback runs on the loop, after the call has returned.
// Errors: StoreError, as `read` or the commit gives it.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "common/store/database.h"

namespace strictmx::reporting {

using StoreOutcome = base::Outcome<store::StoreError>;
template <class T>
using StoreResult = base::Result<T, store::StoreError>;

template <class T>
void read_with(store::Database& database, std::function<StoreResult<T>(store::Transaction&)> read,
               std::function<void(const StoreResult<T>&)> callback) {
  auto value = std::make_shared<T>();
  database.submit(
      store::Pace::kNow,
      [value, read = std::move(read)](store::Transaction& transaction) -> StoreOutcome {
        auto result = read(transaction);
        if (!result.ok()) return result.error();
        *value = std::move(result).value();
        return base::done();
      },
      [value, callback = std::move(callback)](const StoreOutcome& outcome) {
        if (outcome.ok()) {
          callback(std::move(*value));
        } else {
          callback(outcome.error());
        }
      });
}

}  // namespace strictmx::reporting
