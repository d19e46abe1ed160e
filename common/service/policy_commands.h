// policy_commands.h - the control commands about policies: policies.list, .show, .refresh, .purge.
//
// Use: add_policy_commands() once. Ownership: borrows all that PolicyCommands names.
// Threads: the loop's thread.
//
//   policies.list    {"after", "limit"}  -> {"policies": [...], "next"}   by name, from the store
//   policies.show    {"domain"}          -> {"policy": {...}}
//   policies.refresh {"domain"}          -> {"verdict": {...}}  asks DNS (its TTLs hold) and
//   fetches policies.purge   {"domain"} or {}    -> {}                  of a domain, or all
#pragma once

#include "common/base/clock.h"
#include "common/dane/dane_resolver.h"
#include "common/mta_sts/policy_cache.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/service/control_server.h"
#include "common/service/questions.h"

namespace strictmx::service {

inline constexpr std::size_t kMaxPoliciesAPage = 1000;

struct PolicyCommands {
  mta_sts::PolicyCache& cache;
  mta_sts::PolicyResolver& policies;
  dane::DaneResolver& dane;
  Questions& questions;
  const base::Clock& clock;
};

// `commands` must outlive the server.
void add_policy_commands(ControlServer& server, const PolicyCommands& commands);

}  // namespace strictmx::service
