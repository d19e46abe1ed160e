// explain_command.h - the control command explain: all that is known of a next hop, and why it is
// answered as it is.
//
// Use: add_explain_command() once. Ownership: borrows all that ExplainParts names.
// Threads: the loop's thread.
//
//   explain {"domain"} -> {
//     "domain",
//     "record": {"name", "texts", "dnssec", "id"|"error"},   the MTA-STS record (RFC 8461 §3.1)
//     "policy": as policies.show, or absent,
//     "mx": {"hosts", "dnssec", "implicit_mx", "null_mx", "error"},
//     "tlsrpt": {"name", "texts", "dnssec", "rua"|"error"},  (RFC 8460 §3)
//     "verdict", "rule",            with DANE
//     "rule_without_dane",          where it is another: for maps without DANE answers
//     "without_override": {"verdict", "rule"}   where an override is in force
//     "answers": {map: reply}, "answers_until", "changes": [sentences]}
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/dns/resolver.h"
#include "common/mta_sts/policy_cache.h"
#include "common/service/answer_format.h"
#include "common/service/control_server.h"
#include "common/verdict/verdict_resolver.h"

namespace strictmx::service {

struct ExplainParts {
  mta_sts::PolicyCache& cache;
  verdict::VerdictResolver& verdicts;
  dns::Resolver& resolver;
  const base::Clock& clock;
  // Dialects that are shown, with the name of their map.
  std::vector<std::pair<std::string, const AnswerFormat*>> dialects;
};

// `parts` must outlive the server.
void add_explain_command(ControlServer& server, const ExplainParts& parts);

}  // namespace strictmx::service
