// core_metrics.cc - see core_metrics.h.
#include "plugins/strictmxd/core_metrics.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace strictmx::daemon {

void write_policy_metrics(service::MetricsText& out, const mta_sts::PolicyCounters& counters,
                          std::size_t jobs, const mta_sts::PolicyCache& cache,
                          std::uint64_t clock_steps) {
  out.counter("clock_steps_total", "Steps of the wall clock by more than an hour", "", clock_steps);
  out.gauge("cache_domains", "Domains in the policy cache", "", cache.size());
  out.counter("cache_hits_total", "Policy questions answered from memory", "", counters.hits);
  out.counter("cache_misses_total", "Policy questions that started a resolution", "",
              counters.resolutions);
  out.counter("cache_shared_total", "Policy questions that joined a resolution under way", "",
              counters.shared);
  out.counter("cache_store_reads_total", "Policies looked for in the store", "",
              cache.store_reads());
  out.counter("policy_checks_total", "Checks for a new id behind a live policy", "",
              counters.checks);
  out.counter("policy_refreshes_total", "Refreshes before expiry", "", counters.refreshes);
  out.counter("policy_id_changes_total", "Policies whose id has changed", "", counters.id_changes);
  out.counter("policy_downgrades_total", "Enforce policies replaced by weaker ones", "",
              counters.downgrades);
  out.gauge("policy_jobs", "Resolutions, checks and refreshes under way", "", jobs);
  constexpr std::string_view kFetches = "Policy fetches by result";
  out.counter("policy_fetches_total", kFetches, "result=\"ok\"", counters.fetched);
  out.counter("policy_fetches_total", kFetches, "result=\"sts-policy-fetch-error\"",
              counters.fetch_errors);
  out.counter("policy_fetches_total", kFetches, "result=\"sts-policy-invalid\"",
              counters.policies_invalid);
  out.counter("policy_fetches_total", kFetches, "result=\"sts-webpki-invalid\"",
              counters.webpki_invalid);
  constexpr std::string_view kBounds = "Times that a limit was reached";
  out.counter("bound_hits_total", kBounds, "bound=\"cache_entries\"", cache.evictions());
  out.counter("bound_hits_total", kBounds, "bound=\"store_policies\"", cache.store_evictions());
  out.counter("bound_hits_total", kBounds, "bound=\"background_jobs\"",
              counters.background_refused);
}

void write_dane_metrics(service::MetricsText& out, const dane::DaneResolver& dane,
                        std::size_t overrides) {
  const dane::DaneCounters& counters = dane.counters();
  out.gauge("dane_next_hops", "Next hops whose DANE state is in memory", "", dane.size());
  out.gauge("dane_hosts", "MX hosts whose DANE state is in memory", "", dane.hosts());
  out.counter("dane_hits_total", "DANE questions answered from memory", "", counters.hits);
  out.counter("dane_lookups_total", "DANE lookups that somebody waited for", "", counters.lookups);
  out.counter("dane_shared_total", "DANE questions that joined a lookup under way", "",
              counters.shared);
  out.counter("dane_refreshes_total", "DANE lookups behind an answer", "", counters.refreshes);
  out.counter("dane_host_lookups_total", "MX hosts looked up", "", counters.host_lookups);
  out.counter("dane_host_failures_total", "MX hosts whose addresses or TLSA can't be had", "",
              counters.host_failures);
  out.gauge("overrides", "Operators' overrides", "", overrides);
  constexpr std::string_view kBounds = "Times that a limit was reached";
  out.counter("bound_hits_total", kBounds, "bound=\"dane_entries\"", counters.evictions);
  out.counter("bound_hits_total", kBounds, "bound=\"dane_refreshes\"", counters.refresh_refused);
}

void write_network_metrics(service::MetricsText& out, const dns::UnboundResolver& resolver,
                           const http::HttpCounters& https) {
  const dns::ResolverCounters& dns = resolver.counters();
  constexpr std::string_view kLookups = "DNS lookups by result";
  out.counter("dns_lookups_total", kLookups, "result=\"answered\"", dns.answered);
  out.counter("dns_lookups_total", kLookups, "result=\"absent\"", dns.absent);
  out.counter("dns_lookups_total", kLookups, "result=\"timeout\"", dns.timeouts);
  out.counter("dns_lookups_total", kLookups, "result=\"server-failure\"", dns.server_failures);
  out.counter("dns_lookups_total", kLookups, "result=\"bogus\"", dns.bogus);
  out.counter("dns_lookups_total", kLookups, "result=\"malformed\"", dns.malformed);
  out.gauge("dns_validating", "1 while DNSSEC is validated", "", resolver.is_validating() ? 1 : 0);
  constexpr std::string_view kRequests = "HTTPS requests by result";
  out.counter("https_requests_total", kRequests, "result=\"answered\"", https.answered);
  for (std::size_t i = 0; i < std::size(https.failed); ++i) {
    const auto* name = http::http_error_name(static_cast<http::HttpError>(i));
    out.counter("https_requests_total", kRequests, fmt::format("result=\"{}\"", name),
                https.failed[i]);
  }
  constexpr std::string_view kBounds = "Times that a limit was reached";
  out.counter("bound_hits_total", kBounds, "bound=\"dns_open\"", dns.queue_waits);
  out.counter("bound_hits_total", kBounds, "bound=\"dns_queue\"", dns.queue_refused);
  out.counter("bound_hits_total", kBounds, "bound=\"https_open\"", https.queue_waits);
}

void write_store_metrics(service::MetricsText& out, const store::SqliteDatabase& database,
                         std::size_t unsaved) {
  const store::StoreCounters store = database.counters();
  out.counter("store_commits_total", "Commits of the store", "", store.commits);
  out.counter("store_works_total", "Reads and writes of the store", "", store.works);
  out.counter("store_failures_total", "Reads and writes that failed", "", store.failures);
  out.counter("store_resets_total", "Times that a corrupt store was set aside", "", store.resets);
  out.gauge("store_unsaved", "Policies that wait to be saved", "", unsaved);
  out.gauge("store_queue", "Work that waits for the store", "", database.queued());
  out.counter("bound_hits_total", "Times that a limit was reached", "bound=\"store_queue\"",
              store.refused);
}

}  // namespace strictmx::daemon
