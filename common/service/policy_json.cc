// policy_json.cc - see policy_json.h.
#include "common/service/policy_json.h"

#include <jansson.h>

namespace strictmx::service {

void set(const Json& object, const char* name, Json value) {
  json_object_set_new(object.get(), name, value.release());
}

void set_time(const Json& object, const char* name, base::WallTime time) {
  set(object, name, text_json(base::format_utc(time)));
}

Json texts_json(const std::vector<std::string>& texts) {
  Json list(json_array());
  for (const std::string& text : texts) {
    if (json_array_size(list.get()) >= kMaxTextsShown) break;
    json_array_append_new(list.get(), text_json(text).release());
  }
  return list;
}

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
