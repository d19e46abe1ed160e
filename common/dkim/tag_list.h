// tag_list.h - "name=value; name=value", the form of signatures and key records (RFC 6376 §3.2).
//
// Use: TagList::parse(), then find() by name.
// Ownership: borrows the text, which must outlive the list. Threads: a value.
// Errors: TagListError with the reason. White space after the last ";" is accepted beyond the
// grammar, because published records and folded fields have it.
// Limits: kMaxTags.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace strictmx::dkim {

// Fourteen are registered for signatures, nine for keys.
inline constexpr std::size_t kMaxTags = 32;

enum class TagListError {
  kSyntax,
  kRepeated,  // §3.2: a repeated name makes the whole list invalid
  kTooMany,
};

struct Tag {
  std::string_view name;
  std::string_view value;  // without white space at both ends
  std::string_view whole;  // all between "=" and ";"
};

class TagList {
 public:
  static base::Result<TagList, TagListError> parse(std::string_view text);

  const Tag* find(std::string_view name) const;  // names have letter case (§3.2)
  // The value, or what holds without the tag.
  std::string_view value_or(std::string_view name, std::string_view otherwise) const;
  const std::vector<Tag>& tags() const { return tags_; }  // in order, at least one

 private:
  std::vector<Tag> tags_;
};

// Parts between ":" without white space around them; one empty part for an empty text.
std::vector<std::string_view> split_at_colons(std::string_view value);
std::string without_white_space(std::string_view value);
std::string_view trimmed(std::string_view text);

// A base64 value, which may be folded (§3.2 base64string).
std::optional<std::string> decode_base64_tag(std::string_view value);

}  // namespace strictmx::dkim
