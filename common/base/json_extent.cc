// json_extent.cc - see json_extent.h.
#include "common/base/json_extent.h"

#include <algorithm>

namespace strictmx::base {

JsonExtent json_extent(std::string_view text) {
  JsonExtent extent{.depth = 0, .values = 1};
  std::size_t depth = 0;
  bool is_in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_in_string) {
      if (c == '\\') ++i;
      if (c == '"') is_in_string = false;
    } else if (c == '"') {
      is_in_string = true;
    } else if (c == ',') {
      ++extent.values;  // a value stands first, after a comma, or first in a container
    } else if (c == '{' || c == '[') {
      ++extent.values;
      extent.depth = std::max(extent.depth, ++depth);
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return extent;
}

}  // namespace strictmx::base
