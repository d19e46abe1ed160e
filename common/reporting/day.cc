// day.cc - see day.h.
#include "common/reporting/day.h"

#include <chrono>

namespace strictmx::reporting {

DayNumber day_of(base::WallTime time) {
  return std::chrono::floor<std::chrono::days>(time).time_since_epoch().count();
}

std::string day_text(DayNumber day) {
  return base::format_utc(base::WallTime(std::chrono::days(day))).substr(0, 10);
}

std::optional<DayNumber> read_day(std::string_view text) {
  const auto midnight = base::parse_utc(std::string(text) + "T00:00:00Z");
  if (!midnight.has_value()) return std::nullopt;
  return day_of(*midnight);
}

}  // namespace strictmx::reporting
