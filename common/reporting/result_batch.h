// result_batch.h - many spooled results as few counters.
//
// Use: construct from the records of one read of the spool; then rows(). A text that repeats is
// parsed once. `key` is one that senders don't know.
// Day: that of the session. It is the day of the receipt, unless the result names its own time, no
// later than kMaxAhead after the receipt and no earlier than `oldest`: a wrong clock of a sender
// must not make days that never were. Ownership: borrows the records' bytes. Threads: a value;
// pure. Limits: the caller's, by the number of bytes it read; and
// kMaxRowsABatch: the records behind that are left for the next batch.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/text_hash.h"
#include "common/reporting/day.h"
#include "common/reporting/spool_segment.h"
#include "common/tlsrpt/result_datagram.h"

namespace strictmx::reporting {

inline constexpr std::chrono::hours kMaxAhead{1};
// Broken texts that one batch hands on for study.
inline constexpr std::size_t kMaxBrokenABatch = 8;

// A row costs the store some ten microseconds, and everybody else waits for the transaction: a
// datagram may name a thousand failures. Only the first record of a batch may have more.
inline constexpr std::size_t kMaxRowsABatch = 5000;

struct SessionCounts {
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
};

struct BatchKey {
  DayNumber day = 0;
  std::string domain;
  auto operator<=>(const BatchKey&) const = default;
};

struct BrokenText {
  std::string_view text;
  base::Failure<tlsrpt::DatagramError> why;
};

struct BatchCounters {
  std::uint64_t results = 0;  // that were read and are in rows
  std::uint64_t parsed = 0;   // texts
  std::uint64_t other_version = 0;
  std::array<std::uint64_t, tlsrpt::kDatagramErrors> broken{};
};

class ResultBatch {
 public:
  // Texts as result_text.h writes them. By failure; the empty one, which is always there, counts
  // sessions by their final result.
  using Failures = std::map<std::string, SessionCounts>;
  // By policy. Its text stands here once: one of 64 KiB may have a thousand failures.
  using Counters = std::map<std::string, Failures>;
  using Rows = std::map<BatchKey, Counters>;

  ResultBatch(std::span<const SpoolRecord> records, DayNumber oldest, const base::HashKey& key);

  // How many of the records are in it.
  std::size_t used() const { return used_; }
  const Rows& rows() const { return rows_; }
  const BatchCounters& counters() const { return counters_; }
  const std::vector<BrokenText>& broken() const { return broken_; }

 private:
  // How often one text was received on each day: one day, or two around midnight.
  using Times = std::vector<std::pair<base::WallTime, std::uint64_t>>;
  void add(std::string_view text, const Times& times, DayNumber oldest);

  std::size_t used_ = 0;
  Rows rows_;
  BatchCounters counters_;
  std::vector<BrokenText> broken_;
};

}  // namespace strictmx::reporting
