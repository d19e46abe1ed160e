// cache_entry.h - what is known of one domain: its policy, its absence, its trouble.
//
// Use: plain values; PolicyCache owns them.
// Threads: those of the owner. Units: times are UTC, days are counted from 1970.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/mta_sts/policy.h"
#include "common/tlsrpt/result_type.h"

namespace strictmx::mta_sts {

// §3.2 allows max_age 0: usable for the current delivery, which may take this long.
inline constexpr std::chrono::seconds kMinPolicyLife{60};
// Used on so many days, a policy is not pushed out by names that are asked for once.
inline constexpr std::int32_t kDaysToKeep = 2;

std::int32_t utc_day(base::WallTime time);

struct CachedPolicy {
  std::string id;    // of the TXT record it was fetched under
  std::string body;  // Policy::lines joined by LF
  base::WallTime fetched{};
  base::WallTime expires{};
  base::WallTime refresh_at{};
  std::int32_t last_used_day = 0;  // UTC days since 1970
  std::int32_t days_used = 0;
  std::chrono::duration<std::int32_t> max_age{0};
  PolicyMode mode = PolicyMode::kNone;

  Policy parsed() const;  // from the body
  bool is_live(base::WallTime now) const { return now < expires; }
  std::chrono::seconds life() const {
    return std::max<std::chrono::seconds>(max_age, kMinPolicyLife);
  }
  // §3.2: no longer than max_age, from the fetch or, where that seems to lie ahead (the clock was
  // set back while nobody watched), from now.
  void set_expiry(base::WallTime now) { expires = std::min(fetched, now) + life(); }
  // For a row that was stored: what ends sooner than that, ends sooner.
  void cap_expiry(base::WallTime now) {
    expires = std::min(expires, std::min(fetched, now) + life());
  }
};

// Why no new policy could be had. Kept for explain and for the daily report.
struct Trouble {
  std::optional<tlsrpt::ResultType> type;  // none for a DNS failure, which RFC 8460 has no type for
  std::string reason;
  std::string id;              // of the TXT record in force at the failure
  base::WallTime since{};      // first failure in a row
  base::WallTime retry_at{};   // no new fetch under the same id before this
  std::uint32_t failures = 0;  // in a row
};

// Who makes room first when memory is full; see eviction_order.h.
enum class Rank : std::uint8_t {
  kAbsent,  // no policy
  kOnce,    // a policy that was asked for once
  kAgain,   // asked for again since, on one day
  kKept,    // used on kDaysToKeep days or more
};
inline constexpr std::size_t kRanks = 4;

struct Entry {
  std::unique_ptr<CachedPolicy> policy;  // last good one, live or expired
  std::unique_ptr<Trouble> trouble;
  base::WallTime checked_until{};  // DNS need not be asked before this
  const std::string* name = nullptr;
  Entry* older = nullptr;  // the neighbours in the EvictionOrder
  Entry* newer = nullptr;
  Rank rank = Rank::kAbsent;    // the list it is in
  bool is_listed = false;       // in the EvictionOrder
  bool has_job = false;         // never evicted meanwhile
  bool is_asked_again = false;  // by a second question
};

struct PolicyRow {
  std::string domain;
  CachedPolicy policy;
};

}  // namespace strictmx::mta_sts
