// broken_results.h - keeps some of the results that can't be read, for study, and says so.
//
// Use: note() each; it writes and logs no more often than once in kBrokenPause.
// Files: FOLDER/00 to FOLDER/99, the oldest replaced: a line with time and reason, an empty line,
// and the bytes as they came.
// Ownership: values. Threads: one at a time. Blocks for the disk. Errors: a file that can't be
// written is left out; the log line is there anyway.
// Limits: kMaxBrokenFiles files of at most a datagram's size.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "common/reporting/result_batch.h"

namespace strictmx::reporting {

inline constexpr std::size_t kMaxBrokenFiles = 100;
inline constexpr std::chrono::seconds kBrokenPause{1};

class BrokenResults {
 public:
  explicit BrokenResults(std::string folder) : folder_(std::move(folder)) {}

  void note(const BrokenText& broken, base::WallTime now, base::SteadyTime steady);

 private:
  std::size_t oldest_slot() const;
  std::string path_of(std::size_t slot) const;

  const std::string folder_;
  bool has_slot_ = false;
  std::size_t slot_ = 0;
  base::SteadyTime last_{};
  std::uint64_t passed_over_ = 0;
};

}  // namespace strictmx::reporting
