// step_clock.cc - see step_clock.h.
#include "common/base/step_clock.h"

#include <cstdlib>
#include <string>

#include "common/base/log.h"

namespace strictmx::base {

StepClock::StepClock(const Clock& clock)
    : clock_(clock), last_now_(clock.now()), last_steady_(clock.steady()) {}

WallTime StepClock::now() const {
  const WallTime now = clock_.now();
  const SteadyTime steady = clock_.steady();
  // Whole seconds of the difference: the wall clock is read without its fraction, so that a step
  // of exactly kMaxClockStep may look a part of a second longer.
  const auto passed = steady - last_steady_;
  const auto delta = std::chrono::duration_cast<std::chrono::seconds>((now - last_now_) - passed);
  // Before the callback, so that its own now() finds nothing new.
  last_now_ = now;
  last_steady_ = steady;
  if (std::chrono::abs(delta) <= kMaxClockStep) return now;
  ++steps_;
  const WallTime before = now - delta;
  log_warning("wall clock was stepped: kept times are moved with it, policies are fetched anew",
              {{"direction", delta.count() > 0 ? "forward" : "back"},
               {"seconds", std::to_string(std::abs(delta.count()))},
               {"from", format_utc(before)},
               {"to", format_utc(now)}});
  if (on_step_) on_step_({before, now});
  return now;
}

}  // namespace strictmx::base
