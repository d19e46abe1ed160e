// override_commands.h - the control commands about operators' overrides.
//
// Use: add_override_commands() once. Ownership: borrows all that OverrideCommands names.
// Threads: the loop's thread.
//
//   override.list   {}                                            -> {"overrides": [{"domain",
//   "mode",
//                   "mx", "until", "note", "source": "file"|"command", "set-at", "set-by",
//                   "holds"}]}
//   override.set    {"domain", "mode", "mx": [..], "until", "note"} -> {"override": {...}}
//                   mode enforce without mx needs a policy that the domain publishes
//   override.remove {"domain"}                                    -> {}
#pragma once

#include "common/base/clock.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/service/control_server.h"
#include "common/verdict/override_book.h"

namespace strictmx::service {

struct OverrideCommands {
  verdict::OverrideBook& overrides;
  mta_sts::PolicyResolver& policies;
  const base::Clock& clock;
};

// `commands` must outlive the server.
void add_override_commands(ControlServer& server, const OverrideCommands& commands);

}  // namespace strictmx::service
