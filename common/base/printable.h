// printable.h - UTF-8, and texts of others made safe to look at.
//
// Use: shown() around every text that a peer, a file or DNS gave, before a person reads it.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace strictmx::base {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 0;  // 0: not UTF-8
};

// The first code point of a text that is not empty, by the table of RFC 3629 §4; overlong forms
// and surrogates are no UTF-8.
CodePoint first_code_point(std::string_view text);

// The text without anything that moves the cursor, changes colours or the direction of writing:
// control characters (also those of U+0080 to U+009F), what is not UTF-8, and the invisible
// formatting characters become \xNN.
std::string shown(std::string_view text);
// The same, cut to about max_bytes with "..." at its end where it is longer.
std::string shown(std::string_view text, std::size_t max_bytes);

// Columns on the screen, near enough: a code point is one.
std::size_t columns(std::string_view text);

}  // namespace strictmx::base
