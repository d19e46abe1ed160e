// signed_header.cc - see signed_header.h.
#include "common/dkim/signed_header.h"

#include <algorithm>
#include <map>

#include "common/base/domain_name.h"

namespace strictmx::dkim {

std::string signed_header(Canonicalization form, std::span<const HeaderField> fields,
                          std::span<const std::string> names, std::optional<std::size_t> own,
                          std::string_view unsigned_text) {
  // The fields of each name from top to bottom; what is selected is taken off the end.
  std::map<std::string, std::vector<std::string_view>, std::less<>> left;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i != own) left[base::ascii_lower(fields[i].name)].push_back(fields[i].text);
  }
  std::string out;
  for (const std::string& name : names) {
    const auto found = left.find(base::ascii_lower(name));
    if (found == left.end() || found->second.empty()) continue;
    append_canonical_field(form, found->second.back(), out);
    out.append("\r\n");
    found->second.pop_back();
  }
  append_canonical_field(form, unsigned_text, out);
  return out;
}

std::size_t count_fields(std::span<const HeaderField> fields, std::string_view name) {
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(),
                    [name](const HeaderField& field) { return is_same_name(field.name, name); }));
}

std::size_t count_names(std::span<const std::string> names, std::string_view name) {
  return static_cast<std::size_t>(
      std::count_if(names.begin(), names.end(),
                    [name](const std::string& one) { return is_same_name(one, name); }));
}

}  // namespace strictmx::dkim
