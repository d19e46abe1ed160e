// main.cc - the operator's command: reads the command line and hands over to one subcommand. See
// strictmx(1).
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "common/base/config_keys.h"
#include "plugins/cli/cli.h"
#include "plugins/cli/terminal.h"

namespace strictmx::cli {

Or<base::Config> Command::config() const {
  std::optional<std::string> path = config_path;
  const std::string default_path(base::kDefaultConfigPath);
  if (!path.has_value() && access(default_path.c_str(), F_OK) == 0) path = default_path;
  auto config = base::Config::load(base::config_keys(), path, sets);
  if (!config.ok()) return base::fail(Exit::kConfig, config.error().detail);
  return std::move(config).value();
}

std::chrono::seconds Command::timeout_or(std::chrono::seconds otherwise) const {
  return timeout_seconds.has_value() ? std::chrono::seconds(*timeout_seconds) : otherwise;
}

namespace {

int finish(const Outcome& outcome) {
  // A full disk must not look like success to the script that redirected the output.
  const bool is_written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (!outcome.ok()) {
    if (!outcome.error().detail.empty()) print_problem(outcome.error().detail);
    return static_cast<int>(outcome.error().code);
  }
  if (!is_written) {
    print_problem("the output could not be written");
    return static_cast<int>(Exit::kOutput);
  }
  return static_cast<int>(Exit::kOk);
}

// --help and --version arrive here too, as success.
int explain_usage(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) {
    app.exit(error);
    return static_cast<int>(Exit::kOk);
  }
  const auto unknown = app.remaining(true);
  const std::string problem =
      unknown.empty() ? error.what() : "no such command or option: " + unknown.front();
  print_problem(problem + "\nstrictmx --help tells what there is.");
  return static_cast<int>(Exit::kUsage);
}

int run(int argc, char** argv) {
  CLI::App app{"Asks and manages strictmxd, checks MTA-STS and TLSRPT texts, sets up Postfix.",
               "strictmx"};
  Command command;
  app.fallthrough();
  app.require_subcommand(1);
  app.set_version_flag("--version", "strictmx " STRICTMX_VERSION);
  app.add_option(
      "--config", command.config_path,
      fmt::format("configuration file (default {}, where it exists)", base::kDefaultConfigPath));
  app.add_option("--set", command.sets, "section.key=value, over the file; repeatable")
      ->allow_extra_args(false);
  app.add_option("--timeout", command.timeout_seconds, "wait at most so many seconds")
      ->check(CLI::Range(1, kMaxTimeoutSeconds));
  app.footer("strictmx COMMAND --help tells more. Manual: strictmx(1), strictmx.toml(5).");
  add_query(app, command);
  add_explain(app, command);
  add_override(app, command);
  add_policies(app, command);
  add_report(app, command);
  add_parse(app, command);
  add_dkim_key(app, command);
  add_setup(app, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return explain_usage(app, error);
  }
  return finish(command.run());
}

}  // namespace
}  // namespace strictmx::cli

int main(int argc, char** argv) {
  try {
    return strictmx::cli::run(argc, argv);
  } catch (const std::exception& error) {
    strictmx::cli::print_problem(error.what());
    return static_cast<int>(strictmx::cli::Exit::kInternal);
  }
}
