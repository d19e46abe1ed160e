// report_arguments.cc - see report_arguments.h.
#include "common/service/report_arguments.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace strictmx::service {
namespace {

using base::fail;

constexpr std::int64_t kUsualLimit = 100;

}  // namespace

Argument<reporting::DayNumber> day_argument(const ControlRequest& request) {
  const auto text = request.text("day");
  if (!text.has_value()) return std::optional<reporting::DayNumber>();
  const auto day = reporting::read_day(*text);
  if (!day.has_value()) return fail(std::monostate{}, "not a day as in 2026-11-24: " + *text);
  return day;
}

Argument<base::DomainName> domain_argument(const ControlRequest& request) {
  const auto text = request.text("domain");
  if (!text.has_value()) return std::optional<base::DomainName>();
  auto domain = base::DomainName::parse(*text);
  if (!domain.ok()) return fail(std::monostate{}, "domain: " + domain.error().detail);
  return std::optional<base::DomainName>(std::move(domain).value());
}

std::size_t limit_argument(const ControlRequest& request, std::size_t most) {
  const std::int64_t wanted = request.number("limit").value_or(kUsualLimit);
  return static_cast<std::size_t>(
      std::clamp<std::int64_t>(wanted, 1, static_cast<std::int64_t>(most)));
}

}  // namespace strictmx::service
