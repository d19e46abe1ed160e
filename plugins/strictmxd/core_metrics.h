// core_metrics.h - what /metrics tells of the core's parts that know nothing of metrics.
//
// Use: each function once a page. Threads: the loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/dane/dane_resolver.h"
#include "common/dns/unbound_resolver.h"
#include "common/http/https_client.h"
#include "common/mta_sts/policy_cache.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/service/metrics_text.h"
#include "common/store/sqlite_database.h"

namespace strictmx::daemon {

void write_policy_metrics(service::MetricsText& out, const mta_sts::PolicyCounters& counters,
                          std::size_t jobs, const mta_sts::PolicyCache& cache,
                          std::uint64_t clock_steps);
void write_dane_metrics(service::MetricsText& out, const dane::DaneResolver& dane,
                        std::size_t overrides);
void write_network_metrics(service::MetricsText& out, const dns::UnboundResolver& resolver,
                           const http::HttpCounters& https);
void write_store_metrics(service::MetricsText& out, const store::SqliteDatabase& database,
                         std::size_t unsaved);

}  // namespace strictmx::daemon
