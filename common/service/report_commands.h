// report_commands.h - the control commands about reports (RFC 8460): preview, send, status, list.
//
// Use: add_report_commands() once. Ownership: borrows all that ReportCommands names.
// Threads: the loop's thread.
//
//   report.preview {"domain", "day", "brief"}; the day is today where none is given
//     -> {"day", "domain", "on": bool, "not_sent_because", "recipients": [...], "stored": as in
//         report.list, "report": {RFC 8460 §4.4}, "mail": the mail to the first mailbox}, the last
//         two not where it is to be brief
//   report.send {"day", "domain"}; the day is yesterday where none is given, and must have ended
//     -> {"day", "reports": how many are due now}
//   report.status {} -> {"on": bool, "under_way": N, "days": [{"day", "reports": {state: N},
//         "recipients": {state: N}}]}, days newest first
//   report.list {"day", "domain", "troubled", "after", "limit"} -> {"reports": [{"day", "domain",
//         "state", "next_at", "created", "why", "recipients": [{"uri", "origin", "state",
//         "attempts", "next_at", "why"}]}], "next": domain}; the day is yesterday where none is
//         given
// States are those of reporting/report_rows.h. Members without a value are left out.
// Limits: kMaxStatusDays; reporting::kMaxListed reports a page.
#pragma once

#include <cstddef>

#include "common/base/clock.h"
#include "common/reporting/reporter.h"
#include "common/service/control_server.h"

namespace strictmx::service {

inline constexpr std::size_t kMaxStatusDays = 31;

struct ReportCommands {
  reporting::Reporter& reporter;
  const reporting::MailAuthor& mail_author;
  const base::Clock& clock;
};

// `commands` must outlive the server.
void add_report_commands(ControlServer& server, const ReportCommands& commands);

}  // namespace strictmx::service
