// policy_resolver.h - which MTA-STS policy is in force for a domain (RFC 8461 §3, §5.1).
//
// Use: ask(); it answers at once from what is known, or later after one resolution that all askers
// of the domain share. A live policy always answers at once; a check for a newer one (the TXT id)
// goes on behind it. Call refresh_due() every minute, sweep() every hour.
// Ownership: borrows cache, resolver, fetcher and clock.
// Threads: the loop's thread. A later callback never runs inside ask().
// Errors: none; what can't be had is "no policy" with the trouble beside it, as §3.3 demands.
// Limits: kMaxBackgroundJobs checks and refreshes at once (further ones wait for the next use);
// first resolutions are bounded by who asks (service/questions.h).
//
// A job for one domain, in this order, each step only when needed:
//   first:   store -> TXT -> fetch -> all waiters
//   check:   TXT -> fetch, nobody waits
//   refresh: TXT -> fetch, whatever the TXT says (§10.2), nobody waits
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/domain_name.h"
#include "common/dns/resolver.h"
#include "common/mta_sts/policy_cache.h"
#include "common/mta_sts/policy_fetch.h"

namespace strictmx::mta_sts {

inline constexpr std::size_t kMaxBackgroundJobs = 256;
// Records and their absence are believed for their TTL, but within these: a check a minute at most,
// and a changed id is seen within the hour.
inline constexpr std::chrono::seconds kMinCheckInterval{60};
inline constexpr std::chrono::seconds kMaxCheckInterval{3600};
// §3.3: five minutes or longer between fetches under one id; doubled with each failure up to this.
inline constexpr std::chrono::seconds kMinBackOff{300};
inline constexpr std::chrono::seconds kMaxBackOff{3600};
// After a DNS failure with nothing known, the same answer holds this long, so that one delivery
// with many MX hosts meets one wait and not many; shorter than any server's retry.
inline constexpr std::chrono::seconds kDnsFailureHold{30};

struct RefreshSettings {
  std::chrono::seconds interval{86400};  // cache.refresh
  std::chrono::days idle_days{30};       // cache.idle_days
};

// Valid inside the callback or until the next call to the resolver.
struct PolicyAnswer {
  const CachedPolicy* policy = nullptr;  // live, or none is in force
  const Trouble* trouble = nullptr;      // why nothing newer could be had
  base::WallTime valid_until{};          // ask again after this
  bool is_from_network = false;          // fetched for this question
};

// Counters since start, for /metrics.
struct PolicyCounters {
  std::uint64_t hits = 0;         // answered from memory
  std::uint64_t resolutions = 0;  // first jobs
  std::uint64_t shared = 0;       // questions that joined one under way
  std::uint64_t checks = 0;
  std::uint64_t refreshes = 0;
  std::uint64_t background_refused = 0;  // kMaxBackgroundJobs was reached
  std::uint64_t fetched = 0;
  std::uint64_t fetch_errors = 0;      // sts-policy-fetch-error
  std::uint64_t policies_invalid = 0;  // sts-policy-invalid
  std::uint64_t webpki_invalid = 0;    // sts-webpki-invalid
  std::uint64_t id_changes = 0;
  std::uint64_t downgrades = 0;  // a policy replaced by one with a weaker mode
};

// One fetch of a policy that failed, for the results of RFC 8460 §4.3.2.2. Valid inside the
// callback.
struct FetchFailure {
  const base::DomainName& domain;
  tlsrpt::ResultType type;
  const std::string& reason;     // nothing of this site's network is in it
  const CachedPolicy* in_force;  // the live policy that stays, or null
};

class PolicyResolver {
 public:
  using Callback = std::function<void(const PolicyAnswer&)>;
  // A domain whose answer may have changed.
  using OnChange = std::function<void(const std::string& domain)>;
  // Once for each attempt, whoever asked for it; not for answers of a back-off, and not for what is
  // no fetch: a TXT record that is missing, withdrawn, wrong or can't be looked up.
  using OnFetchFailed = std::function<void(const FetchFailure&)>;

  PolicyResolver(PolicyCache& cache, dns::Resolver& resolver, PolicyFetcher& fetcher,
                 const base::Clock& clock, RefreshSettings settings);
  ~PolicyResolver();
  PolicyResolver(const PolicyResolver&) = delete;
  PolicyResolver& operator=(const PolicyResolver&) = delete;

  // An answer now, or `later` is called once.
  std::optional<PolicyAnswer> ask(const base::DomainName& domain, Callback later);
  // Looks at DNS and fetches now, whatever is cached and whatever back-off runs.
  void refresh(const base::DomainName& domain, Callback done);

  void refresh_due();
  void sweep();
  void set_on_change(OnChange on_change) { on_change_ = std::move(on_change); }
  // Must not call the resolver.
  void set_on_fetch_failed(OnFetchFailed on_failed) { on_fetch_failed_ = std::move(on_failed); }
  void set_settings(RefreshSettings settings) { settings_ = settings; }

  const PolicyCounters& counters() const { return counters_; }
  std::size_t jobs() const { return jobs_.size(); }

 private:
  struct Job;
  enum class Purpose { kFirst, kCheck, kRefresh };

  PolicyAnswer answer_of(const Entry& entry, bool is_from_network) const;
  void note_use(const std::string& domain, Entry& entry, base::WallTime now);
  Job& start_job(const base::DomainName& domain, Purpose purpose);
  void check_behind(const base::DomainName& domain);
  void look_up_txt(const std::string& name);
  void on_txt(const std::string& name, const dns::DnsResult<std::string>& result);
  void start_fetch(const std::string& name, const std::string& id);
  void on_fetched(const std::string& name, FetchResult result);
  void keep_policy(Job& job, const Policy& policy);
  void note_failure(Job& job, std::optional<tlsrpt::ResultType> type, const std::string& reason);
  void tell_fetch_failure(const Job& job, const FetchFault& fault);
  void finish(const std::string& name, bool is_from_network);
  base::WallTime refresh_time(const std::string& domain, base::WallTime fetched,
                              std::chrono::seconds max_age) const;

  PolicyCache& cache_;
  dns::Resolver& resolver_;
  PolicyFetcher& fetcher_;
  const base::Clock& clock_;
  RefreshSettings settings_;
  OnChange on_change_;
  OnFetchFailed on_fetch_failed_;
  PolicyCounters counters_;
  std::unordered_map<std::string, std::unique_ptr<Job>> jobs_;
  std::size_t background_jobs_ = 0;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace strictmx::mta_sts
