// report_schedule_test.cc - RFC 8460 §4.1 (spread) and §5.5 (retries).
#include "common/reporting/report_schedule.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace strictmx::reporting {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr base::HashKey kKey{0x0123456789abcdef, 0xfedcba9876543210};
constexpr DayNumber kDay = 20000;

std::string domain(int number) { return "d" + std::to_string(number) + ".example"; }

TEST(ReportSchedule, IsWithinFourHoursAfterTheDayHasEnded) {
  const base::WallTime midnight = day_start(kDay + 1);
  for (int i = 0; i < 20000; ++i) {
    const base::WallTime due = due_time(kKey, kDay, domain(i), midnight);
    ASSERT_GE(due - midnight, seconds(1)) << domain(i);
    ASSERT_LE(due - midnight, seconds(14400)) << domain(i);
  }
}

TEST(ReportSchedule, SpreadsDomainsEvenly) {
  const base::WallTime midnight = day_start(kDay + 1);
  int quarters[4] = {};
  for (int i = 0; i < 20000; ++i) {
    const auto delay = due_time(kKey, kDay, domain(i), midnight) - midnight;
    ++quarters[(delay.count() - 1) / 3600];
  }
  for (const int count : quarters) EXPECT_NEAR(count, 5000, 400);
}

TEST(ReportSchedule, IsTheSameAfterARestartAndAnotherEachDayAndSite) {
  const base::WallTime midnight = day_start(kDay + 1);
  EXPECT_EQ(due_time(kKey, kDay, "a.example", midnight),
            due_time(kKey, kDay, "a.example", midnight + seconds(0)));
  std::set<seconds> delays;
  for (DayNumber day = kDay; day < kDay + 50; ++day) {
    delays.insert(due_time(kKey, day, "a.example", day_start(day + 1)) - day_start(day + 1));
  }
  EXPECT_GT(delays.size(), 45U);
  EXPECT_NE(due_time(kKey, kDay, "a.example", midnight),
            due_time({1, 2}, kDay, "a.example", midnight));
}

TEST(ReportSchedule, MakesUpForAMissedNightSoonYetSpread) {
  const base::WallTime now = day_start(kDay + 5) + hours(11);
  std::set<base::WallTime> times;
  for (int i = 0; i < 5000; ++i) {
    const base::WallTime due = due_time(kKey, kDay, domain(i), now);
    ASSERT_GT(due, now);
    ASSERT_LE(due, now + kMakeUpSpread);
    times.insert(due);
  }
  EXPECT_GT(times.size(), 1500U);
}

TEST(ReportSchedule, WaitsGrowAndStayWithinFourHours) {
  EXPECT_EQ(retry_wait(1), minutes(5));
  EXPECT_EQ(retry_wait(2), minutes(10));
  EXPECT_EQ(retry_wait(3), minutes(20));
  EXPECT_EQ(retry_wait(6), minutes(160));
  EXPECT_EQ(retry_wait(7), hours(4));
  EXPECT_EQ(retry_wait(4000000000U), hours(4));
}

TEST(ReportSchedule, GivesUpAfterADayOfAttempts) {
  base::WallTime now = day_start(kDay);
  const base::WallTime first = now;
  unsigned attempts = 1;
  while (!is_given_up(first, attempts, now)) {
    now += retry_wait(attempts++);
    ASSERT_LT(attempts, 100U);
  }
  EXPECT_GE(now - first, hours(24));
  EXPECT_LE(now - first, hours(28));
  EXPECT_GE(attempts, 8U);
}

TEST(ReportSchedule, AClockThatWasSetIsNoReasonToGiveUp) {
  const base::WallTime first = day_start(kDay);
  EXPECT_FALSE(is_given_up(first, 1, first + hours(24 * 400)));
  EXPECT_FALSE(is_given_up(first, 50, first - hours(5)));
}

}  // namespace
}  // namespace strictmx::reporting
