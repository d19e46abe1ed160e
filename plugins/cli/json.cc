// json.cc - see json.h.
#include "plugins/cli/json.h"

#include <jansson.h>

#include <cstdlib>

#include "common/base/json_extent.h"
#include "plugins/cli/terminal.h"

namespace strictmx::cli {
namespace {

std::string dump(const json_t* value, std::size_t flags) {
  const std::unique_ptr<char, void (*)(void*)> text(json_dumps(value, flags | JSON_ENSURE_ASCII),
                                                    std::free);
  return text == nullptr ? "null" : std::string(text.get());
}

}  // namespace

void JsonFree::operator()(json_t* value) const { json_decref(value); }

Json parse_json(std::string_view text) {
  // jansson descends up to 2048 levels; ours is a small part of that.
  if (base::json_extent(text).depth > kMaxJsonDepth) return nullptr;
  Json value(json_loadb(text.data(), text.size(), JSON_ALLOW_NUL, nullptr));
  return json_is_object(value.get()) ? std::move(value) : nullptr;
}

Json json_text(std::string_view text) {
  json_t* value = json_stringn(text.data(), text.size());
  if (value == nullptr) {
    const std::string escaped = shown(text);
    value = json_stringn(escaped.data(), escaped.size());
  }
  return Json(value);
}

Json json_texts(const std::vector<std::string>& texts) {
  Json list(json_array());
  for (const std::string& text : texts) {
    json_array_append_new(list.get(), json_text(text).release());
  }
  return list;
}

std::string print_json(const json_t* value) { return dump(value, JSON_INDENT(2)) + "\n"; }

std::string print_json_line(const json_t* value) { return dump(value, 0); }

const json_t* JsonView::find(const char* name) const { return json_object_get(value_, name); }

bool JsonView::has(const char* name) const {
  const json_t* found = find(name);
  return found != nullptr && !json_is_null(found);
}

bool JsonView::is_true(const char* name) const { return json_is_true(find(name)); }

std::string JsonView::text(const char* name) const {
  const json_t* found = find(name);
  if (!json_is_string(found)) return {};
  return {json_string_value(found), json_string_length(found)};
}

std::int64_t JsonView::number(const char* name) const {
  const json_t* found = find(name);
  return json_is_integer(found) ? json_integer_value(found) : 0;
}

JsonView JsonView::member(const char* name) const { return JsonView(find(name)); }

std::vector<JsonView> JsonView::items(const char* name) const {
  std::vector<JsonView> out;
  const json_t* list = find(name);
  for (std::size_t i = 0; i < json_array_size(list); ++i) {
    out.emplace_back(json_array_get(list, i));
  }
  return out;
}

std::vector<std::string> JsonView::texts(const char* name) const {
  std::vector<std::string> out;
  for (const JsonView& item : items(name)) {
    if (json_is_string(item.value_)) {
      out.emplace_back(json_string_value(item.value_), json_string_length(item.value_));
    }
  }
  return out;
}

std::vector<std::pair<std::string, JsonView>> JsonView::members() const {
  std::vector<std::pair<std::string, JsonView>> out;
  // Iterating takes a pointer to non-const, but changes nothing.
  auto* object = const_cast<json_t*>(value_);
  for (void* at = json_object_iter(object); at != nullptr; at = json_object_iter_next(object, at)) {
    out.emplace_back(json_object_iter_key(at), JsonView(json_object_iter_value(at)));
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> JsonView::text_members() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, value] : members()) {
    if (!json_is_string(value.get())) continue;
    out.emplace_back(name,
                     std::string(json_string_value(value.get()), json_string_length(value.get())));
  }
  return out;
}

}  // namespace strictmx::cli
