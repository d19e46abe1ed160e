// histogram.h - counts of durations in fixed buckets, for /metrics.
//
// Use: add() each duration; write with MetricsText::histogram(). Threads: one thread.
// Units: microseconds in, seconds in the Prometheus text.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace strictmx::service {

class Histogram {
 public:
  // Upper bounds in microseconds; above the last counts as +Inf only.
  static constexpr std::array<std::int64_t, 14> kBounds = {
      5, 10, 25, 100, 500, 1000, 5000, 25000, 100000, 500000, 1000000, 5000000, 20000000, 60000000};

  void add(std::chrono::microseconds duration, std::uint64_t times = 1) {
    const auto* bound = std::lower_bound(kBounds.begin(), kBounds.end(), duration.count());
    counts_[static_cast<std::size_t>(bound - kBounds.begin())] += times;
    sum_ += duration * static_cast<std::int64_t>(times);
    total_ += times;
  }

  // Not cumulative; the last one is above all bounds.
  const std::array<std::uint64_t, kBounds.size() + 1>& counts() const { return counts_; }
  std::chrono::microseconds sum() const { return sum_; }
  std::uint64_t total() const { return total_; }

 private:
  std::array<std::uint64_t, kBounds.size() + 1> counts_{};
  std::chrono::microseconds sum_{0};
  std::uint64_t total_ = 0;
};

}  // namespace strictmx::service
