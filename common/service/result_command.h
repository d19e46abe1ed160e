// result_command.h - the control command report.results: what is stored of TLS sessions.
//
// Use: add_result_command() once. Ownership: borrows the ResultStore. Threads: the loop's thread.
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

void add_result_command(ControlServer& server, const reporting::ResultStore& results);

}  // namespace strictmx::service
