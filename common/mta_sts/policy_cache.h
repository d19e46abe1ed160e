// policy_cache.h - what is known of each domain: its policy until it expires, its absence, its
// trouble (RFC 8461 §3.2, §3.3, §5.1). In memory, policies in the store too.
//
// Use: load() once; find() and make() for an entry; put() for a fetched policy.
// Ownership: borrows database and clock. Entry pointers are valid until the next make(), load_one()
// callback, forget() or sweep().
// Threads: the loop's thread.
// Errors: a store that can't be written is logged once, and what it missed is written when it can
// be again (retry_store()); nothing is lost for answers meanwhile.
// Limits: at most max_entries domains in memory (then the least used of a few picked at random
// makes room: what never had a policy first); policies beyond that are read from the store when
// asked for. Names that wait for the store after a failure: kMaxUnsaved.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/base/clock.h"
#include "common/base/domain_name.h"
#include "common/mta_sts/policy.h"
#include "common/store/database.h"
#include "common/tlsrpt/result_type.h"

namespace strictmx::mta_sts {

// Names remembered for a later write while the disk is full; beyond it a restart would have to
// fetch those policies again.
inline constexpr std::size_t kMaxUnsaved = 100000;

// Policy texts in memory may have this size on the average. Usual ones have 100 bytes; somebody who
// serves many of 64 KiB pushes out others' as if they were more domains.
inline constexpr std::size_t kMeanPolicyBytes = 1024;

struct CachedPolicy {
  std::string id;    // of the TXT record it was fetched under
  std::string body;  // Policy::lines joined by LF
  base::WallTime fetched{};
  base::WallTime expires{};
  base::WallTime refresh_at{};
  std::int32_t last_used_day = 0;  // UTC days since 1970
  std::int32_t days_used = 0;
  PolicyMode mode = PolicyMode::kNone;

  Policy parsed() const;  // from the body
  bool is_live(base::WallTime now) const { return now < expires; }
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

struct Entry {
  std::unique_ptr<CachedPolicy> policy;  // last good one, live or expired
  std::unique_ptr<Trouble> trouble;
  base::WallTime checked_until{};  // DNS need not be asked before this
  base::WallTime last_asked{};
  bool has_job = false;  // never evicted meanwhile
};

struct PolicyRow {
  std::string domain;
  CachedPolicy policy;
};

class PolicyCache {
 public:
  PolicyCache(store::Database& database, const base::Clock& clock, std::size_t max_entries);

  // Reads stored policies into memory, the most recently used first, as many as there is room for.
  void load(std::function<void(base::Outcome<store::StoreError>)> done);

  Entry* find(std::string_view domain);
  Entry& make(std::string_view domain);

  // A fetched policy: in memory and, soon, in the store.
  void put(const std::string& domain, CachedPolicy policy);
  // Writes a changed refresh_at or a first use on a new day.
  void save_use(const std::string& domain, const CachedPolicy& policy);

  // Policies left only in the store. Calls back with whether one was found and put in memory.
  bool may_be_in_store(std::string_view domain) const;
  void load_one(const std::string& domain, std::function<void(bool found)> done);

  // Domains whose refresh is due and that were used since `since_day`.
  void due_for_refresh(std::int32_t since_day, std::size_t limit,
                       std::function<void(std::vector<std::string>)> done);
  // Rows in order of the name after `after`, from the store.
  void list(const std::string& after, std::size_t limit,
            std::function<void(base::Result<std::vector<PolicyRow>, store::StoreError>)> done);

  // Removes a domain, or all, from memory and store.
  void forget(const std::string& domain,
              std::function<void(base::Outcome<store::StoreError>)> done);
  void forget_all(std::function<void(base::Outcome<store::StoreError>)> done);
  // Drops what nobody has asked for: expired policies unused since `since_day`, and entries
  // without a policy that are out of date.
  void sweep(std::int32_t since_day);

  // Writes what an earlier failure left unwritten; call from time to time.
  void retry_store();
  // After the store was begun anew: writes all live policies again.
  void save_all();

  void set_max_entries(std::size_t max_entries) { max_entries_ = max_entries; }
  std::size_t size() const { return entries_.size(); }
  std::size_t unsaved() const { return unsaved_.size(); }
  bool is_store_failing() const { return is_store_failing_; }
  std::uint64_t evictions() const { return evictions_; }
  std::uint64_t store_reads() const { return store_reads_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Map = std::unordered_map<std::string, Entry, Hash, std::equal_to<>>;

  void save(const std::string& domain, const CachedPolicy& policy);
  void on_saved(const std::string& domain, const base::Outcome<store::StoreError>& result);
  void make_room();
  bool evict_one();
  void set_policy(Entry& entry, CachedPolicy policy);
  void drop_policy(Entry& entry);
  Map::iterator erase(Map::iterator at);

  store::Database& database_;
  const base::Clock& clock_;
  std::size_t max_entries_;
  Map entries_;
  std::size_t body_bytes_ = 0;  // of all policies in entries_
  std::unordered_set<std::string> unsaved_;
  bool is_store_failing_ = false;
  bool is_store_larger_ = true;  // the store may hold policies that memory does not
  std::size_t eviction_cursor_ = 0;
  std::uint64_t evictions_ = 0;
  std::uint64_t store_reads_ = 0;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);

 public:
  ~PolicyCache() { *is_alive_ = false; }
  PolicyCache(const PolicyCache&) = delete;
  PolicyCache& operator=(const PolicyCache&) = delete;
};

std::int32_t utc_day(base::WallTime time);

}  // namespace strictmx::mta_sts
