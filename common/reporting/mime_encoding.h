// mime_encoding.h - the two transfer encodings of RFC 2045 that a report mail needs.
//
// Use: quoted_printable() for text in lines ended by '\n', base64() for bytes.
// Threads: pure. Lines are at most 76 columns and end in CRLF; neither form has a line that starts
// with "--" followed by "=_", so that a boundary that begins with "=_" can't occur in them.
#pragma once

#include <string>
#include <string_view>

namespace strictmx::reporting {

std::string quoted_printable(std::string_view text);
std::string base64(std::string_view bytes);

}  // namespace strictmx::reporting
