// require.h - a property that a fuzz target asserts.
//
// Use: require(condition, "what should hold"). Errors: aborts, which libFuzzer and the replay show
// as a crash with the input that caused it.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace strictmx::fuzz {

inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "property does not hold: %s\n", property);
  std::abort();
}

}  // namespace strictmx::fuzz
