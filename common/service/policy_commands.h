// policy_commands.h - the control commands about policies: policies.list, .show, .refresh, .purge,
// and explain.
//
// Use: add_policy_commands() once. Ownership: borrows all that PolicyCommands names.
// Threads: the loop's thread.
//
//   policies.list    {"after", "limit"}  -> {"policies": [...], "next"}   by name, from the store
//   policies.show    {"domain"}          -> {"policy": {...}}
//   policies.refresh {"domain"}          -> {"verdict": {...}}  asks DNS (its TTLs hold) and
//   fetches now policies.purge   {"domain"} or {}    -> {}                  of a domain, or all
//   explain          {"domain"}          -> see explain_command in policy_commands.cc
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/dns/resolver.h"
#include "common/mta_sts/policy_cache.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/service/answer_format.h"
#include "common/service/control_server.h"
#include "common/service/questions.h"
#include "common/verdict/verdict_resolver.h"

namespace strictmx::service {

inline constexpr std::size_t kMaxPoliciesAPage = 1000;

struct PolicyCommands {
  mta_sts::PolicyCache& cache;
  mta_sts::PolicyResolver& policies;
  verdict::VerdictResolver& verdicts;
  dns::Resolver& resolver;
  Questions& questions;
  const base::Clock& clock;
  // Dialects that explain shows, with the name of their map.
  std::vector<std::pair<std::string, const AnswerFormat*>> dialects;
};

// `commands` must outlive the server.
void add_policy_commands(ControlServer& server, const PolicyCommands& commands);

}  // namespace strictmx::service
