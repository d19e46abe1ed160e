// tag_list.cc - see tag_list.h.
#include "common/dkim/tag_list.h"

#include <algorithm>

#include "common/base/base64.h"
#include "common/base/log.h"

namespace strictmx::dkim {
namespace {

using base::fail;

constexpr std::string_view kFolding = " \t\r\n";  // the bytes of FWS (RFC 6376 §2.8)
constexpr std::size_t kMaxShownBytes = 40;        // of a peer's text in a failure

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// §3.2 tag-name.
bool is_tag_name(std::string_view text) {
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

// §3.2 tag-value: VALCHAR is printable US-ASCII without ";", between them FWS. A CR or LF is there
// as part of a fold only.
bool is_tag_value(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    const bool is_fold =
        (c == '\r' && next == '\n') || (c == '\n' && (next == ' ' || next == '\t'));
    if (!(c >= '!' && c <= '~') && c != ' ' && c != '\t' && !is_fold) return false;
  }
  return true;
}

base::Failure<TagListError> failure(TagListError code, std::string_view problem,
                                    std::string_view text) {
  std::string detail(problem);
  detail.append(": ");
  base::append_log_value(detail, text, kMaxShownBytes);
  detail.append(" (RFC 6376 §3.2)");
  return fail(code, std::move(detail));
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kFolding), text.size()));
  return text.substr(0, text.find_last_not_of(kFolding) + 1);
}

base::Result<TagList, TagListError> TagList::parse(std::string_view text) {
  TagList list;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(';', at), text.size());
    const std::string_view spec = text.substr(at, end - at);
    const bool is_last = end == text.size();
    at = end + 1;
    if (is_last && !list.tags_.empty() && trimmed(spec).empty()) break;
    const std::size_t equals = spec.find('=');
    if (equals == std::string_view::npos) {
      return failure(TagListError::kSyntax, "no name=value", spec);
    }
    const std::string_view whole = spec.substr(equals + 1);
    const Tag tag{trimmed(spec.substr(0, equals)), trimmed(whole), whole};
    if (!is_tag_name(tag.name)) return failure(TagListError::kSyntax, "no tag name", tag.name);
    if (!is_tag_value(tag.value)) return failure(TagListError::kSyntax, "no tag value", tag.value);
    if (list.find(tag.name) != nullptr) {
      return failure(TagListError::kRepeated, "repeated tag", tag.name);
    }
    if (list.tags_.size() == kMaxTags) {
      return failure(TagListError::kTooMany, "more than " + std::to_string(kMaxTags) + " tags",
                     tag.name);
    }
    list.tags_.push_back(tag);
  }
  return list;
}

const Tag* TagList::find(std::string_view name) const {
  const auto found =
      std::find_if(tags_.begin(), tags_.end(), [name](const Tag& tag) { return tag.name == name; });
  return found == tags_.end() ? nullptr : &*found;
}

std::string_view TagList::value_or(std::string_view name, std::string_view otherwise) const {
  const Tag* tag = find(name);
  return tag == nullptr ? otherwise : tag->value;
}

std::vector<std::string_view> split_at_colons(std::string_view value) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t colon = value.find(':');
    parts.push_back(trimmed(value.substr(0, colon)));
    if (colon == std::string_view::npos) return parts;
    value.remove_prefix(colon + 1);
  }
}

std::string without_white_space(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  std::copy_if(value.begin(), value.end(), std::back_inserter(out),
               [](char c) { return kFolding.find(c) == std::string_view::npos; });
  return out;
}

std::optional<std::string> decode_base64_tag(std::string_view value) {
  return base::base64_decode(without_white_space(value));
}

}  // namespace strictmx::dkim
