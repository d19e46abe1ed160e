// eviction_order.cc - see eviction_order.h.
#include "common/mta_sts/eviction_order.h"

namespace strictmx::mta_sts {

void EvictionOrder::add(Entry& entry, Rank rank) {
  List& list = lists_[static_cast<std::size_t>(rank)];
  entry.rank = rank;
  entry.is_listed = true;
  entry.older = list.newest;
  entry.newer = nullptr;
  (list.newest != nullptr ? list.newest->newer : list.oldest) = &entry;
  list.newest = &entry;
}

void EvictionOrder::remove(Entry& entry) {
  if (!entry.is_listed) return;
  List& list = lists_[static_cast<std::size_t>(entry.rank)];
  (entry.older != nullptr ? entry.older->newer : list.oldest) = entry.newer;
  (entry.newer != nullptr ? entry.newer->older : list.newest) = entry.older;
  entry.older = nullptr;
  entry.newer = nullptr;
  entry.is_listed = false;
}

Entry* EvictionOrder::oldest(Rank lowest) const {
  for (auto rank = static_cast<std::size_t>(lowest); rank < kRanks; ++rank) {
    if (lists_[rank].oldest != nullptr) return lists_[rank].oldest;
  }
  return nullptr;
}

}  // namespace strictmx::mta_sts
