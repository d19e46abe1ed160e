// policy_json.h - a cached policy, and other pieces that replies of control commands share.
//
// Threads: stateless. Limits: kMaxTextsShown of a list.
#pragma once

#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/mta_sts/policy.h"
#include "common/mta_sts/policy_cache.h"
#include "common/service/json_answers.h"

namespace strictmx::service {

// A domain has a handful of TXT records at a name, a policy at most kMaxMxPatterns; more are a
// flood and are not shown.
inline constexpr std::size_t kMaxTextsShown = mta_sts::kMaxMxPatterns;

void set(const Json& object, const char* name, Json value);
void set_time(const Json& object, const char* name, base::WallTime time);
Json texts_json(const std::vector<std::string>& texts);
Json policy_json(const std::string& domain, const mta_sts::CachedPolicy& policy,
                 base::WallTime now);

}  // namespace strictmx::service
