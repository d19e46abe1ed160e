// text_hash.cc - see text_hash.h. SipHash-2-4 (Aumasson and Bernstein, 2012).
#include "common/base/text_hash.h"

#include <bit>

namespace strictmx::base {
namespace {

constexpr std::size_t kWordBytes = 8;
constexpr int kRoundsAWord = 2;
constexpr int kLastRounds = 4;

std::uint64_t word_at(const char* bytes, std::size_t count) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < count; ++i) {
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return word;
}

// The algorithm's state; the constants spell "somepseudorandomlygeneratedbytes".
struct State {
  explicit State(const HashKey& key)
      : v0(key.first ^ 0x736f6d6570736575),
        v1(key.second ^ 0x646f72616e646f6d),
        v2(key.first ^ 0x6c7967656e657261),
        v3(key.second ^ 0x7465646279746573) {}

  void mix(int rounds) {
    for (int i = 0; i < rounds; ++i) {
      v0 += v1;
      v2 += v3;
      v1 = std::rotl(v1, 13) ^ v0;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 = std::rotl(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = std::rotl(v1, 17) ^ v2;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 = std::rotl(v2, 32);
    }
  }
  void add(std::uint64_t word) {
    v3 ^= word;
    mix(kRoundsAWord);
    v0 ^= word;
  }

  std::uint64_t v0;
  std::uint64_t v1;
  std::uint64_t v2;
  std::uint64_t v3;
};

}  // namespace

std::uint64_t text_hash(const HashKey& key, std::string_view text) {
  State state(key);
  const std::uint64_t length = static_cast<std::uint64_t>(text.size()) << 56;
  while (text.size() >= kWordBytes) {
    state.add(word_at(text.data(), kWordBytes));
    text.remove_prefix(kWordBytes);
  }
  state.add(length | word_at(text.data(), text.size()));
  state.v2 ^= 0xff;
  state.mix(kLastRounds);
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace strictmx::base
