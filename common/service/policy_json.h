// policy_json.h - a cached policy in replies of control commands.
//
// Threads: stateless.
#pragma once

#include <string>

#include "common/base/clock.h"
#include "common/mta_sts/policy.h"
#include "common/mta_sts/policy_cache.h"
#include "common/service/json_answers.h"

namespace strictmx::service {

Json policy_json(const std::string& domain, const mta_sts::CachedPolicy& policy,
                 base::WallTime now);

}  // namespace strictmx::service
