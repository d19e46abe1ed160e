// metrics_text.cc - see metrics_text.h.
#include "common/service/metrics_text.h"

#include <fmt/format.h>

#include <iterator>

namespace strictmx::service {

void MetricsText::family(std::string_view name, std::string_view help, std::string_view type) {
  if (family_ == name) return;
  family_ = name;
  fmt::format_to(std::back_inserter(text_), "# HELP strictmx_{} {}\n# TYPE strictmx_{} {}\n", name,
                 help, name, type);
}

void MetricsText::sample(std::string_view name, std::string_view labels, std::uint64_t value) {
  if (labels.empty()) {
    fmt::format_to(std::back_inserter(text_), "strictmx_{} {}\n", name, value);
  } else {
    fmt::format_to(std::back_inserter(text_), "strictmx_{}{{{}}} {}\n", name, labels, value);
  }
}

void MetricsText::counter(std::string_view name, std::string_view help, std::string_view labels,
                          std::uint64_t value) {
  family(name, help, "counter");
  sample(name, labels, value);
}

void MetricsText::gauge(std::string_view name, std::string_view help, std::string_view labels,
                        std::uint64_t value) {
  family(name, help, "gauge");
  sample(name, labels, value);
}

void MetricsText::histogram(std::string_view name, std::string_view help, std::string_view labels,
                            const Histogram& values) {
  family(name, help, "histogram");
  const std::string comma = labels.empty() ? "" : ",";
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
    below += values.counts()[i];
    const double bound = static_cast<double>(Histogram::kBounds[i]) / 1e6;
    sample(fmt::format("{}_bucket", name), fmt::format("{}{}le=\"{}\"", labels, comma, bound),
           below);
  }
  sample(fmt::format("{}_bucket", name), fmt::format("{}{}le=\"+Inf\"", labels, comma),
         values.total());
  const double sum = static_cast<double>(values.sum().count()) / 1e6;
  if (labels.empty()) {
    fmt::format_to(std::back_inserter(text_), "strictmx_{}_sum {}\n", name, sum);
  } else {
    fmt::format_to(std::back_inserter(text_), "strictmx_{}_sum{{{}}} {}\n", name, labels, sum);
  }
  sample(fmt::format("{}_count", name), labels, values.total());
}

}  // namespace strictmx::service
