// dane_resolver.cc - see dane_resolver.h.
//
// A job for one next hop: MX (unless the host is configured) -> each MX host, shared with other
// jobs -> answer kept, waiters called.
#include "common/dane/dane_resolver.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace strictmx::dane {
namespace {

using base::SteadyTime;
using std::chrono::seconds;

// Buckets looked at to make room for one entry, at most.
constexpr std::size_t kEvictionBuckets = 64;

std::string host_key(const std::string& host, std::uint16_t port) {
  return host + ":" + std::to_string(port);
}

std::size_t bytes_of(const HostDane* dane) {
  if (dane == nullptr) return 0;
  std::size_t bytes = sizeof(HostDane) + dane->base_domain.size() + dane->reason.size();
  for (const std::string& record : dane->records) bytes += sizeof(std::string) + record.size();
  return bytes;
}

std::size_t bytes_of(const DaneAnswer& answer) {
  std::size_t bytes = sizeof(DaneAnswer) + answer.reason.size();
  for (const MxHost& host : answer.hosts) {
    bytes += sizeof(host) + host.name.size() + bytes_of(host.dane.get());
  }
  return bytes;
}

// An entry that may go, near the cursor: any, for it can be looked up again.
template <class Map, class MayGo>
typename Map::iterator find_victim(Map& map, std::size_t& cursor, MayGo may_go) {
  for (std::size_t step = 0; step < kEvictionBuckets; ++step) {
    cursor = (cursor + 1) % map.bucket_count();
    for (auto at = map.begin(cursor); at != map.end(cursor); ++at) {
      if (may_go(at->second)) return map.find(at->first);
    }
  }
  return map.end();
}

}  // namespace

std::string_view mx_state_name(MxState state) {
  switch (state) {
    case MxState::kSecure:
      return "secure";
    case MxState::kInsecure:
      return "insecure";
    case MxState::kConfigured:
      return "configured";
    case MxState::kBogus:
      return "bogus";
    case MxState::kFailed:
      return "failed";
  }
  return "";
}

struct DaneResolver::Job {
  NextHop next_hop;
  bool is_background;
  DaneAnswer answer;
  Life life;                  // the least of all parts
  std::size_t next_host = 0;  // to be asked
  std::size_t missing = 0;    // hosts that were asked
  bool is_asking = false;
  std::vector<Callback> waiters;

  void limit(const Life& part) {
    life.refresh_at = std::min(life.refresh_at, part.refresh_at);
    life.expires = std::min(life.expires, part.expires);
  }
};

DaneResolver::DaneResolver(dns::Resolver& resolver, const base::Clock& clock,
                           std::size_t max_entries)
    : resolver_(resolver), clock_(clock), max_entries_(max_entries) {}

DaneResolver::~DaneResolver() { *is_alive_ = false; }

DaneResolver::Life DaneResolver::life_of(seconds ttl) const {
  const seconds life = std::clamp(ttl, kMinLife, kMaxLife);
  const SteadyTime now = clock_.steady();
  return {now + life - life / 5, now + life};
}

DaneResolver::Life DaneResolver::failure_life() const {
  const SteadyTime end = clock_.steady() + kFailureHold;
  return {end, end};
}

// While a refresh is due the answer holds for a moment only, so that what it brings is soon seen.
DaneResult DaneResolver::result_of(const Entry& entry) const {
  const SteadyTime now = clock_.steady();
  const SteadyTime until = now < entry.life.refresh_at ? entry.life.refresh_at : now + seconds(1);
  const auto left = std::min(until, entry.life.expires) - now;
  return {entry.answer, std::max(std::chrono::ceil<seconds>(left), seconds(1))};
}

DaneResult DaneResolver::ask(const NextHop& next_hop, Callback later) {
  const std::string key = next_hop.text();
  const SteadyTime now = clock_.steady();
  const auto job = jobs_.find(key);
  const auto found = answers_.find(key);
  if (found != answers_.end() && now < found->second.life.expires) {
    ++counters_.hits;
    DaneResult result = result_of(found->second);
    if (now >= found->second.life.refresh_at && job == jobs_.end()) {
      if (refreshes_ < kMaxRefreshes) {
        ++counters_.refreshes;
        start_job(next_hop, true);
      } else {
        ++counters_.refresh_refused;
      }
    }
    return result;
  }
  if (job != jobs_.end()) {
    ++counters_.shared;
    job->second->waiters.push_back(std::move(later));
    return {};
  }
  ++counters_.lookups;
  start_job(next_hop, false);
  const auto started = jobs_.find(key);
  // A configured host that is known from another next hop: the answer is there already.
  if (started == jobs_.end()) return result_of(answers_.find(key)->second);
  started->second->waiters.push_back(std::move(later));
  return {};
}

