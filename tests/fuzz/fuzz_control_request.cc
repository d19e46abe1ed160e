// fuzz_control_request.cc - fuzz target for a request of the control socket.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/service/control_server.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  if (size > strictmx::service::kMaxControlRequest) return 0;
  const auto request = strictmx::service::read_control_request(payload);
  if (!request.ok()) {
    strictmx::fuzz::require(!request.error().detail.empty(), "a refusal has a reason");
    return 0;
  }
  for (const char* name : {"domain", "after", "limit", "command"}) {
    [[maybe_unused]] const auto text = request.value().text(name);
    [[maybe_unused]] const auto number = request.value().number(name);
  }
  const auto error = strictmx::service::control_error("usage", request.value().command);
  strictmx::fuzz::require(!strictmx::service::dump_json(error.get()).empty(),
                          "any command can be named in a reply");
  return 0;
}
