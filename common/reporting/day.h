// day.h - UTC days, by number since 1970-01-01 and as RFC 3339 dates.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"

namespace strictmx::reporting {

using DayNumber = std::int64_t;

DayNumber day_of(base::WallTime time);
// "2026-11-24".
std::string day_text(DayNumber day);
// No value: not a date of the calendar in this form.
std::optional<DayNumber> read_day(std::string_view text);

}  // namespace strictmx::reporting
