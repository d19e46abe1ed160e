// main.cc - strictmxd's command line. See strictmxd(8).
#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "common/base/config_file.h"
#include "common/base/config_keys.h"
#include "common/base/log.h"
#include "plugins/strictmxd/daemon.h"
#include "plugins/strictmxd/settings.h"

namespace {

using strictmx::base::Config;
using strictmx::daemon::Daemon;
using strictmx::daemon::Options;
using strictmx::daemon::StartError;

int exit_code(StartError error) {
  switch (error) {
    case StartError::kConfig:
      return EX_CONFIG;
    case StartError::kBusy:
      return EX_TEMPFAIL;
    case StartError::kSystem:
      return EX_OSERR;
  }
  return EX_SOFTWARE;
}

int run(Options options, bool is_check) {
  const std::string default_path(strictmx::base::kDefaultConfigPath);
  if (!options.config_path.has_value() && access(default_path.c_str(), F_OK) == 0) {
    options.config_path = default_path;
  }
  auto config = Config::load(strictmx::base::config_keys(), options.config_path, options.sets);
  if (!config.ok()) {
    fmt::print(stderr, "strictmxd: {}\n", config.error().detail);
    return EX_CONFIG;
  }
  const auto logging = strictmx::base::log_open("strictmxd", config.value().text("log.level"),
                                                config.value().text("log.target"));
  if (!logging.ok()) {
    fmt::print(stderr, "strictmxd: {}\n", logging.error().detail);
    return EX_CONFIG;
  }
  const auto settings = strictmx::daemon::read_settings(config.value());
  if (!settings.ok()) {
    fmt::print(stderr, "strictmxd: {}\n", settings.error().detail);
    return EX_CONFIG;
  }
  if (is_check) {
    const auto reports = strictmx::daemon::Reports::check(settings.value().reports);
    if (!reports.ok()) {
      fmt::print(stderr, "strictmxd: {}\n", reports.error().detail);
      return EX_CONFIG;
    }
    fmt::print("configuration is valid\n");
    return EX_OK;
  }
  auto daemon = Daemon::create(options, config.value());
  if (!daemon.ok()) {
    strictmx::base::log_error("strictmxd can't start", {{"reason", daemon.error().detail}});
    return exit_code(daemon.error().code);
  }
  daemon.value()->run();
  return EX_OK;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app{"Answers mail servers' questions about MTA-STS policies (RFC 8461)."};
    Options options;
    bool is_check = false;
    bool is_sample = false;
    app.add_option("--config", options.config_path,
                   fmt::format("configuration file (default {}, where it exists)",
                               strictmx::base::kDefaultConfigPath));
    app.add_option("--set", options.sets, "section.key=value, over the file; repeatable")
        ->allow_extra_args(false);
    app.add_flag("--check-config", is_check, "read the configuration, say what is wrong, end");
    app.add_flag("--sample-config", is_sample, "print a commented configuration file, end");
    app.set_version_flag("--version", "strictmxd 0.1.0");
    app.footer(strictmx::base::config_help(strictmx::base::config_keys()));
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      const int code = app.exit(error);
      return code == 0 ? EX_OK : EX_USAGE;
    }
    if (is_sample) {
      fmt::print("{}", strictmx::base::sample_config(strictmx::base::config_keys()));
      return EX_OK;
    }
    return run(std::move(options), is_check);
  } catch (const std::exception& error) {
    fmt::print(stderr, "strictmxd: {}\n", error.what());
    return EX_SOFTWARE;
  }
}
