// clock_step.cc - see clock_step.h.
#include "common/mta_sts/clock_step.h"

#include "common/store/schema.h"

namespace strictmx::mta_sts {
namespace {

using base::ClockStep;
using base::kMaxClockStep;
using base::WallTime;

// The latest that the old clock can have told, smaller steps back included.
WallTime latest_told(const ClockStep& step) { return step.before + kMaxClockStep; }

// What was used today stays used today.
std::int32_t days_of(const ClockStep& step) { return utc_day(step.now) - utc_day(step.before); }

void move_policy(CachedPolicy& policy, const ClockStep& step) {
  if (policy.fetched <= latest_told(step)) {
    policy.refresh_at = policy.is_live(step.before) ? step.now : policy.refresh_at + step.delta();
    policy.fetched += step.delta();
    policy.expires += step.delta();
    policy.cap_expiry(step.now);
  } else {
    policy.set_expiry(step.now);  // what the wrong clock has cut comes back
  }
  if (policy.last_used_day <= utc_day(latest_told(step))) policy.last_used_day += days_of(step);
}

}  // namespace

void move_times(Entry& entry, const ClockStep& step) {
  if (entry.policy != nullptr) move_policy(*entry.policy, step);
  // These were never stored: the old clock told them all. One that was never set stays in the past.
  if (entry.checked_until != WallTime{}) entry.checked_until += step.delta();
  if (entry.trouble != nullptr) {
    entry.trouble->since += step.delta();
    entry.trouble->retry_at += step.delta();
  }
}

base::Outcome<store::StoreError> move_stored_times(store::Transaction& transaction,
                                                   const ClockStep& step) {
  const auto seconds_of = [](WallTime time) -> std::int64_t {
    return time.time_since_epoch().count();
  };
  for (const store::Index& index : store::kPolicyIndexes) {
    auto dropped = transaction.run(index.drop, {});
    if (!dropped.ok()) return dropped;
  }
  // The right-hand sides see the old values.
  auto moved = transaction.run(
      "UPDATE policies SET "
      "fetched = CASE WHEN fetched <= ?1 THEN fetched + ?2 ELSE fetched END, "
      "expires = CASE WHEN fetched <= ?1 THEN expires + ?2 ELSE expires END, "
      "refresh_at = CASE WHEN fetched > ?1 THEN refresh_at WHEN expires > ?3 THEN ?4 "
      "ELSE refresh_at + ?2 END, "
      "last_used = CASE WHEN last_used <= ?5 THEN last_used + ?6 ELSE last_used END "
      "WHERE fetched <= ?1 OR last_used <= ?5",
      {seconds_of(latest_told(step)), std::int64_t{step.delta().count()}, seconds_of(step.before),
       seconds_of(step.now), std::int64_t{utc_day(latest_told(step))},
       std::int64_t{days_of(step)}});
  if (!moved.ok()) return moved;
  for (const store::Index& index : store::kPolicyIndexes) {
    auto made = transaction.run(index.create, {});
    if (!made.ok()) return made;
  }
  return base::done();
}

}  // namespace strictmx::mta_sts
