// step_clock.h - a clock that notices when the wall clock is set.
//
// Use: give it to everybody as their Clock; set_on_step() tells who must put their times right.
// now() compares, before it answers, how far the wall clock and the monotonic clock have come since
// the last call, so that nobody is told a time of the new clock before the step was handled.
// Ownership: borrows the clock below it.
// Threads: the loop's thread. on_step runs inside now(), in the middle of whatever asked for the
// time: it must only change values in place (no entry may move or go), and may call now() itself.
// Units: as Clock. Errors: none.
// Limits: steps of kMaxClockStep and less pass unnoticed; every time kept must bear that much.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "common/base/clock.h"

namespace strictmx::base {

// An hour: what people set by hand for summer time, and more than NTP leaves to be corrected.
inline constexpr std::chrono::seconds kMaxClockStep{3600};

// At one moment, what the old clock would have said and what the new one says.
struct ClockStep {
  WallTime before{};
  WallTime now{};

  std::chrono::seconds delta() const { return now - before; }
};

class StepClock : public Clock {
 public:
  using OnStep = std::function<void(const ClockStep&)>;

  explicit StepClock(const Clock& clock);
  StepClock(const StepClock&) = delete;
  StepClock& operator=(const StepClock&) = delete;

  void set_on_step(OnStep on_step) { on_step_ = std::move(on_step); }

  WallTime now() const override;
  SteadyTime steady() const override { return clock_.steady(); }
  std::uint64_t steps() const { return steps_; }

 private:
  const Clock& clock_;
  OnStep on_step_;
  // Asking for the time is what moves these on.
  mutable WallTime last_now_;
  mutable SteadyTime last_steady_;
  mutable std::uint64_t steps_ = 0;
};

}  // namespace strictmx::base
