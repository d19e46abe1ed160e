// text_hash.h - a 64-bit hash of a text that is the same on every machine and in every version.
//
// Use: for what is kept on disk: checksums, and keys by which a text is found again; what was found
// is still compared. Not against somebody who wants two texts to collide. Threads: pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace strictmx::base {

std::uint64_t text_hash(std::string_view text);

}  // namespace strictmx::base
