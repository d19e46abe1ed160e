// policy_cache.h - what is known of each domain: its policy until it expires, its absence, its
// trouble (RFC 8461 §3.2, §3.3, §5.1). In memory, policies in the store too.
//
// Use: load() once; find() and make() for an entry; put() for a fetched policy.
// Ownership: borrows database and clock. Entry pointers are valid until the next make(), load_one()
// callback, forget() or sweep().
// Threads: the loop's thread.
// Errors: a store that can't be written is logged once, and what it missed is written when it can
// be again (retry_store()); nothing is lost for answers meanwhile.
// Limits: at most max_entries domains in memory (eviction_order.h says which one makes room);
// policies beyond that are read from the store when asked for. At most max_stored policies in the
// store (store_bound.h). Names that wait for the store after a failure: kMaxUnsaved.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/base/clock.h"
#include "common/base/step_clock.h"
#include "common/mta_sts/cache_entry.h"
#include "common/mta_sts/eviction_order.h"
#include "common/mta_sts/store_bound.h"
#include "common/store/database.h"

namespace strictmx::mta_sts {

// Names remembered for a later write while the disk is full; beyond it a restart would have to
// fetch those policies again.
inline constexpr std::size_t kMaxUnsaved = 100000;

// Policy texts in memory may have this size on the average. Usual ones have 100 bytes; somebody who
// serves many of 64 KiB pushes out others' as if they were more domains.
inline constexpr std::size_t kMeanPolicyBytes = 1024;

class PolicyCache {
 public:
  PolicyCache(store::Database& database, const base::Clock& clock, std::size_t max_entries,
              std::size_t max_stored = kMaxStoredPolicies);

  // Reads stored policies into memory, the most recently used first, as many as there is room for.
  void load(std::function<void(base::Outcome<store::StoreError>)> done);

  Entry* find(std::string_view domain);
  Entry& make(std::string_view domain);
  // A question asked for it: it goes last now.
  void note_use(Entry& entry);
  // While a job works on it, it is not evicted.
  void hold(Entry& entry);
  void release(Entry& entry);

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
  // The wall clock was set: all times, in memory and store, are moved with it (clock_step.h). Only
  // changes values in place, so that it may come while a caller holds an Entry.
  void on_clock_step(const base::ClockStep& step);
  // Drops what nobody has asked for: expired policies unused since `since_day`, and entries
  // without a policy that are out of date.
  void sweep(std::int32_t since_day);

  // Writes what an earlier failure left unwritten; call from time to time.
  void retry_store();
  // After the store was begun anew: writes all live policies again.
  void save_all();

  void set_max_entries(std::size_t max_entries) { max_entries_ = max_entries; }
  void set_max_stored(std::size_t max_stored) { bound_.set_max(max_stored); }
  std::size_t size() const { return entries_.size(); }
  std::size_t unsaved() const { return unsaved_.size(); }
  bool is_store_failing() const { return is_store_failing_; }
  std::uint64_t evictions() const { return evictions_; }
  std::uint64_t store_evictions() const { return bound_.evictions(); }
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
  void note_unwritten(const base::Failure<store::StoreError>& why);
  void remember_unsaved();
  Entry& insert(std::string domain);
  void place(Entry& entry);
  void make_room();
  bool evict_one(Rank lowest);
  void set_policy(Entry& entry, CachedPolicy policy);
  void drop_policy(Entry& entry);
  Map::iterator erase(Map::iterator at);

  store::Database& database_;
  const base::Clock& clock_;
  std::size_t max_entries_;
  StoreBound bound_;
  Map entries_;
  EvictionOrder order_;
  std::size_t body_bytes_ = 0;  // of all policies in entries_
  std::unordered_set<std::string> unsaved_;
  bool is_store_failing_ = false;
  bool is_store_larger_ = true;    // the store may hold policies that memory does not
  std::uint64_t clock_steps_ = 0;  // what was read from the store before one has the old times
  std::uint64_t evictions_ = 0;
  std::uint64_t store_reads_ = 0;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);

 public:
  ~PolicyCache() { *is_alive_ = false; }
  PolicyCache(const PolicyCache&) = delete;
  PolicyCache& operator=(const PolicyCache&) = delete;
};

}  // namespace strictmx::mta_sts
