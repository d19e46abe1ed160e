// text_hash.h - a keyed 64-bit hash of a text, the same on every machine and in every version.
//
// Use: for checksums on disk, and to find texts of others: with a key that they don't know nobody
// can make texts that collide. TextHasher is for unordered containers. Threads: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace strictmx::base {

// 128 random bits; all zero where nobody gains by a collision.
struct HashKey {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

std::uint64_t text_hash(const HashKey& key, std::string_view text);

struct TextHasher {
  HashKey key;
  std::size_t operator()(std::string_view text) const { return text_hash(key, text); }
};

}  // namespace strictmx::base
