// options.h - `--name value` options of a benchmark program, from one table.
//
// Errors: an unknown option, a missing value and `--help` print the table and end the program.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace strictmx::bench {

struct OptionSpec {
  std::string_view name;  // Without the dashes.
  std::string_view fallback;
  std::string_view help;
};

class Options {
 public:
  Options(int argc, char** argv, std::span<const OptionSpec> specs);
  // Both end the program for a name that the table lacks, number() for a text that is no number.
  const std::string& text(std::string_view name) const;
  unsigned long number(std::string_view name) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace strictmx::bench