void DaneResolver::start_job(const NextHop& next_hop, bool is_background) {
  const std::string key = next_hop.text();
  auto job = std::make_unique<Job>(
      Job{next_hop, is_background, {}, {SteadyTime::max(), SteadyTime::max()}, 0, 0, false, {}});
  if (is_background) ++refreshes_;
  if (next_hop.is_bracketed) {
    job->answer.mx_state = MxState::kConfigured;
    job->answer.hosts.push_back({0, next_hop.domain.text(), nullptr});
    jobs_.emplace(key, std::move(job));
    ask_hosts(key);
    return;
  }
  jobs_.emplace(key, std::move(job));
  resolver_.mx(next_hop.domain.text(),
               [this, alive = is_alive_, key](const dns::DnsResult<dns::MxRecord>& found) {
                 if (*alive) on_mx(key, found);
               });
}

void DaneResolver::on_mx(const std::string& key, const dns::DnsResult<dns::MxRecord>& found) {
  const auto at = jobs_.find(key);
  if (at == jobs_.end()) return;
  Job& job = *at->second;
  DaneAnswer& answer = job.answer;
  if (!found.ok()) {
    const bool is_bogus = found.error().code == dns::DnsError::kBogus;
    answer.mx_state = is_bogus ? MxState::kBogus : MxState::kFailed;
    answer.reason = "MX of " + job.next_hop.domain.text() + ": " + found.error().detail;
    job.limit(failure_life());
    finish(key);
    return;
  }
  const std::vector<dns::MxRecord>& records = found.value().records;
  answer.mx_state = found.value().is_secure ? MxState::kSecure : MxState::kInsecure;
  answer.mx_ttl = found.value().ttl;
  job.limit(life_of(found.value().ttl));
  if (records.empty()) {
    answer.is_implicit = true;
    answer.hosts.push_back({0, job.next_hop.domain.text(), nullptr});
  }
  for (const dns::MxRecord& record : records) {
    if (record.host.empty()) {
      answer.is_null = true;
    } else if (answer.hosts.size() <= kMaxMxHosts) {  // one too many stands for the rest
      answer.hosts.push_back({record.preference, record.host, nullptr});
    }
  }
  ask_hosts(key);
}

// A few hosts at a time, so that one domain can't take every DNS question there may be.
void DaneResolver::ask_hosts(const std::string& key) {
  Job& job = *jobs_.find(key)->second;
  std::vector<MxHost>& hosts = job.answer.hosts;
  job.is_asking = true;  // a host that is known calls back inside the loop
  while (job.next_host < hosts.size() && job.missing < kHostsAtOnce) {
    const std::size_t i = job.next_host++;
    if (i >= kMaxMxHosts) {
      HostDane beyond;
      beyond.reason = "only the first " + std::to_string(kMaxMxHosts) + " MX hosts are looked at";
      hosts[i].dane = std::make_shared<const HostDane>(std::move(beyond));
      continue;
    }
    ++job.missing;
    ask_host(hosts[i].name, job.next_hop.port,
             [this, key, i](std::shared_ptr<const HostDane> dane, Life life) {
               on_host_of(key, i, std::move(dane), life);
             });
  }
  job.is_asking = false;
  if (job.missing == 0) finish(key);
}

void DaneResolver::on_host_of(const std::string& key, std::size_t index,
                              std::shared_ptr<const HostDane> dane, Life life) {
  const auto at = jobs_.find(key);
  if (at == jobs_.end()) return;
  Job& job = *at->second;
  job.answer.hosts[index].dane = std::move(dane);
  job.limit(life);
  --job.missing;
  // Inside the loop of ask_hosts(), that loop goes on.
  if (!job.is_asking) ask_hosts(key);
}

// Calls back at once for what is known.
void DaneResolver::ask_host(const std::string& host, std::uint16_t port, HostCallback callback) {
  const std::string key = host_key(host, port);
  auto at = hosts_.find(key);
  if (at == hosts_.end()) {
    make_room_for_host();
    at = hosts_.emplace(key, HostEntry{}).first;
  }
  HostEntry& entry = at->second;
  if (entry.dane != nullptr && clock_.steady() < entry.life.refresh_at) {
    callback(entry.dane, entry.life);
    return;
  }
  entry.waiters.push_back(std::move(callback));
  if (entry.is_running) return;
  entry.is_running = true;
  ++counters_.host_lookups;
  look_up_host(resolver_, host, port, [this, alive = is_alive_, key](HostDane dane) {
    if (*alive) on_host(key, std::move(dane));
  });
}

