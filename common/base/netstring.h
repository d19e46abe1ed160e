// netstring.h - netstrings, the framing of socketmap and of the control socket:
// `<length>:<bytes>,`.
//
// Use: parse_netstring() on what has been read so far; consume `consumed` bytes when complete.
// Threads: pure functions. Units: bytes.
// Limits: the caller's max_payload; a length of more digits than that needs is kTooLong at once,
// so a peer can't make us wait for a frame that we would refuse anyway.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace strictmx::base {

enum class NetstringState { kComplete, kIncomplete, kMalformed, kTooLong };

struct Netstring {
  NetstringState state;
  std::string_view payload;  // points into the input, set when complete
  std::size_t consumed = 0;  // bytes of the whole frame, set when complete
};

// Leading zeros are malformed except for the empty netstring "0:,".
Netstring parse_netstring(std::string_view input, std::size_t max_payload);

void append_netstring(std::string& out, std::string_view payload);

}  // namespace strictmx::base
