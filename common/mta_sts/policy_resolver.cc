// policy_resolver.cc - see policy_resolver.h.
#include "common/mta_sts/policy_resolver.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/mta_sts/record.h"

namespace strictmx::mta_sts {
namespace {

using base::DomainName;
using base::WallTime;
using std::chrono::seconds;
using tlsrpt::ResultType;

constexpr const char* kRecordPrefix = "_mta-sts.";  // §3.1
// Names taken from the store for one round of refreshes.
constexpr std::size_t kRefreshBatch = 128;

seconds clamp_ttl(seconds ttl) { return std::clamp(ttl, kMinCheckInterval, kMaxCheckInterval); }

seconds back_off(std::uint32_t failures) {
  seconds wait = kMinBackOff;
  for (std::uint32_t i = 1; i < failures && wait < kMaxBackOff; ++i) wait *= 2;
  return std::min(wait, kMaxBackOff);
}

std::string joined(const std::vector<std::string>& lines) {
  std::string body;
  for (const std::string& line : lines) {
    if (!body.empty()) body += '\n';
    body += line;
  }
  return body;
}

bool is_weaker(PolicyMode now, PolicyMode before) {
  return before == PolicyMode::kEnforce && now != PolicyMode::kEnforce;
}

}  // namespace

struct PolicyResolver::Job {
  DomainName domain;
  bool is_forced;      // fetch whatever the id and the back-off say
  bool is_background;  // counted in background_jobs_
  std::string id;      // of the TXT record found, or of the cached policy
  seconds record_ttl{0};
  std::vector<Callback> waiters;
};

PolicyResolver::PolicyResolver(PolicyCache& cache, dns::Resolver& resolver, PolicyFetcher& fetcher,
                               const base::Clock& clock, RefreshSettings settings)
    : cache_(cache), resolver_(resolver), fetcher_(fetcher), clock_(clock), settings_(settings) {}

PolicyResolver::~PolicyResolver() { *is_alive_ = false; }

std::optional<PolicyAnswer> PolicyResolver::ask(const DomainName& domain, Callback later) {
  const std::string& name = domain.text();
  const WallTime now = clock_.now();
  Entry* entry = cache_.find(name);
  if (entry != nullptr) {
    note_use(name, *entry, now);
    const bool has_live_policy = entry->policy != nullptr && entry->policy->is_live(now);
    // A fetch has failed: nobody waits for DNS again before the next try is due.
    const bool is_backing_off = entry->trouble != nullptr && now < entry->trouble->retry_at;
    const bool is_due = entry->checked_until <= now;
    if (has_live_policy || is_backing_off || !is_due) {
      ++counters_.hits;
      if (is_due && !entry->has_job) check_behind(domain);
      return answer_of(*cache_.find(name), false);
    }
  }
  const auto found = jobs_.find(name);
  if (found != jobs_.end()) {
    ++counters_.shared;
    found->second->waiters.push_back(std::move(later));
    return std::nullopt;
  }
  ++counters_.resolutions;
  Job& job = start_job(domain, Purpose::kFirst);
  job.waiters.push_back(std::move(later));
  return std::nullopt;
}

void PolicyResolver::check_behind(const DomainName& domain) {
  if (background_jobs_ >= kMaxBackgroundJobs) {
    ++counters_.background_refused;
    return;
  }
  ++counters_.checks;
  start_job(domain, Purpose::kCheck);
}

void PolicyResolver::refresh(const DomainName& domain, Callback done) {
  const auto found = jobs_.find(domain.text());
  Job& job = found != jobs_.end() ? *found->second : start_job(domain, Purpose::kFirst);
  job.is_forced = true;
  job.waiters.push_back(std::move(done));
}

// Until when an answer holds: a running job may change it soon, so that is a short time.
PolicyAnswer PolicyResolver::answer_of(const Entry& entry, bool is_from_network) const {
  const WallTime now = clock_.now();
  PolicyAnswer answer;
  answer.trouble = entry.trouble.get();
  answer.is_from_network = is_from_network;
  answer.valid_until = std::max(entry.checked_until, now + seconds(1));
  if (entry.policy != nullptr && entry.policy->is_live(now)) {
    answer.policy = entry.policy.get();
    answer.valid_until = std::min(answer.valid_until, entry.policy->expires);
  }
  return answer;
}

// `now` is the asker's: a second look at the clock may move the times that it compares with.
void PolicyResolver::note_use(const std::string& domain, Entry& entry, WallTime now) {
  const std::int32_t today = utc_day(now);
  if (entry.policy != nullptr && entry.policy->last_used_day != today) {
    entry.policy->last_used_day = today;
    ++entry.policy->days_used;
    cache_.save_use(domain, *entry.policy);
  }
  cache_.note_use(entry);
}

// One job a domain. A job that nobody waits for counts against kMaxBackgroundJobs.
PolicyResolver::Job& PolicyResolver::start_job(const DomainName& domain, Purpose purpose) {
  const std::string& name = domain.text();
  const bool is_in_store = cache_.may_be_in_store(name);
  Entry& entry = cache_.make(name);
  cache_.hold(entry);
  const bool is_background = purpose != Purpose::kFirst;
  if (is_background) ++background_jobs_;
  auto owned =
      std::make_unique<Job>(Job{domain, purpose == Purpose::kRefresh, is_background, {}, {}, {}});
  Job& job = *owned;
  jobs_.emplace(name, std::move(owned));
  if (!is_in_store) {
    look_up_txt(name);
    return job;
  }
  cache_.load_one(name, [this, name](bool) {
    Entry& loaded = cache_.make(name);
    cache_.hold(loaded);
    const auto found = jobs_.find(name);
    if (found == jobs_.end()) return;
    const WallTime now = clock_.now();
    if (loaded.policy == nullptr || !loaded.policy->is_live(now)) {
      look_up_txt(name);
      return;
    }
    // A live policy answers whoever waits; the check of its id goes on behind it.
    note_use(name, loaded, now);
    auto waiters = std::move(found->second->waiters);
    found->second->waiters.clear();
    const bool is_forced_now = found->second->is_forced;
    if (is_forced_now) {
      found->second->waiters = std::move(waiters);
    } else {
      for (const Callback& waiter : waiters) waiter(answer_of(loaded, false));
    }
    look_up_txt(name);
  });
  return job;
}

void PolicyResolver::look_up_txt(const std::string& name) {
  const auto found = jobs_.find(name);
  if (found == jobs_.end()) return;
  const std::string record_name = found->second->domain.with_prefix(kRecordPrefix);
  resolver_.txt(record_name,
                [this, alive = is_alive_, name](const dns::DnsResult<std::string>& result) {
                  if (*alive) on_txt(name, result);
                });
}

void PolicyResolver::on_txt(const std::string& name, const dns::DnsResult<std::string>& result) {
  const auto found = jobs_.find(name);
  if (found == jobs_.end()) return;
  Job& job = *found->second;
  Entry& entry = cache_.make(name);
  const WallTime now = clock_.now();
  const bool has_live_policy = entry.policy != nullptr && entry.policy->is_live(now);

  if (!result.ok()) {
    // §5.1: a cached policy does not depend on DNS. A forced refresh fetches all the same (§10.2).
    if (job.is_forced && has_live_policy) {
      start_fetch(name, entry.policy->id);
      return;
    }
    if (result.error().code == dns::DnsError::kName) {
      // A name too long for "_mta-sts." has no policy for ever.
      entry.checked_until = now + kMaxCheckInterval;
      entry.trouble.reset();
    } else {
      entry.checked_until = now + kDnsFailureHold;
      if (!has_live_policy) {
        note_failure(job, std::nullopt,
                     std::string(kRecordPrefix) + name + ": " + result.error().detail);
      }
    }
    finish(name, false);
    return;
  }

  const dns::DnsAnswer<std::string>& answer = result.value();
  job.record_ttl = clamp_ttl(answer.ttl);
  const auto record = find_record(answer.records);
  if (!record.ok() || !record.value().has_value()) {
    // §3.1: no available policy, discovery stops; a cached one stays in force.
    if (job.is_forced && has_live_policy) {
      start_fetch(name, entry.policy->id);
      return;
    }
    entry.checked_until = now + job.record_ttl;
    if (record.ok()) {
      entry.trouble.reset();
    } else {
      note_failure(job, ResultType::kStsPolicyInvalid,
                   std::string(kRecordPrefix) + name + ": " + record.error().detail);
      entry.trouble->retry_at = entry.checked_until;  // nothing was fetched, no back-off is due
    }
    finish(name, false);
    return;
  }

  const std::string& id = record.value()->id;
  const bool is_known = has_live_policy && entry.policy->id == id;
  if (is_known && !job.is_forced) {
    entry.checked_until = now + job.record_ttl;
    entry.trouble.reset();
    finish(name, false);
    return;
  }
  const bool is_backing_off =
      entry.trouble != nullptr && entry.trouble->id == id && now < entry.trouble->retry_at;
  if (is_backing_off && !job.is_forced) {
    entry.checked_until = std::min(now + job.record_ttl, entry.trouble->retry_at);
    finish(name, false);
    return;
  }
  if (has_live_policy && !is_known) {
    ++counters_.id_changes;
    base::log_info("policy id changed", {{"policy_domain", name}, {"id", id}});
  }
  start_fetch(name, id);
}

void PolicyResolver::start_fetch(const std::string& name, const std::string& id) {
  const auto found = jobs_.find(name);
  if (found == jobs_.end()) return;
  found->second->id = id;
  fetcher_.fetch(found->second->domain, [this, alive = is_alive_, name](FetchResult result) {
    if (*alive) on_fetched(name, std::move(result));
  });
}

void PolicyResolver::on_fetched(const std::string& name, FetchResult result) {
  const auto found = jobs_.find(name);
  if (found == jobs_.end()) return;
  Job& job = *found->second;
  if (result.ok()) {
    ++counters_.fetched;
    keep_policy(job, result.value());
  } else {
    note_failure(job, result.error().code.type, result.error().detail);
    tell_fetch_failure(job, result.error().code);
  }
  finish(name, result.ok());
}

void PolicyResolver::keep_policy(Job& job, const Policy& policy) {
  const std::string& name = job.domain.text();
  Entry& entry = cache_.make(name);
  const WallTime now = clock_.now();
  CachedPolicy next;
  next.id = job.id;
  next.body = joined(policy.lines);
  next.mode = policy.mode;
  next.fetched = now;
  next.max_age = std::chrono::duration_cast<decltype(next.max_age)>(policy.max_age);
  next.set_expiry(now);
  next.refresh_at = refresh_time(name, now, policy.max_age);
  next.last_used_day = entry.policy != nullptr ? entry.policy->last_used_day : utc_day(now);
  next.days_used = entry.policy != nullptr ? entry.policy->days_used : 1;
  const bool replaces_live = entry.policy != nullptr && entry.policy->is_live(now);
  const std::string mode(policy_mode_name(policy.mode));
  if (replaces_live && is_weaker(policy.mode, entry.policy->mode)) {
    ++counters_.downgrades;
    base::log_warning("policy downgraded by its owner",
                      {{"policy_domain", name},
                       {"from", std::string(policy_mode_name(entry.policy->mode))},
                       {"mode", mode},
                       {"id", job.id}});
  }
  base::log_info("policy fetched", {{"policy_domain", name},
                                    {"mode", mode},
                                    {"id", job.id},
                                    {"max_age", std::to_string(policy.max_age.count())},
                                    {"mx", std::to_string(policy.mx.size())}});
  entry.trouble.reset();
  entry.checked_until = now + std::max(job.record_ttl, kMinCheckInterval);
  cache_.put(name, std::move(next));
}

void PolicyResolver::note_failure(Job& job, std::optional<ResultType> type,
                                  const std::string& reason) {
  const std::string& name = job.domain.text();
  Entry& entry = cache_.make(name);
  const WallTime now = clock_.now();
  const bool is_fetch_failure = !job.id.empty();
  if (is_fetch_failure) {
    if (type == ResultType::kStsPolicyFetchError) ++counters_.fetch_errors;
    if (type == ResultType::kStsPolicyInvalid) ++counters_.policies_invalid;
    if (type == ResultType::kStsWebpkiInvalid) ++counters_.webpki_invalid;
  }
  const bool is_same_row = entry.trouble != nullptr && entry.trouble->id == job.id;
  auto trouble = is_same_row ? std::move(entry.trouble) : std::make_unique<Trouble>();
  if (!is_same_row) trouble->since = now;
  trouble->type = type;
  trouble->reason = reason;
  trouble->id = job.id;
  ++trouble->failures;
  trouble->retry_at = now + (is_fetch_failure ? back_off(trouble->failures) : kDnsFailureHold);
  const bool has_live_policy = entry.policy != nullptr && entry.policy->is_live(now);
  if (is_fetch_failure) {
    entry.checked_until =
        std::min(trouble->retry_at, now + std::max(job.record_ttl, kMinCheckInterval));
    if (entry.policy != nullptr) {
      entry.policy->refresh_at = trouble->retry_at;
      cache_.save_use(name, *entry.policy);
    }
  }
  // §3.3, §10.2: administrators learn of failing refreshes, unless the cached mode is none.
  const std::string type_name =
      type.has_value() ? std::string(tlsrpt::result_type_name(*type)) : "dns-failure";
  if (has_live_policy && entry.policy->mode != PolicyMode::kNone) {
    base::log_warning("policy refresh failed, the cached policy stays in force",
                      {{"policy_domain", name},
                       {"result", type_name},
                       {"reason", reason},
                       {"expires", base::format_utc(entry.policy->expires)}});
  } else if (entry.policy != nullptr && entry.policy->mode == PolicyMode::kEnforce) {
    base::log_warning("enforce policy has expired and no new one can be had",
                      {{"policy_domain", name}, {"result", type_name}, {"reason", reason}});
  } else {
    base::log_info("no policy can be had, mail goes as without MTA-STS",
                   {{"policy_domain", name}, {"result", type_name}, {"reason", reason}});
  }
  entry.trouble = std::move(trouble);
}

void PolicyResolver::tell_fetch_failure(const Job& job, const FetchFault& fault) {
  if (!on_fetch_failed_ || fault.told_reason.empty()) return;
  const CachedPolicy* policy = cache_.make(job.domain.text()).policy.get();
  if (policy != nullptr && !policy->is_live(clock_.now())) policy = nullptr;
  // §10.2: no alert where the cached mode is none, so that a policy can be removed cleanly (§8.3).
  if (policy != nullptr && policy->mode == PolicyMode::kNone && policy->id == job.id) return;
  on_fetch_failed_({job.domain, fault.type, fault.told_reason, policy});
}

void PolicyResolver::finish(const std::string& name, bool is_from_network) {
  const auto found = jobs_.find(name);
  if (found == jobs_.end()) return;
  const auto job = std::move(found->second);
  jobs_.erase(found);
  if (job->is_background) --background_jobs_;
  Entry& entry = cache_.make(name);
  cache_.release(entry);
  if (on_change_) on_change_(name);
  // Each waiter sees the entry as it is then: a callback may have asked for more.
  for (const Callback& waiter : job->waiters) {
    waiter(answer_of(cache_.make(name), is_from_network));
  }
}

WallTime PolicyResolver::refresh_time(const std::string& domain, WallTime fetched,
                                      seconds max_age) const {
  // §10.2: well before expiry. Spread over the last quarter of the interval by name, so that
  // policies fetched together are not refreshed together.
  const seconds interval = std::max(std::min(settings_.interval, max_age / 2), kMinBackOff);
  const auto spread = static_cast<std::int64_t>(std::hash<std::string>{}(domain) % 1000);
  return fetched + interval - seconds(interval.count() / 4 * spread / 1000);
}

void PolicyResolver::refresh_due() {
  if (background_jobs_ >= kMaxBackgroundJobs) return;
  const std::int32_t since = utc_day(clock_.now() - settings_.idle_days);
  cache_.due_for_refresh(
      since, kRefreshBatch, [this, alive = is_alive_](const std::vector<std::string>& names) {
        if (!*alive) return;
        for (const std::string& name : names) {
          const Entry* entry = cache_.find(name);
          if (entry != nullptr && (entry->has_job || (entry->policy != nullptr &&
                                                      entry->policy->refresh_at > clock_.now()))) {
            continue;  // under way, or the store is behind
          }
          if (background_jobs_ >= kMaxBackgroundJobs) return;
          auto domain = DomainName::parse(name);
          if (!domain.ok()) continue;
          ++counters_.refreshes;
          start_job(domain.value(), Purpose::kRefresh);
        }
      });
}

void PolicyResolver::sweep() { cache_.sweep(utc_day(clock_.now() - settings_.idle_days)); }

}  // namespace strictmx::mta_sts
