// settings.h - turns strictmx.toml into the settings of each part of the daemon.
//
// Use: read_settings() at start and on SIGHUP. Threads: pure, but for user names.
// Errors: what the key table can't check, with the key's name.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/base/config_file.h"
#include "common/dns/unbound_resolver.h"
#include "common/http/https_settings.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/service/questions.h"
#include "common/verdict/override.h"
#include "plugins/strictmxd/reports.h"
#include "plugins/strictmxd/results.h"

namespace strictmx::daemon {

struct Settings {
  dns::ResolverSettings dns;
  http::HttpsSettings https;
  mta_sts::RefreshSettings refresh;
  service::QuestionSettings questions;
  ResultSettings results;
  ReportSettings reports;
  std::size_t max_entries = 0;
  std::size_t max_stored = 0;
  std::size_t max_connections = 0;
  std::vector<uid_t> control_users;
  bool has_dane_answers = false;  // postfix.dane
  std::vector<verdict::Override> overrides;
};

base::Result<Settings, base::ConfigError> read_settings(const base::Config& config);

}  // namespace strictmx::daemon
