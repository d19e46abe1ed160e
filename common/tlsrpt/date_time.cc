// date_time.cc - see date_time.h.
#include "common/tlsrpt/date_time.h"

#include <algorithm>

namespace strictmx::tlsrpt {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes parts off the front of the text; the first that does not fit makes all of it invalid.
class Parts {
 public:
  explicit Parts(std::string_view text) : rest_(text) {}

  int number(std::size_t digits, int least, int most) {
    int value = 0;
    const bool is_there =
        rest_.size() >= digits && std::all_of(rest_.begin(), rest_.begin() + digits, is_digit);
    for (std::size_t i = 0; is_there && i < digits; ++i) value = value * 10 + (rest_[i] - '0');
    if (!is_there || value < least || value > most) {
      is_valid_ = false;
      return least;
    }
    rest_.remove_prefix(digits);
    return value;
  }

  // The character that is one of `choices`, or NUL.
  char take(std::string_view choices) {
    if (rest_.empty() || choices.find(rest_.front()) == choices.npos) return '\0';
    const char taken = rest_.front();
    rest_.remove_prefix(1);
    return taken;
  }

  void need(std::string_view choices) { is_valid_ = take(choices) != '\0' && is_valid_; }

  void skip_fraction() {
    if (take(".") == '\0') return;
    number(1, 0, 9);
    rest_.remove_prefix(std::min(rest_.find_first_not_of("0123456789"), rest_.size()));
  }

  bool is_done() const { return is_valid_ && rest_.empty(); }
  bool is_empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool is_valid_ = true;
};

}  // namespace

std::optional<DateTime> read_date_time(std::string_view text) {
  Parts parts(text);
  const std::chrono::year year(parts.number(4, 1970, 9999));
  parts.need("-");
  const std::chrono::month month(static_cast<unsigned>(parts.number(2, 1, 12)));
  parts.need("-");
  const std::chrono::day day(static_cast<unsigned>(parts.number(2, 1, 31)));
  parts.need("Tt ");
  seconds of_day = hours(parts.number(2, 0, 23));
  parts.need(":");
  of_day += minutes(parts.number(2, 0, 59));
  parts.need(":");
  of_day += seconds(parts.number(2, 0, 60));
  parts.skip_fraction();

  DateTime out;
  seconds offset{0};
  if (parts.is_empty()) {
    out.has_zone = false;
  } else if (const char sign = parts.take("+-"); sign != '\0') {
    offset = hours(parts.number(2, 0, 23));
    parts.need(":");
    offset += minutes(parts.number(2, 0, 59));
    if (sign == '-') offset = -offset;
  } else {
    parts.need("Zz");
  }
  const std::chrono::year_month_day date(year, month, day);
  if (!parts.is_done() || !date.ok()) return std::nullopt;
  out.time = std::chrono::sys_days(date) + of_day - offset;
  const base::WallTime end = std::chrono::sys_days(std::chrono::year(10000) / 1 / 1);
  if (out.time < base::WallTime{} || out.time >= end) return std::nullopt;
  return out;
}

}  // namespace strictmx::tlsrpt
