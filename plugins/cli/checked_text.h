// checked_text.h - what the forms of strictmx parse share: the text comes in, the verdict goes out.
//
// Use: read_input(), the form's own parser, then invalid() where that fails.
// Threads: the main thread alone. Errors: Exit::kNoInput, Exit::kData.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "plugins/cli/exit_code.h"

namespace strictmx::cli {

// What an input may be: the parser's own bounds are tighter, so that its reason is what an
// operator sees; a device or an endless pipe stops here.
struct InputBound {
  std::size_t max_bytes;
  std::string_view reason;  // why nothing valid is longer, with the RFC's section
};

// The whole file; "-" is standard input.
Or<std::string> read_input(const std::string& file, const InputBound& bound);

// "KIND: reason (section)"; the section only where the reason names none.
base::Failure<Exit> invalid(std::string_view kind, std::string_view reason,
                            std::string_view section);

}  // namespace strictmx::cli
