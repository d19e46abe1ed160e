// fuzz_http_response.cc - fuzz target for the answer of a policy host (RFC 9112), whole and in
// pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/response_reader.h"
#include "tests/fuzz/require.h"

namespace {

using strictmx::fuzz::require;
using strictmx::http::HttpError;
using strictmx::http::HttpResponse;
using strictmx::http::ReadLimits;
using strictmx::http::ReadState;
using strictmx::http::ResponseReader;

constexpr std::size_t kMaxBody = 256;
constexpr std::size_t kMaxHeaders = 512;

struct Outcome {
  ReadState state;
  std::optional<HttpResponse> response;
  std::optional<HttpError> error;
};

Outcome read_in_pieces(std::string_view bytes, std::size_t piece) {
  ResponseReader reader(ReadLimits{kMaxHeaders, kMaxBody, true});
  ReadState state = ReadState::kMore;
  while (!bytes.empty() && state == ReadState::kMore) {
    const std::size_t length = std::min(piece, bytes.size());
    state = reader.read(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  if (state == ReadState::kMore) state = reader.end();
  require(state != ReadState::kMore, "the end of the stream ends the answer");
  if (state == ReadState::kComplete) return {state, reader.take(), std::nullopt};
  require(!reader.failure().detail.empty(), "a failure has a reason");
  return {state, std::nullopt, reader.failure().code};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = read_in_pieces(bytes, size + 1);
  const Outcome single = read_in_pieces(bytes, 1);
  const Outcome few = read_in_pieces(bytes, 7);
  for (const Outcome* other : {&single, &few}) {
    require(other->state == whole.state, "how the bytes come does not matter");
    require(other->error == whole.error, "nor for the error");
    if (!whole.response.has_value()) continue;
    require(other->response->status == whole.response->status &&
                other->response->body == whole.response->body &&
                other->response->content_type == whole.response->content_type,
            "nor for the answer");
  }
  if (whole.response.has_value()) {
    require(whole.response->status >= 100 && whole.response->status <= 999, "a status");
    require(whole.response->body.size() <= kMaxBody, "the body is bounded");
    require(whole.response->content_type.size() <= kMaxHeaders, "headers are bounded");
  }
  return 0;
}
