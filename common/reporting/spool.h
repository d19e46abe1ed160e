// spool.h - results that were taken in and are not in the store yet: append-only files on disk.
//
// A datagram is received straight into the page cache of a file (spool_segment.h), so that nothing
// is lost when the process is killed, whenever that is. It is brought onto the disk within
// sync_interval, so that a power cut takes no more than that.
//
// Use: open() with the position up to which the store has applied it; receive() and append() put
// records in, read() gives those behind a position, drop_before() deletes files whose records are
// on the disk by way of the store. Each process begins a new file; those left by earlier ones are
// only read.
// Ownership: borrows the clock. Threads: all functions from any thread. One thread of its own makes
// the next file ahead, syncs and deletes, so that receiving does none of it.
// Errors: SpoolError. kFull: settings.max_bytes is reached or the disk is full; nothing was taken.
// Limits: settings.max_bytes over all files; a text over settings.max_text_bytes is refused.
// Units: bytes, UTC seconds.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/reporting/spool_segment.h"
#include "common/tlsrpt/result_datagram.h"

namespace strictmx::reporting {

struct SpoolSettings {
  std::string folder;
  std::uint64_t max_bytes = 256ULL * 1024 * 1024;  // results.max_spool_bytes
  std::size_t segment_bytes = 8ULL * 1024 * 1024;  // some 25,000 results
  std::size_t max_text_bytes = tlsrpt::kMaxDatagramBytes;
  std::chrono::milliseconds sync_interval{1000};
};

// Up to where records are applied. Segment numbers grow and are never used twice.
struct SpoolPosition {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  auto operator<=>(const SpoolPosition&) const = default;
};

struct SpoolBatch {
  std::string bytes;                 // what the records point into
  std::vector<SpoolRecord> records;  // in the order of their receipt
  SpoolPosition first;               // where the bytes begin
  SpoolPosition next;                // behind them
  std::uint64_t recovered = 0;
  std::uint64_t corrupt = 0;
  bool has_more = false;

  // Leaves the first `count` records alone; the others are read again.
  void keep_first(std::size_t count);
};

// Counters since start.
struct SpoolCounters {
  std::uint64_t taken = 0;
  std::uint64_t refused = 0;  // empty, or over max_text_bytes
  std::uint64_t full = 0;     // times that it became full
  std::uint64_t bytes = 0;    // of all files, now
  bool is_full = false;
};

enum class Received {
  kAll,    // the socket is empty
  kSome,   // `limit` was reached, or others want to append
  kFull,   // no room; what comes waits in the kernel
  kError,  // recv failed
};

class Spool {
 public:
  // `applied`: nothing before it is read again, and new files have greater numbers.
  static base::Result<std::unique_ptr<Spool>, SpoolError> open(SpoolSettings settings,
                                                               const base::Clock& clock,
                                                               SpoolPosition applied);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Takes what waits at a datagram socket, at most `limit`; does not block.
  Received receive(int socket, std::size_t limit);
  base::Outcome<SpoolError> append(std::string_view text);
  // After kFull; returns when there may be room, or after a moment.
  void wait_for_room();

  // Records behind `from`, about max_bytes of them or one file's. `max_bytes` must be above
  // max_text_bytes. Blocks for the disk. A file that can't be read is an error, and not the end of
  // what is in it: only one that has been cut off, or that a restart does not find, is passed over.
  base::Result<SpoolBatch, SpoolError> read(SpoolPosition from, std::size_t max_bytes) const;
  // All that this position lies behind is safe on the disk elsewhere.
  void drop_before(SpoolPosition position);
  // The oldest file there is.
  std::uint64_t first_segment() const;

  SpoolCounters counters() const;

 private:
  struct Segment {
    std::string path;
    std::uint64_t bytes = 0;
    std::shared_ptr<SegmentWriter> writer;  // null: left by an earlier process, or closed
    std::uint64_t end = 0;                  // of what this process wrote; 0: unknown
  };

  Spool(SpoolSettings settings, const base::Clock& clock);
  base::Outcome<SpoolError> find_segments(SpoolPosition applied);
  std::string path_of(std::uint64_t number) const;
  bool make_room();
  void note_full();
  void keep();
  void make_spare();
  void sync(const std::vector<std::shared_ptr<SegmentWriter>>& writers) const;
  std::uint64_t total_bytes() const;

  const SpoolSettings settings_;
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable keeper_wake_;
  std::condition_variable room_;
  // All below under mutex_.
  std::map<std::uint64_t, Segment> segments_;
  std::uint64_t next_number_ = 1;
  std::uint64_t active_ = 0;  // 0: none
  std::uint64_t spare_ = 0;   // made ahead, empty; 0: none
  std::vector<std::shared_ptr<SegmentWriter>> unsynced_;
  bool is_dirty_ = false;  // the active file, since the last sync
  bool may_try_ = true;    // to make a spare
  bool is_full_ = false;
  std::string extend_error_;  // that was logged; empty: the last file could be made
  bool is_ending_ = false;
  std::uint64_t taken_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t full_ = 0;
  std::atomic<int> appenders_ = 0;  // that wait for mutex_
  std::thread keeper_;
};

}  // namespace strictmx::reporting
