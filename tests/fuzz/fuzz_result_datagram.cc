// fuzz_result_datagram.cc - fuzz target for a result that a mail server sends, read and written.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/printable.h"
#include "common/tlsrpt/result_datagram.h"
#include "common/tlsrpt/result_writer.h"
#include "tests/fuzz/require.h"

namespace {

using strictmx::fuzz::require;

void require_safe(std::string_view text) {
  require(text.size() <= strictmx::tlsrpt::kMaxTextBytes, "a text is not longer than its limit");
  while (!text.empty()) {
    const std::size_t bytes = strictmx::base::first_code_point(text).bytes;
    require(bytes > 0, "a text is UTF-8");
    text.remove_prefix(bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read =
      strictmx::tlsrpt::read_result_datagram({reinterpret_cast<const char*>(data), size});
  if (!read.ok()) {
    require(!read.error().detail.empty(), "a refusal has a reason");
    return 0;
  }
  require(!read.value().outcomes.empty(), "a result has a policy");
  require_safe(read.value().record);
  for (const auto& outcome : read.value().outcomes) {
    require_safe(outcome.policy.domain);
    for (const auto& text : outcome.policy.strings) require_safe(text);
    for (const auto& text : outcome.policy.mx_hosts) require_safe(text);
    for (const auto& failure : outcome.failures) {
      require_safe(failure.receiving_mx_helo);
      require_safe(failure.reason_code);
    }
  }
  const std::string written = strictmx::tlsrpt::write_result_datagram(read.value());
  const auto again = strictmx::tlsrpt::read_result_datagram(written);
  require(again.ok(), "what is written can be read");
  require(strictmx::tlsrpt::write_result_datagram(again.value()) == written,
          "it is written the same again");
  return 0;
}
