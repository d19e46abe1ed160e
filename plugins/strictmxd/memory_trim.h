// memory_trim.h - gives back to the system what a burst of resolutions used: each TLS session takes
// some 100 KiB, and many at once leave the heap that large.
//
// Use: note_resolution() at the end of each. Ownership: borrows loop and resolver.
// Threads: the loop's thread. A trim takes a few milliseconds; it comes only when nothing is under
// way, and not for a few resolutions.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/base/event_loop.h"
#include "common/base/process.h"
#include "common/mta_sts/policy_resolver.h"

namespace strictmx::daemon {

class MemoryTrim {
 public:
  MemoryTrim(base::EventLoop& loop, const mta_sts::PolicyResolver& policies)
      : policies_(policies), timer_(loop, [this] { on_quiet(); }) {}

  void note_resolution() {
    if (++resolutions_ != kWorthIt) return;
    timer_.start(kQuiet);
  }

 private:
  static constexpr std::uint64_t kWorthIt = 100;
  static constexpr std::chrono::milliseconds kQuiet{500};

  void on_quiet() {
    if (policies_.jobs() > 0) {
      timer_.start(kQuiet);
      return;
    }
    resolutions_ = 0;
    base::release_free_memory();
  }

  const mta_sts::PolicyResolver& policies_;
  base::Timer timer_;
  std::uint64_t resolutions_ = 0;  // since the last trim
};

}  // namespace strictmx::daemon