void DaneResolver::on_host(const std::string& key, HostDane dane) {
  HostEntry& entry = hosts_[key];
  const bool is_failure = is_unknown(dane.state);
  if (is_failure) ++counters_.host_failures;
  const bool is_alive = entry.dane != nullptr && clock_.steady() < entry.life.expires;
  if (is_failure && is_alive && !is_unknown(entry.dane->state)) {
    entry.life.refresh_at = std::min(clock_.steady() + kFailureHold, entry.life.expires);
  } else {
    entry.life = is_failure ? failure_life() : life_of(dane.ttl);
    host_bytes_ -= bytes_of(entry.dane.get());
    entry.dane = std::make_shared<const HostDane>(std::move(dane));
    host_bytes_ += bytes_of(entry.dane.get());
  }
  if (std::exchange(entry.is_outdated, false)) entry.life = no_life();
  entry.is_running = false;
  // A waiter may ask for more hosts, which can move the entry.
  const auto waiters = std::exchange(entry.waiters, {});
  const auto known = entry.dane;
  const Life life = entry.life;
  for (const HostCallback& waiter : waiters) waiter(known, life);
}

void DaneResolver::finish(const std::string& key) {
  const auto at = jobs_.find(key);
  const std::unique_ptr<Job> job = std::move(at->second);
  jobs_.erase(at);
  if (job->is_background) --refreshes_;
  keep(*job);
  const DaneResult result = result_of(answers_.find(key)->second);
  if (on_change_) on_change_(job->next_hop);
  for (const Callback& waiter : job->waiters) waiter(result);
}

void DaneResolver::keep(Job& job) {
  const std::string key = job.next_hop.text();
  const auto old = answers_.find(key);
  const bool has_failed =
      job.answer.mx_state == MxState::kFailed || job.answer.mx_state == MxState::kBogus;
  if (old != answers_.end()) {
    if (has_failed && clock_.steady() < old->second.life.expires) {
      Life& life = old->second.life;
      life.refresh_at = std::min(clock_.steady() + kFailureHold, life.expires);
      return;
    }
    erase(old);
  }
  make_room_for_answer();
  answer_bytes_ += bytes_of(job.answer);
  auto answer = std::make_shared<const DaneAnswer>(std::move(job.answer));
  answers_.emplace(key, Entry{job.next_hop, std::move(answer), job.life});
}

DaneResolver::Answers::iterator DaneResolver::erase(Answers::iterator at) {
  answer_bytes_ -= bytes_of(*at->second.answer);
  return answers_.erase(at);
}

DaneResolver::Hosts::iterator DaneResolver::erase(Hosts::iterator at) {
  host_bytes_ -= bytes_of(at->second.dane.get());
  return hosts_.erase(at);
}

void DaneResolver::make_room_for_answer() {
  while (answers_.size() >= max_entries_ || answer_bytes_ > max_entries_ * kMeanBytes) {
    const auto victim = find_victim(answers_, answers_cursor_, [](const Entry&) { return true; });
    if (victim == answers_.end()) return;
    ++counters_.evictions;
    erase(victim);
  }
}

void DaneResolver::make_room_for_host() {
  while (hosts_.size() >= max_entries_ || host_bytes_ > max_entries_ * kMeanBytes) {
    const auto victim = find_victim(hosts_, hosts_cursor_,
                                    [](const HostEntry& entry) { return !entry.is_running; });
    if (victim == hosts_.end()) return;  // all under way; the number of jobs bounds this
    ++counters_.evictions;
    erase(victim);
  }
}

void DaneResolver::forget(const std::string& domain) {
  for (auto& [key, job] : jobs_) {
    if (job->next_hop.domain.text() == domain) job->limit(no_life());
  }
  for (auto at = answers_.begin(); at != answers_.end();) {
    if (at->second.next_hop.domain.text() != domain) {
      ++at;
      continue;
    }
    for (const MxHost& host : at->second.answer->hosts) {
      const auto one = hosts_.find(host_key(host.name, at->second.next_hop.port));
      if (one == hosts_.end()) continue;
      one->second.is_outdated = one->second.is_running;
      if (!one->second.is_running) erase(one);
    }
    at = erase(at);
  }
}

void DaneResolver::forget_all() {
  answers_.clear();
  answer_bytes_ = 0;
  for (auto at = hosts_.begin(); at != hosts_.end();) {
    at->second.is_outdated = at->second.is_running;
    at = at->second.is_running ? std::next(at) : erase(at);
  }
  for (auto& [key, job] : jobs_) job->limit(no_life());
}

void DaneResolver::sweep() {
  const SteadyTime now = clock_.steady();
  for (auto at = answers_.begin(); at != answers_.end();) {
    at = at->second.life.expires <= now ? erase(at) : std::next(at);
  }
  for (auto at = hosts_.begin(); at != hosts_.end();) {
    const bool may_go = !at->second.is_running && at->second.life.expires <= now;
    at = may_go ? erase(at) : std::next(at);
  }
}

}  // namespace strictmx::dane
