// times.cc - see times.h.
#include "plugins/cli/times.h"

#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <optional>

#include "plugins/cli/terminal.h"

namespace strictmx::cli {
namespace {

std::optional<base::WallTime> read_utc(const std::string& text) {
  std::tm parts{};
  int length = 0;
  const int fields =
      std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &length);
  if (fields != 6 || length != static_cast<int>(text.size())) return std::nullopt;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return base::WallTime(std::chrono::seconds(timegm(&parts)));
}

}  // namespace

std::string span_in_words(std::chrono::seconds span) {
  struct Unit {
    std::int64_t seconds;
    std::string_view name;
  };
  for (const Unit& unit : {Unit{86400, "days"}, Unit{3600, "hours"}, Unit{60, "minutes"}}) {
    if (span.count() >= 2 * unit.seconds) {
      return fmt::format("{} {}", span.count() / unit.seconds, unit.name);
    }
  }
  return fmt::format("{} second{}", span.count(), span.count() == 1 ? "" : "s");
}

std::string with_distance(std::string_view time, base::WallTime now) {
  const auto read = read_utc(std::string(time));
  if (!read.has_value()) return shown(time);
  if (*read == now) return fmt::format("{} (now)", time);
  const bool is_future = *read > now;
  const std::string span = span_in_words(is_future ? *read - now : now - *read);
  return fmt::format("{} ({})", time, is_future ? "in " + span : span + " ago");
}

}  // namespace strictmx::cli
