// parse_report.h - strictmx parse tlsrpt-report: checks a report and shows it.
#pragma once

#include <string>

#include "plugins/cli/exit_code.h"

namespace strictmx::cli {

// `file` holds JSON or gzip, "-" is standard input. With `is_json` the report is printed as its
// normal form in the schema of RFC 8460 §4.4, and remarks go to stderr.
Outcome parse_tlsrpt_report(const std::string& file, bool is_json);

}  // namespace strictmx::cli
