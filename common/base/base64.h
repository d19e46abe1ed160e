// base64.h - base64 with padding (RFC 4648 §4).
//
// Threads: pure functions. Errors: no value for a text that is not base64 by the letter.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace strictmx::base {

// One line without line ends.
std::string base64_encode(std::string_view bytes);

// Strict: whole groups of four, padding at the end only, unused bits zero (RFC 4648 §3.5), so that
// no two texts stand for the same bytes. White space is no part of it: take it out before.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace strictmx::base
