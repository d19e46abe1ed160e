// date_time.h - reads the date-times of reports (RFC 8460 §4.4: RFC 3339 §5.6).
//
// Use: read_date_time(); base::format_utc() writes. Threads: pure.
// Limits: years 1970 to 9999, so that a time is a number of seconds that a file name can hold
// (RFC 8460 §5.1). A fraction of a second is dropped, a leap second is the second after it.
#pragma once

#include <optional>
#include <string_view>

#include "common/base/clock.h"

namespace strictmx::tlsrpt {

struct DateTime {
  base::WallTime time{};
  bool has_zone = true;  // without one, which RFC 3339 does not allow, the time is taken as UTC
};

// No value for anything else. RFC 3339 lets small letters and a blank stand for "T" and "Z".
std::optional<DateTime> read_date_time(std::string_view text);

}  // namespace strictmx::tlsrpt
