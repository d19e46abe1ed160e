// dane_resolver.h - what DANE says of a next hop: its MX hosts, and each one's TLSA state
// (RFC 7672 §2).
//
// Use: ask(); an answer at once from memory, or later after one lookup that all askers share.
// Ownership: borrows resolver and clock. Answers are shared values that never change.
// Threads: the loop's thread. `later` never runs inside ask().
// Errors: none; a failed lookup is a state (MxState, HostState) with the reason in words.
// Limits: answers live for their TTL within kMinLife and kMaxLife, measured by the monotonic clock,
// and are looked up anew on use in the last fifth of that; kMaxMxHosts of a domain are looked at;
// max_entries next hops and as many hosts in memory, of kMeanBytes on the average, then some go;
// kMaxRefreshes behind answers at once. A failure holds for kFailureHold; it replaces nothing that
// is still alive.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/dane/host_lookup.h"
#include "common/dane/next_hop.h"
#include "common/dns/resolver.h"

namespace strictmx::dane {

inline constexpr std::chrono::seconds kMinLife{60};
inline constexpr std::chrono::seconds kMaxLife{3600};
// One delivery with many MX hosts meets one wait, the next try of a server a new lookup.
inline constexpr std::chrono::seconds kFailureHold{30};
// The largest providers publish a dozen; hosts beyond it count as failed.
inline constexpr std::size_t kMaxMxHosts = 32;
inline constexpr std::size_t kMaxRefreshes = 256;
// Of one next hop, at once: each may take two DNS questions for the whole of dns.timeout.
inline constexpr std::size_t kHostsAtOnce = 4;
// What an answer, or a host, may take in memory on the average; larger ones push out others as if
// they were more.
inline constexpr std::size_t kMeanBytes = 1024;

enum class MxState {
  kSecure,      // the MX RRset, or its absence, is signed (§2.2.1)
  kInsecure,    // not signed: whoever can forge it chooses the hosts
  kConfigured,  // no MX lookup: the host is named by the mail server's configuration (§2.2.2)
  kBogus,       // DNSSEC says that the answer is forged or broken
  kFailed,      // no answer
};

std::string_view mx_state_name(MxState state);

struct MxHost {
  unsigned preference = 0;
  std::string name;  // lower case
  std::shared_ptr<const HostDane> dane;
};

struct DaneAnswer {
  MxState mx_state = MxState::kFailed;
  std::string reason;         // of kBogus, kFailed
  bool is_implicit = false;   // no MX record: the domain itself (RFC 5321 §5.1)
  bool is_null = false;       // the domain takes no mail (RFC 7505)
  std::vector<MxHost> hosts;  // in preference order
  // Of the MX RRset, or of its absence.
  std::chrono::seconds mx_ttl{0};
};

struct DaneResult {
  std::shared_ptr<const DaneAnswer> answer;
  std::chrono::seconds valid_for{0};  // ask again after this
};

// Counters since start, for /metrics.
struct DaneCounters {
  std::uint64_t hits = 0;       // answered from memory
  std::uint64_t lookups = 0;    // that somebody waits for
  std::uint64_t shared = 0;     // questions that joined one under way
  std::uint64_t refreshes = 0;  // behind an answer
  std::uint64_t host_lookups = 0;
  std::uint64_t host_failures = 0;  // that ended as kFailed or kBogus
  std::uint64_t evictions = 0;
  std::uint64_t refresh_refused = 0;  // kMaxRefreshes was reached
};

class DaneResolver {
 public:
  using Callback = std::function<void(const DaneResult&)>;
  // A next hop whose answer may have changed.
  using OnChange = std::function<void(const NextHop&)>;

  DaneResolver(dns::Resolver& resolver, const base::Clock& clock, std::size_t max_entries);
  ~DaneResolver();
  DaneResolver(const DaneResolver&) = delete;
  DaneResolver& operator=(const DaneResolver&) = delete;

  // An answer now, or none and `later` is called once.
  DaneResult ask(const NextHop& next_hop, Callback later);

  // Forgets the next hops of a domain and their hosts.
  void forget(const std::string& domain);
  // Everything; what is under way is told to its askers and not kept.
  void forget_all();
  // Drops what has expired.
  void sweep();
  void set_on_change(OnChange on_change) { on_change_ = std::move(on_change); }
  void set_max_entries(std::size_t max_entries) { max_entries_ = max_entries; }

  const DaneCounters& counters() const { return counters_; }
  std::size_t size() const { return answers_.size(); }
  std::size_t hosts() const { return hosts_.size(); }

 private:
  struct Life {
    base::SteadyTime refresh_at{};
    base::SteadyTime expires{};
  };
  struct Entry {
    NextHop next_hop;
    std::shared_ptr<const DaneAnswer> answer;
    Life life;
  };
  using HostCallback = std::function<void(std::shared_ptr<const HostDane>, Life)>;
  struct HostEntry {
    std::shared_ptr<const HostDane> dane;  // null until the first lookup has ended
    Life life;
    bool is_running = false;
    bool is_outdated = false;  // forget_all() came while it ran
    std::vector<HostCallback> waiters;
  };
  struct Job;

  Life life_of(std::chrono::seconds ttl) const;
  Life failure_life() const;
  Life no_life() const { return {clock_.steady(), clock_.steady()}; }
  DaneResult result_of(const Entry& entry) const;
  void start_job(const NextHop& next_hop, bool is_background);
  void on_mx(const std::string& key, const dns::DnsResult<dns::MxRecord>& found);
  void ask_hosts(const std::string& key);
  void on_host_of(const std::string& key, std::size_t index, std::shared_ptr<const HostDane> dane,
                  Life life);
  void ask_host(const std::string& host, std::uint16_t port, HostCallback callback);
  void on_host(const std::string& host_key, HostDane dane);
  void finish(const std::string& key);
  void keep(Job& job);
  using Answers = std::unordered_map<std::string, Entry>;
  using Hosts = std::unordered_map<std::string, HostEntry>;
  Answers::iterator erase(Answers::iterator at);
  Hosts::iterator erase(Hosts::iterator at);
  void make_room_for_answer();
  void make_room_for_host();

  dns::Resolver& resolver_;
  const base::Clock& clock_;
  std::size_t max_entries_;
  OnChange on_change_;
  DaneCounters counters_;
  Answers answers_;  // by NextHop::text()
  Hosts hosts_;      // by "host:port"
  std::size_t answer_bytes_ = 0;
  std::size_t host_bytes_ = 0;
  std::unordered_map<std::string, std::unique_ptr<Job>> jobs_;
  std::size_t refreshes_ = 0;
  std::size_t answers_cursor_ = 0;  // buckets that lost an entry last
  std::size_t hosts_cursor_ = 0;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace strictmx::dane
