// text_hash.cc - see text_hash.h. FNV-1a's step on eight bytes at a time, least significant first,
// with the high bits folded back, and a final mixing.
#include "common/base/text_hash.h"

#include <cstddef>

namespace strictmx::base {
namespace {

constexpr std::uint64_t kOffsetBasis = 0xcbf29ce484222325;
constexpr std::uint64_t kPrime = 0x100000001b3;
constexpr std::uint64_t kMixer = 0x9e3779b97f4a7c15;

std::uint64_t word_at(const char* bytes, std::size_t count) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < count; ++i) {
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return word;
}

}  // namespace

std::uint64_t text_hash(std::string_view text) {
  std::uint64_t hash = kOffsetBasis ^ text.size();
  while (text.size() >= 8) {
    hash = (hash ^ word_at(text.data(), 8)) * kPrime;
    hash ^= hash >> 29;
    text.remove_prefix(8);
  }
  hash = (hash ^ word_at(text.data(), text.size())) * kPrime;
  hash = (hash ^ (hash >> 32)) * kMixer;
  return hash ^ (hash >> 29);
}

}  // namespace strictmx::base
