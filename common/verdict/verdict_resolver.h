// verdict_resolver.h - asks everything that has a say about a domain, and decides.
//
// Use: ask(); a verdict now, or `later` once.
// Ownership: borrows the policy resolver. Threads: the loop's thread; `later` never runs inside
// ask().
// Errors: none; see PolicyResolver.
#pragma once

#include <functional>
#include <optional>

#include "common/base/domain_name.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/verdict/verdict.h"

namespace strictmx::verdict {

class VerdictResolver {
 public:
  using Callback = std::function<void(const Verdict&)>;

  explicit VerdictResolver(mta_sts::PolicyResolver& policies) : policies_(policies) {}

  std::optional<Verdict> ask(const base::DomainName& domain, Callback later);

 private:
  mta_sts::PolicyResolver& policies_;
};

}  // namespace strictmx::verdict
