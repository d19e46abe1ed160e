// report.h - where the subcommands of strictmx report begin.
//
// Use: add_report() of report.cc calls each once with its own CLI::App. Threads: the main thread.
#pragma once

#include "plugins/cli/cli.h"

namespace strictmx::cli {

void add_report_results(CLI::App& parent, Command& command);
void add_report_preview(CLI::App& parent, Command& command);
void add_report_send(CLI::App& parent, Command& command);
void add_report_status(CLI::App& parent, Command& command);

}  // namespace strictmx::cli
