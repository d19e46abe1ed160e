// reply_json.cc - see reply_json.h.
#include "common/service/reply_json.h"

#include <jansson.h>

namespace strictmx::service {

void set(const Json& object, const char* name, Json value) {
  json_object_set_new(object.get(), name, value.release());
}

void set_time(const Json& object, const char* name, base::WallTime time) {
  set(object, name, text_json(base::format_utc(time)));
}

void set_number(const Json& object, const char* name, std::uint64_t value) {
  set(object, name, Json(json_integer(static_cast<json_int_t>(value))));
}

void set_text_if_any(const Json& object, const char* name, const std::string& text) {
  if (!text.empty()) set(object, name, text_json(text));
}

Json texts_json(const std::vector<std::string>& texts, std::size_t max_items) {
  Json list(json_array());
  for (const std::string& text : texts) {
    if (json_array_size(list.get()) >= max_items) break;
    json_array_append_new(list.get(), text_json(text).release());
  }
  return list;
}

}  // namespace strictmx::service
