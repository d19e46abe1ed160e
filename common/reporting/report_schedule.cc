// report_schedule.cc - see report_schedule.h.
#include "common/reporting/report_schedule.h"

#include <algorithm>
#include <string>

namespace strictmx::reporting {
namespace {

// From 1 s to `span`.
std::chrono::seconds delay(const base::HashKey& key, const std::string& text,
                           std::chrono::seconds span) {
  const auto seconds = static_cast<std::uint64_t>(span.count());
  return std::chrono::seconds(1 + base::text_hash(key, text) % seconds);
}

}  // namespace

base::WallTime day_start(DayNumber day) { return base::WallTime(std::chrono::days(day)); }

base::WallTime due_time(const base::HashKey& key, DayNumber day, std::string_view domain,
                        base::WallTime now) {
  std::string text = "report due " + day_text(day) + " ";
  text += domain;
  const base::WallTime due = day_start(day + 1) + delay(key, text, kSpread);
  return due >= now ? due : now + delay(key, text + " late", kMakeUpSpread);
}

std::chrono::seconds retry_wait(unsigned attempts) {
  std::chrono::seconds wait = kFirstRetry;
  for (unsigned i = 1; i < attempts && wait < kLongestRetry; ++i) wait *= 2;
  return std::min(wait, kLongestRetry);
}

bool is_given_up(base::WallTime first_attempt, unsigned attempts, base::WallTime now) {
  return attempts >= kLeastAttempts && now - first_attempt >= kRetryFor;
}

}  // namespace strictmx::reporting
