// fuzz_netstring.cc - fuzz target for netstring framing, as a stream of frames under several
// limits.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/netstring.h"
#include "tests/fuzz/require.h"

namespace {

using strictmx::base::Netstring;
using strictmx::base::NetstringState;
using strictmx::base::parse_netstring;
using strictmx::fuzz::require;

void check_frame(std::string_view input, const Netstring& frame, std::size_t max_payload) {
  require(frame.payload.size() <= max_payload, "a payload keeps the limit");
  require(frame.consumed <= input.size(), "a frame is part of the input");
  std::string written;
  strictmx::base::append_netstring(written, frame.payload);
  require(written == input.substr(0, frame.consumed), "a frame is written as it was read");
  // A peer's bytes come in pieces: until the last one the answer must be "wait".
  const std::size_t head = std::min<std::size_t>(frame.consumed, 24);
  for (std::size_t cut = 0; cut < head; ++cut) {
    require(parse_netstring(input.substr(0, cut), max_payload).state == NetstringState::kIncomplete,
            "the beginning of a frame is incomplete");
  }
  require(parse_netstring(input.substr(0, frame.consumed - 1), max_payload).state ==
              NetstringState::kIncomplete,
          "a frame without its comma is incomplete");
}

void check_stream(std::string_view input, std::size_t max_payload) {
  // Frames of one byte would make this quadratic work for nothing.
  for (int frames = 0; frames < 64; ++frames) {
    const Netstring frame = parse_netstring(input, max_payload);
    if (frame.state == NetstringState::kComplete) {
      check_frame(input, frame, max_payload);
      input.remove_prefix(frame.consumed);
      continue;
    }
    require(frame.payload.empty() && frame.consumed == 0, "nothing is consumed");
    if (frame.state == NetstringState::kIncomplete) {
      const std::size_t digits = std::to_string(max_payload).size();
      require(input.size() < digits + 1 + max_payload + 1, "waiting for more is bounded");
    } else {
      const auto later = parse_netstring(std::string(input) + "0:,", max_payload);
      require(later.state == frame.state, "no more bytes can mend a broken frame");
    }
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(data, data + size);
  for (const std::size_t max_payload : {0, 9, 10, 1000, 100000}) check_stream(input, max_payload);
  std::string written;
  strictmx::base::append_netstring(written, input);
  const Netstring frame = parse_netstring(written, size);
  require(frame.state == NetstringState::kComplete && frame.payload == input &&
              frame.consumed == written.size(),
          "what is written is read back");
  return 0;
}
