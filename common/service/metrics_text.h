// metrics_text.h - writes the Prometheus text exposition format 0.0.4.
//
// Use: one family after another: counter() or gauge() once a label set, same name in a row.
// Threads: a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/service/histogram.h"

namespace strictmx::service {

class MetricsText {
 public:
  // labels: `map="postfix",outcome="ok"` or empty; the caller's own literals, never peer text.
  void counter(std::string_view name, std::string_view help, std::string_view labels,
               std::uint64_t value);
  void gauge(std::string_view name, std::string_view help, std::string_view labels,
             std::uint64_t value);
  void histogram(std::string_view name, std::string_view help, std::string_view labels,
                 const Histogram& values);

  const std::string& text() const { return text_; }

 private:
  void family(std::string_view name, std::string_view help, std::string_view type);
  void sample(std::string_view name, std::string_view labels, std::uint64_t value);

  std::string text_;
  std::string family_;
};

}  // namespace strictmx::service
