// fuzz_gunzip.cc - fuzz target for gunzip, on the input as it is and on the input compressed.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/reporting/gzip.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using strictmx::fuzz::require;
  using strictmx::reporting::GzipError;
  constexpr std::size_t kMaxBytes = 2 * strictmx::reporting::kRatioFreeBytes;
  const std::string_view input(reinterpret_cast<const char*>(data), size);

  const auto out = strictmx::reporting::gunzip(input, kMaxBytes);
  if (out.ok()) {
    require(out.value().size() <= kMaxBytes, "the output is bounded");
    require(strictmx::reporting::is_gzip(input), "only gzip is read");
    const auto less = strictmx::reporting::gunzip(input, out.value().size());
    require(less.ok() && less.value() == out.value(), "a bound that just fits is enough");
  } else {
    require(!out.error().detail.empty(), "a refusal has a reason");
  }

  const auto zipped = strictmx::reporting::gzip(input);
  require(zipped.ok(), "anything can be compressed");
  const auto back = strictmx::reporting::gunzip(zipped.value(), size);
  require(back.ok() ? back.value() == input : back.error().code == GzipError::kRatio,
          "what was compressed comes back");
  return 0;
}
