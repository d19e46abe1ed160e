// verdict_resolver.cc - see verdict_resolver.h.
#include "common/verdict/verdict_resolver.h"

#include <utility>

namespace strictmx::verdict {

std::optional<Verdict> VerdictResolver::ask(const base::DomainName& domain, Callback later) {
  const auto answer =
      policies_.ask(domain, [domain, later = std::move(later)](const mta_sts::PolicyAnswer& late) {
        later(decide(domain, late));
      });
  if (!answer.has_value()) return std::nullopt;
  return decide(domain, *answer);
}

}  // namespace strictmx::verdict
