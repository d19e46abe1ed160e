// json_extent.h - how deep a JSON text nests and how many values it holds, seen before it is parsed.
//
// Use: json_extent() on the bytes, compare with your own bounds, then hand them to the parser: a
// tree of small values takes some fifty times its text in memory, and descending takes stack.
// Threads: pure. Errors: none; a text that is no JSON has an extent too, never a smaller one than
// what a parser builds of it before it notices.
#pragma once

#include <cstddef>
#include <string_view>

namespace strictmx::base {

struct JsonExtent {
  std::size_t depth = 0;   // of arrays and objects
  std::size_t values = 0;  // at most so many, without the names of members
};

JsonExtent json_extent(std::string_view text);

}  // namespace strictmx::base
