// report_arguments.h - what the control commands about results and reports are told: a day, a
// domain, how many.
//
// Use: inside a command; a failure's detail is for a "usage" error.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <variant>

#include "common/base/domain_name.h"
#include "common/base/result.h"
#include "common/reporting/day.h"
#include "common/service/control_server.h"

namespace strictmx::service {

template <class T>
using Argument = base::Result<std::optional<T>, std::monostate>;

// Nothing where the request names none.
Argument<reporting::DayNumber> day_argument(const ControlRequest& request);
// In A-labels.
Argument<base::DomainName> domain_argument(const ControlRequest& request);
// From 1 to `most`; 100 where the request has none.
std::size_t limit_argument(const ControlRequest& request, std::size_t most);

}  // namespace strictmx::service
