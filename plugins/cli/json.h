// json.h - JSON that the daemon sent, and JSON that we print.
//
// Use: parse_json(), then a JsonView to read members; missing ones read as empty, zero or false.
// Ownership: Json owns; a JsonView borrows from it. Threads: a value.
// Errors: parse_json() gives null for what is not one JSON object.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct json_t;  // jansson.h stays in source files

namespace strictmx::cli {

// The daemon's replies nest six levels; deeper text is not from it.
inline constexpr std::size_t kMaxJsonDepth = 32;

struct JsonFree {
  void operator()(json_t* value) const;
};
using Json = std::unique_ptr<json_t, JsonFree>;

Json parse_json(std::string_view text);
// A JSON string; bytes that are not UTF-8 are shown escaped.
Json json_text(std::string_view text);
Json json_texts(const std::vector<std::string>& texts);

// An object or array with indentation and a line end, in ASCII alone, so that a terminal can show
// it.
std::string print_json(const json_t* value);
// The same on one line, without a line end.
std::string print_json_line(const json_t* value);

class JsonView {
 public:
  explicit JsonView(const json_t* value) : value_(value) {}
  explicit JsonView(const Json& value) : value_(value.get()) {}

  bool has(const char* name) const;
  bool is_true(const char* name) const;
  std::string text(const char* name) const;
  std::int64_t number(const char* name) const;
  JsonView member(const char* name) const;
  std::vector<JsonView> items(const char* name) const;
  std::vector<std::string> texts(const char* name) const;
  // The members of this object, in their order.
  std::vector<std::pair<std::string, JsonView>> members() const;
  // Those of them that are texts.
  std::vector<std::pair<std::string, std::string>> text_members() const;

  const json_t* get() const { return value_; }

 private:
  const json_t* find(const char* name) const;

  const json_t* value_;
};

}  // namespace strictmx::cli
