// report_schedule.h - when a report is due, and when it is tried again (RFC 8460 §4.1, §5.5).
//
// Use: due_time() when a day is planned; retry_wait() and is_given_up() after an attempt that
// failed.
// Threads: pure functions; equal input gives equal times, also after a restart.
#pragma once

#include <chrono>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/text_hash.h"
#include "common/reporting/day.h"

namespace strictmx::reporting {

// §4.1: receivers must not be flooded at midnight.
inline constexpr std::chrono::seconds kSpread{14400};
// A night that was missed is made up for soon, yet not in one burst.
inline constexpr std::chrono::seconds kMakeUpSpread{1800};
// §5.5: growing waits, up to a day in all.
inline constexpr std::chrono::seconds kFirstRetry{300};
inline constexpr std::chrono::seconds kLongestRetry{14400};
inline constexpr std::chrono::hours kRetryFor{24};
// So many attempts there are in any case: a machine that slept, or whose clock was set, has tried
// only once in a day.
inline constexpr unsigned kLeastAttempts = 4;

base::WallTime day_start(DayNumber day);

// Between 1 s and kSpread after the end of the UTC day `day`; where that is before `now`, between
// 1 s and kMakeUpSpread after `now`. The key is this store's own, so that no other site has the
// same times.
base::WallTime due_time(const base::HashKey& key, DayNumber day, std::string_view domain,
                        base::WallTime now);

// After so many attempts, the last of which failed: 5 min, 10 min, ... 4 h, 4 h.
std::chrono::seconds retry_wait(unsigned attempts);
bool is_given_up(base::WallTime first_attempt, unsigned attempts, base::WallTime now);

}  // namespace strictmx::reporting
