// changes.h - what would have to happen for another rule to hold, in sentences for an operator.
//
// Use: what_would_change() on a verdict that was asked for with the MX hosts. Threads: pure.
#pragma once

#include <string>
#include <vector>

#include "common/verdict/verdict.h"

namespace strictmx::verdict {

std::vector<std::string> what_would_change(const Verdict& verdict);

}  // namespace strictmx::verdict
