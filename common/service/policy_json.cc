// policy_json.cc - see policy_json.h.
#include "common/service/policy_json.h"

#include <jansson.h>

#include "common/service/reply_json.h"

namespace strictmx::service {

Json policy_json(const std::string& domain, const mta_sts::CachedPolicy& policy,
                 base::WallTime now) {
  const mta_sts::Policy parsed = policy.parsed();
  Json object(json_object());
  set(object, "domain", text_json(domain));
  set(object, "mode", text_json(mta_sts::policy_mode_name(policy.mode)));
  set(object, "id", text_json(policy.id));
  set(object, "mx", texts_json(parsed.mx));
  set(object, "max_age", Json(json_integer(parsed.max_age.count())));
  set_time(object, "fetched", policy.fetched);
  set_time(object, "expires", policy.expires);
  set_time(object, "refresh_at", policy.refresh_at);
  set(object, "live", Json(json_boolean(policy.is_live(now))));
  return object;
}

}  // namespace strictmx::service
