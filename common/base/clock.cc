// clock.cc - the system's clocks, and RFC 3339 text.
#include "common/base/clock.h"

#include <fmt/chrono.h>

#include <ctime>

namespace strictmx::base {

WallTime SystemClock::now() const {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady() const { return std::chrono::steady_clock::now(); }

std::string format_utc(WallTime time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return "invalid time";
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", parts);
}

}  // namespace strictmx::base
