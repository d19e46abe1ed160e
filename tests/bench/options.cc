// options.cc - `--name value` options of a benchmark program, from one table.
#include "options.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "fd.h"

namespace strictmx::bench {
namespace {

[[noreturn]] void show_usage(std::span<const OptionSpec> specs, int status) {
  for (const OptionSpec& spec : specs) {
    std::fprintf(stderr, "  --%-16s %s (default: %s)\n", std::string(spec.name).c_str(),
                 std::string(spec.help).c_str(), std::string(spec.fallback).c_str());
  }
  std::exit(status);
}

}  // namespace

Options::Options(int argc, char** argv, std::span<const OptionSpec> specs) {
  for (const OptionSpec& spec : specs) values_.emplace(spec.name, spec.fallback);
  for (int i = 1; i < argc; i += 2) {
    const std::string_view argument = argv[i];
    if (argument == "--help") show_usage(specs, 0);
    const auto known =
        argument.starts_with("--") ? values_.find(argument.substr(2)) : values_.end();
    if (known == values_.end() || i + 1 == argc) show_usage(specs, 64);
    known->second = argv[i + 1];
  }
}

const std::string& Options::text(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) die("option missing in the table");
  return found->second;
}

unsigned long Options::number(std::string_view name) const {
  const std::string& value = text(name);
  unsigned long parsed = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  errno = 0;
  if (error != std::errc() || end != value.data() + value.size()) die("not a number: " + value);
  return parsed;
}

}  // namespace strictmx::bench
