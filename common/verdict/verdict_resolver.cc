// verdict_resolver.cc - see verdict_resolver.h.
#include "common/verdict/verdict_resolver.h"

#include <memory>
#include <utility>

namespace strictmx::verdict {
namespace {

// Does the override alone say what holds, whatever the domain publishes?
bool is_complete(const Override& set) {
  return set.mode != mta_sts::PolicyMode::kEnforce || !set.mx.empty();
}

// How long an answer holds that was given before the policy was known.
constexpr std::chrono::seconds kUnknownPolicyHold{60};

}  // namespace

// One question that waits for one or both of its sources.
struct VerdictResolver::Pending {
  dane::NextHop next_hop;
  bool with_override;
  std::optional<StsState> sts;
  dane::DaneResult dane;
  bool needs_dane;
  Callback later;

  bool is_ready() const { return sts.has_value() && (!needs_dane || dane.answer != nullptr); }
};

std::optional<Verdict> VerdictResolver::ask(const dane::NextHop& next_hop, Scope scope,
                                            Callback later) {
  return ask(next_hop, scope, true, std::move(later));
}

std::optional<Verdict> VerdictResolver::ask(const dane::NextHop& next_hop, Scope scope,
                                            bool with_override, Callback later) {
  const auto pending = std::make_shared<Pending>(
      Pending{next_hop, with_override, {}, {}, scope != Scope::kSts, std::move(later)});
  const auto one_done = [this, pending] {
    const Callback waiter = std::exchange(pending->later, {});
    waiter(decide_now(*pending));
  };
  // What came first may be outdated by now: it is taken anew from memory.
  const auto sts =
      policies_.ask(next_hop.domain, [this, pending, one_done](const mta_sts::PolicyAnswer& late) {
        pending->sts = StsState::of(late);
        // After an answer that did not wait, there is nobody left to tell.
        if (!pending->is_ready() || !pending->later) return;
        if (pending->needs_dane) refresh_dane(*pending);
        one_done();
      });
  if (sts.has_value()) pending->sts = StsState::of(*sts);
  const Override* set = with_override ? overrides_.find(next_hop.domain.text()) : nullptr;
  if (set != nullptr && is_complete(*set) && scope != Scope::kHosts) {
    // The domain is looked up all the same, for explain and for the day the override ends.
    pending->later = {};
    pending->needs_dane = false;
    if (!pending->sts.has_value()) {
      StsState unknown;
      unknown.valid_until = clock_.now() + kUnknownPolicyHold;
      const Evidence evidence{std::move(unknown), {}, set};
      return decide(next_hop.domain, evidence, clock_.now());
    }
    return decide_now(*pending);
  }
  if (pending->needs_dane) {
    pending->dane = dane_.ask(next_hop, [this, pending, one_done](const dane::DaneResult& late) {
      pending->dane = late;
      if (!pending->is_ready() || !pending->later) return;
      refresh_sts(*pending);
      one_done();
    });
  }
  if (!pending->is_ready()) return std::nullopt;
  pending->later = {};
  return decide_now(*pending);
}

void VerdictResolver::refresh_dane(Pending& pending) {
  dane::DaneResult now = dane_.ask(pending.next_hop, [](const dane::DaneResult&) {});
  if (now.answer != nullptr) pending.dane = std::move(now);
}

void VerdictResolver::refresh_sts(Pending& pending) {
  const auto now = policies_.ask(pending.next_hop.domain, [](const mta_sts::PolicyAnswer&) {});
  if (!now.has_value()) return;
  const bool is_from_network = pending.sts->is_from_network;
  pending.sts = StsState::of(*now);
  pending.sts->is_from_network = is_from_network;
}

Verdict VerdictResolver::decide_now(const Pending& pending) const {
  const Override* set =
      pending.with_override ? overrides_.find(pending.next_hop.domain.text()) : nullptr;
  const Evidence evidence{*pending.sts, pending.dane, set};
  return decide(pending.next_hop.domain, evidence, clock_.now());
}

void VerdictResolver::ask_without_override(const dane::NextHop& next_hop, const Callback& later) {
  const auto verdict = ask(next_hop, Scope::kHosts, false, later);
  if (verdict.has_value()) later(*verdict);
}

}  // namespace strictmx::verdict
