// cache_entry.cc - see cache_entry.h.
#include "common/mta_sts/cache_entry.h"

#include <utility>

namespace strictmx::mta_sts {

std::int32_t utc_day(base::WallTime time) {
  return static_cast<std::int32_t>(
      std::chrono::floor<std::chrono::days>(time).time_since_epoch().count());
}

Policy CachedPolicy::parsed() const {
  auto policy = parse_accepted_policy(body);
  return policy.ok() ? std::move(policy).value() : Policy{};
}

}  // namespace strictmx::mta_sts
