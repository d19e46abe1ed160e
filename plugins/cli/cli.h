// cli.h - the command strictmx: what its subcommands share, and where each one begins.
//
// Use: main.cc calls each add_ function once; the subcommand that the operator named sets
// Command::run, and main.cc calls that.
// Ownership: the Command outlives the CLI::App. Threads: the main thread alone.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/config_file.h"
#include "plugins/cli/exit_code.h"

namespace CLI {
class App;
}

namespace strictmx::cli {

// A deadline longer than this is taken for a mistake.
inline constexpr int kMaxTimeoutSeconds = 3600;

struct Command {
  // Options of every subcommand.
  std::optional<std::string> config_path;
  std::vector<std::string> sets;
  std::optional<int> timeout_seconds;

  std::function<Outcome()> run;

  // The configuration file (the default one where it exists) and --set. Only commands that need
  // it read it: `parse` works whatever the configuration is.
  Or<base::Config> config() const;
  std::chrono::seconds timeout_or(std::chrono::seconds otherwise) const;
};

void add_query(CLI::App& app, Command& command);
void add_explain(CLI::App& app, Command& command);
void add_override(CLI::App& app, Command& command);
void add_policies(CLI::App& app, Command& command);
void add_parse(CLI::App& app, Command& command);
void add_report(CLI::App& app, Command& command);
void add_dkim_key(CLI::App& app, Command& command);
void add_setup(CLI::App& app, Command& command);

}  // namespace strictmx::cli
