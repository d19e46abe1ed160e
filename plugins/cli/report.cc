// report.cc - strictmx report: results of TLS sessions, and the reports about them (RFC 8460).
#include "plugins/cli/report.h"

#include <CLI/CLI.hpp>

namespace strictmx::cli {

void add_report(CLI::App& app, Command& command) {
  CLI::App* parent = app.add_subcommand("report", "TLS reports (RFC 8460) and their results");
  parent->require_subcommand(1);
  add_report_results(*parent, command);
  add_report_preview(*parent, command);
  add_report_send(*parent, command);
  add_report_status(*parent, command);
}

}  // namespace strictmx::cli
