// times.h - times and spans as a person reads them.
//
// Threads: pure functions. Units: seconds; times are RFC 3339 in UTC.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/base/clock.h"

namespace strictmx::cli {

// "7 days", "90 minutes", "12 seconds": the largest unit of which there are at least two.
std::string span_in_words(std::chrono::seconds span);

// "2026-11-23T17:00:00Z (in 7 days)", "(2 hours ago)"; a text that is no such time stays alone.
std::string with_distance(std::string_view time, base::WallTime now);

}  // namespace strictmx::cli
