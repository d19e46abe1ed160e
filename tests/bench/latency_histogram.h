// latency_histogram.h - percentiles of many durations in little memory, to within one per cent.
#pragma once

#include <array>
#include <cstdint>

namespace strictmx::bench {

class LatencyHistogram {
 public:
  void add(std::uint64_t nanoseconds);
  // Microseconds below which this share (0 to 1) of all durations lies.
  double percentile_us(double share) const;
  double max_us() const { return static_cast<double>(max_) / 1000; }

 private:
  // Each power of two is cut into 128 equal buckets.
  static constexpr unsigned kSubBits = 7;
  std::array<std::uint64_t, (64 - kSubBits + 1) << kSubBits> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace strictmx::bench
