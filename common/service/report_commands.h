// report_commands.h - the control commands about TLS reports (RFC 8460): report.results.
//
// Use: add_report_commands() once. Ownership: borrows the ResultStore. Threads: the loop's thread.
//
//   report.results {"day", "domain", "after": {"day", "domain"}, "limit"}, all optional
//     -> {"results": [{"day", "domain", "policies": [...]}], "next": {"day", "domain"}}
//   Days newest first, in each the domains by name. A policy is as in "policies" of RFC 8460 §4.4:
//   "policy", "summary", "failure-details". "next" is there when there is more.
#pragma once

#include <cstddef>

#include "common/reporting/result_store.h"
#include "common/service/control_server.h"

namespace strictmx::service {

inline constexpr std::size_t kMaxResultDomainsAPage = 500;

void add_report_commands(ControlServer& server, const reporting::ResultStore& results);

}  // namespace strictmx::service
