// eviction_order.h - which domain leaves memory when there is no room.
//
// A list a rank, in it the longest unused first; a lower rank is empty before a higher one loses
// anything. A flood of names that are asked for once each (random subdomains, with policies of
// their own or without) fills and empties the two lowest ranks only.
// Use: add() as the newest of its rank, remove(), oldest().
// Ownership: borrows entries by the links in them; an entry is removed before it goes or moves.
// Threads: the owner's. Errors: none; every call takes constant time.
#pragma once

#include <array>

#include "common/mta_sts/cache_entry.h"

namespace strictmx::mta_sts {

class EvictionOrder {
 public:
  void add(Entry& entry, Rank rank);
  void remove(Entry& entry);  // does nothing for one that is not listed
  // The first to go of this rank and those above; null when they are empty.
  Entry* oldest(Rank lowest) const;

 private:
  struct List {
    Entry* oldest = nullptr;
    Entry* newest = nullptr;
  };
  std::array<List, kRanks> lists_;  // by Rank
};

}  // namespace strictmx::mta_sts
