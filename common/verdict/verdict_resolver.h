// verdict_resolver.h - asks everything that has a say about a next hop, and decides.
//
// Use: ask(); a verdict now, or `later` once.
// Ownership: borrows what it asks. Threads: the loop's thread; `later` never runs inside ask().
// Errors: none; see PolicyResolver and DaneResolver.
#pragma once

#include <functional>
#include <optional>

#include "common/base/clock.h"
#include "common/dane/dane_resolver.h"
#include "common/dane/next_hop.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/verdict/override_book.h"
#include "common/verdict/verdict.h"

namespace strictmx::verdict {

enum class Scope {
  kSts,    // the asker does no DANE: its lookups, and their failures, are left out
  kDane,   // DANE too, unless an override says all
  kHosts,  // the MX hosts and their states whatever holds
};

class VerdictResolver {
 public:
  using Callback = std::function<void(const Verdict&)>;

  VerdictResolver(mta_sts::PolicyResolver& policies, dane::DaneResolver& dane,
                  const OverrideBook& overrides, const base::Clock& clock)
      : policies_(policies), dane_(dane), overrides_(overrides), clock_(clock) {}

  std::optional<Verdict> ask(const dane::NextHop& next_hop, Scope scope, Callback later);

  // What would hold without the override; `later` always, once.
  void ask_without_override(const dane::NextHop& next_hop, const Callback& later);

 private:
  struct Pending;
  std::optional<Verdict> ask(const dane::NextHop& next_hop, Scope scope, bool with_override,
                             Callback later);
  Verdict decide_now(const Pending& pending) const;
  void refresh_dane(Pending& pending);
  void refresh_sts(Pending& pending);

  mta_sts::PolicyResolver& policies_;
  dane::DaneResolver& dane_;
  const OverrideBook& overrides_;
  const base::Clock& clock_;
};

}  // namespace strictmx::verdict
