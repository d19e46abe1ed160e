// clock.h - the time, passed in so that tests can move it.
//
// Use: now() for what is stored or shown, steady() for measuring spans.
// Ownership: borrowed by everybody; outlives them. Threads: SystemClock from any thread.
// Units: now() is UTC in whole seconds. SystemClock::steady() goes on while the machine sleeps, so
// that waking up is no step of the wall clock; it is not to be mixed with std::chrono's.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace strictmx::base {

using WallTime = std::chrono::sys_seconds;
using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;
  virtual SteadyTime steady() const = 0;
};

class SystemClock : public Clock {
 public:
  WallTime now() const override;
  SteadyTime steady() const override;
};

// RFC 3339 in UTC, "2026-11-23T17:00:00Z".
std::string format_utc(WallTime time);
// The same text back; no value for anything else, also for dates that no calendar has.
std::optional<WallTime> parse_utc(std::string_view text);

}  // namespace strictmx::base
