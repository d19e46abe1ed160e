// step_clock_test.cc - what counts as a step of the wall clock, and what is told about it.
#include "common/base/step_clock.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/fakes/fake_clock.h"

namespace strictmx::base {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class SteppedClock : public testing::Test {
 public:
  SteppedClock() {
    clock.set_on_step([this](const ClockStep& step) {
      seen.push_back(step);
      inner = clock.now();
    });
  }

  fakes::FakeClock wall;
  StepClock clock{wall};
  std::vector<ClockStep> seen;
  WallTime inner{};
};

TEST_F(SteppedClock, OnlyMoreThanAnHourIsAStep) {
  struct Case {
    const char* name;
    seconds step;
    bool is_step;
  };
  const Case cases[] = {
      {"none", seconds(0), false},
      {"a second", seconds(1), false},
      {"59 minutes forward", minutes(59), false},
      {"59 minutes back", -minutes(59), false},
      {"an hour forward, summer time set by hand", hours(1), false},
      {"an hour back", -hours(1), false},
      {"a second more than an hour forward", seconds(3601), true},
      {"a second more than an hour back", -seconds(3601), true},
      {"a day forward", hours(24), true},
      {"a day back", -hours(24), true},
      {"from 1970 to now", hours(24 * 365 * 56), true},
      {"back to 1970", -hours(24 * 365 * 56), true},
  };
  for (const Case& c : cases) {
    for (const seconds passed : {seconds(0), seconds(1), seconds(86400 * 30)}) {
      SCOPED_TRACE(testing::Message() << c.name << ", after " << passed.count() << " s");
      seen.clear();
      wall.advance(passed);
      wall.step(c.step);
      const WallTime told = clock.now();
      EXPECT_EQ(told, wall.now());
      ASSERT_EQ(seen.size(), c.is_step ? 1u : 0u);
      EXPECT_EQ(clock.now(), wall.now());
      EXPECT_EQ(seen.size(), c.is_step ? 1u : 0u) << "one step is told once";
      if (!c.is_step) continue;
      EXPECT_EQ(seen[0].now, wall.now());
      EXPECT_EQ(seen[0].before, wall.now() - c.step);
      EXPECT_EQ(seen[0].delta(), c.step);
      EXPECT_EQ(inner, wall.now()) << "the callback may ask for the time";
    }
  }
}

TEST_F(SteppedClock, TimePassingIsNoStep) {
  for (int day = 0; day < 1000; ++day) {
    wall.advance(hours(24));
    EXPECT_EQ(clock.now(), wall.now());
  }
  EXPECT_TRUE(seen.empty());
}

TEST_F(SteppedClock, EachOfManyStepsIsTold) {
  for (const seconds step : {hours(24), -hours(24), -hours(24), hours(2400), hours(5)}) {
    wall.step(step);
    wall.advance(seconds(10));
    clock.now();
    ASSERT_FALSE(seen.empty());
    EXPECT_EQ(seen.back().delta(), step);
  }
  EXPECT_EQ(seen.size(), 5u);
  EXPECT_EQ(clock.steps(), 5u);
}

TEST_F(SteppedClock, SteadyTimePassesThrough) {
  wall.step(hours(24));
  EXPECT_EQ(clock.steady(), wall.steady());
  EXPECT_TRUE(seen.empty());
}

TEST_F(SteppedClock, WorksWithoutACallback) {
  clock.set_on_step(nullptr);
  wall.step(hours(24));
  EXPECT_EQ(clock.now(), wall.now());
  EXPECT_EQ(clock.steps(), 1u);
}

TEST(SystemClock, SteadyTimeGoesOn) {
  const SystemClock clock;
  const SteadyTime first = clock.steady();
  EXPECT_GT(first.time_since_epoch().count(), 0);
  EXPECT_GE(clock.steady(), first);
}

}  // namespace
}  // namespace strictmx::base
