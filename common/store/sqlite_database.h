// sqlite_database.h - the Database on SQLite.
//
// Use: open() as the user the daemon runs as; file and folder must be writable for it.
// Ownership: borrows the loop. Threads: starts one thread; ends it in the destructor after the
// work that waits is done.
// Errors: open() gives kBusy where another process holds the store (its pid is in the detail),
// kNewer for a newer schema, kSystem for a path that can't be used. A corrupt file is renamed to
// PATH.corrupt-TIME (-2, -3, ... where that is taken) and a new one is begun; on_reset is then
// called on the loop. One that can't be opened for another reason stays where it is.
// Limits: one process a file, by a lock on PATH.lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/event_loop.h"
#include "common/store/database.h"

namespace strictmx::store {

// Counters since start; read on the loop's thread.
struct StoreCounters {
  std::uint64_t commits = 0;
  std::uint64_t works = 0;
  std::uint64_t failures = 0;
  std::uint64_t refused = 0;  // kMaxQueuedWork was reached
  std::uint64_t resets = 0;   // a corrupt file was set aside
};

class SqliteDatabase : public Database {
 public:
  static base::Result<std::unique_ptr<SqliteDatabase>, StoreError> open(
      base::EventLoop& loop, const std::string& path, std::function<void()> on_reset);
  ~SqliteDatabase() override;

  void submit(Pace pace, Work work, Done done) override;
  StoreCounters counters() const;
  std::size_t queued() const;

 private:
  class Core;
  explicit SqliteDatabase(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace strictmx::store
