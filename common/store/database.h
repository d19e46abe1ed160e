// database.h - the one database, owned by one thread; all others hand it work.
//
// Use: submit(pace, work, done): `work` runs on the database's thread inside a transaction, with
// others that came meanwhile (group commit); `done` runs on the event loop after the commit.
// Ownership: the database outlives its callers' interest: callbacks not yet run when it is
// destroyed are dropped, work already submitted is done first.
// Threads: submit() from the loop's thread. `work` must touch nothing but its own captures.
// Errors: StoreError. kFull: the disk is full, nothing was written, try later. kCorrupt: the file
// was set aside and a new one begun; on_reset tells, so that what is in memory is written again.
// Limits: kMaxQueuedWork; beyond it submit() answers kBusy at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.h"

namespace strictmx::store {

// Work waiting for the thread. A disk that hangs must not fill memory.
inline constexpr std::size_t kMaxQueuedWork = 65536;

enum class StoreError {
  kBusy,     // too much work waits, or another process has the database
  kFull,     // no space left on the disk
  kCorrupt,  // the file is damaged
  kNewer,    // made by a newer strictmx: refused
  kSystem,   // anything else: permissions, I/O
};

const char* store_error_name(StoreError error);

// What a column holds: nothing, a number, or bytes.
using Value = std::variant<std::monostate, std::int64_t, std::string>;

// One row of a query; columns count from 0. Valid inside the row callback.
class Row {
 public:
  virtual ~Row() = default;
  virtual std::int64_t number(int column) const = 0;
  virtual std::string_view text(int column) const = 0;
};

// What `work` may do. `sql` is a string literal (it is kept) in the portable subset of SQL; its
// parameters are ?1, ?2, ...
class Transaction {
 public:
  virtual ~Transaction() = default;
  virtual base::Outcome<StoreError> run(const char* sql, const std::vector<Value>& parameters) = 0;
  virtual base::Outcome<StoreError> query(const char* sql, const std::vector<Value>& parameters,
                                          const std::function<void(const Row&)>& on_row) = 0;
};

using Work = std::function<base::Outcome<StoreError>(Transaction&)>;
using Done = std::function<void(base::Outcome<StoreError>)>;

enum class Pace {
  kNow,      // somebody waits for it
  kSoon,     // may wait a moment for others to share its commit
  kDurable,  // as kNow; `done` runs when it and all before it survive a power cut too
};

class Database {
 public:
  virtual ~Database() = default;
  virtual void submit(Pace pace, Work work, Done done) = 0;
};

}  // namespace strictmx::store
