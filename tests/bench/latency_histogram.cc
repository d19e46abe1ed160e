// latency_histogram.cc - percentiles of many durations in little memory.
#include "latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace strictmx::bench {

void LatencyHistogram::add(std::uint64_t nanoseconds) {
  const unsigned width = static_cast<unsigned>(std::bit_width(nanoseconds));
  const unsigned shift = width > kSubBits + 1 ? width - kSubBits - 1 : 0;
  // Values below 256 have a bucket each; above, the top eight bits choose it.
  ++counts_[(std::uint64_t{shift} << kSubBits) + (nanoseconds >> shift)];
  ++total_;
  max_ = std::max(max_, nanoseconds);
}

double LatencyHistogram::percentile_us(double share) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total_)));
  std::uint64_t seen = 0;
  for (std::uint64_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen < wanted || seen == 0) continue;
    const std::uint64_t shift = i >> kSubBits == 0 ? 0 : (i >> kSubBits) - 1;
    const std::uint64_t lowest = (i - (shift << kSubBits)) << shift;
    return static_cast<double>(std::min(lowest, max_)) / 1000;
  }
  return 0;
}

}  // namespace strictmx::bench
