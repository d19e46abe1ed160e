// clock.cc - the system's clocks, and RFC 3339 text.
#include "common/base/clock.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <charconv>
#include <ctime>

namespace strictmx::base {

WallTime SystemClock::now() const {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady() const {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return SteadyTime(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

std::string format_utc(WallTime time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return "invalid time";
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", parts);
}

std::optional<WallTime> parse_utc(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00Z";
  const bool has_form = text.size() == kForm.size() &&
                        std::equal(kForm.begin(), kForm.end(), text.begin(), [](char f, char c) {
                          return f == '0' ? c >= '0' && c <= '9' : f == c;
                        });
  if (!has_form) return std::nullopt;
  const auto number = [text](std::size_t at, std::size_t digits) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + digits, value);
    return value;
  };
  using std::chrono::day;
  using std::chrono::month;
  const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
                                         month(static_cast<unsigned>(number(5, 2))),
                                         day(static_cast<unsigned>(number(8, 2))));
  const int hours = number(11, 2);
  const int minutes = number(14, 2);
  const int seconds = number(17, 2);
  if (!date.ok() || hours > 23 || minutes > 59 || seconds > 59) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hours) + std::chrono::minutes(minutes) +
         std::chrono::seconds(seconds);
}

}  // namespace strictmx::base
