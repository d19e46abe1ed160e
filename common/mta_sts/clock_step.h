// clock_step.h - what a step of the wall clock does to the times kept with domains.
//
// The age by the monotonic clock is the truth: because somebody set the clock, no policy ends
// sooner or lives longer (RFC 8461 §3.2), and no absence is believed longer. Times told by the old
// clock are moved by the step, and live policies become due for a refresh, so that they are fetched
// anew before one of them ends. A policy fetched in the old clock's future (by more than
// kMaxClockStep) was fetched before that clock was wrong: a machine that starts in 1970 loads such.
// Its times were right and stay.
//
// Use: move_times() for each entry in memory, move_stored_times() once for the store.
// Threads: move_times() is pure; move_stored_times() belongs in a work of the database.
// Errors: StoreError. Limits: one statement over all rows, a quarter of a second for 100,000 and
// three for a million; questions that memory can't answer wait so long for the store.
#pragma once

#include "common/base/result.h"
#include "common/base/step_clock.h"
#include "common/mta_sts/cache_entry.h"
#include "common/store/database.h"

namespace strictmx::mta_sts {

void move_times(Entry& entry, const base::ClockStep& step);

base::Outcome<store::StoreError> move_stored_times(store::Transaction& transaction,
                                                   const base::ClockStep& step);

}  // namespace strictmx::mta_sts
