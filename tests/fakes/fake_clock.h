// fake_clock.h - a clock that stands still until the test moves it.
#pragma once

#include <chrono>

#include "common/base/clock.h"

namespace strictmx::fakes {

class FakeClock : public base::Clock {
 public:
  base::WallTime now() const override { return now_; }
  base::SteadyTime steady() const override { return steady_; }

  void advance(std::chrono::seconds span) {
    now_ += span;
    steady_ += span;
  }
  // Somebody sets the wall clock; no time passes.
  void step(std::chrono::seconds span) { now_ += span; }

 private:
  // 2026-01-15T12:00:00Z, far from midnight.
  base::WallTime now_{std::chrono::seconds(1768478400)};
  base::SteadyTime steady_{std::chrono::hours(1000)};
};

}  // namespace strictmx::fakes
