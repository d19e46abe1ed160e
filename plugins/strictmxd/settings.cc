// settings.cc - see settings.h.
#include "plugins/strictmxd/settings.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>
#include <vector>

#include "common/base/domain_name.h"
#include "common/base/mail_address.h"
#include "common/base/process.h"

namespace strictmx::daemon {
namespace {

using base::ConfigError;
using base::fail;

constexpr std::size_t kMaxOrganizationBytes = 512;

dns::ResolverMode resolver_mode(const std::string& text) {
  if (text == "forward") return dns::ResolverMode::kForward;
  if (text == "recursive") return dns::ResolverMode::kRecursive;
  return dns::ResolverMode::kSystem;
}

dns::DnssecMode dnssec_mode(const std::string& text) {
  if (text == "require") return dns::DnssecMode::kRequire;
  if (text == "off") return dns::DnssecMode::kOff;
  return dns::DnssecMode::kAuto;
}

base::Result<std::vector<verdict::Override>, ConfigError> read_overrides(
    const base::Config& config) {
  std::vector<verdict::Override> overrides;
  for (const base::TableSetting& table : config.tables("override")) {
    for (const auto& [name, texts] : table.members) {
      if (name == "mx" || texts.size() == 1) continue;
      return fail(ConfigError::kValue, table.place + ": override: " + name + ": is one text");
    }
    const auto mx = table.members.find("mx");
    auto one =
        verdict::read_override({table.text("domain"), table.text("mode"),
                                mx == table.members.end() ? std::vector<std::string>{} : mx->second,
                                table.text("until"), table.text("note")});
    if (!one.ok()) {
      return fail(ConfigError::kValue, table.place + ": override: " + one.error().detail);
    }
    const bool is_second = std::any_of(
        overrides.begin(), overrides.end(),
        [&](const verdict::Override& other) { return other.domain == one.value().domain; });
    if (is_second) {
      return fail(ConfigError::kValue,
                  table.place + ": override: a second one of " + one.value().domain);
    }
    overrides.push_back(std::move(one).value());
  }
  return overrides;
}

bool is_host_and_port(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0) return false;
  const std::string host = text.substr(0, colon);
  const bool is_bracketed = host.front() == '[' && host.back() == ']' && host.size() > 2;
  int port = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + colon + 1, end, port);
  return (is_bracketed || host.find_first_of(":[]/@ ") == host.npos) && read.ec == std::errc() &&
         read.ptr == end && port > 0 && port < 65536;
}

std::vector<std::string> member(const base::TableSetting& table, std::string_view name) {
  const auto found = table.members.find(name);
  return found == table.members.end() ? std::vector<std::string>() : found->second;
}

base::Result<reporting::ReportRules, ConfigError> read_report_rules(const base::Config& config) {
  reporting::ReportRules rules;
  for (const base::TableSetting& table : config.tables("report_rule")) {
    const auto wrong = [&table](const std::string& what) {
      return fail(ConfigError::kValue, table.place + ": report_rule: " + what);
    };
    auto rule = reporting::read_rule({table.text("domain"), table.text("skip"),
                                      member(table, "recipients"), member(table, "copies")});
    if (!rule.ok()) return wrong(rule.error().detail);
    auto added = rules.add(std::move(rule).value());
    if (!added.ok()) return wrong(added.error().detail);
  }
  return rules;
}

// Off as long as one of the three is missing: then nothing else of it matters.
base::Outcome<ConfigError> read_report_author(const base::Config& config, ReportSettings& reports) {
  std::string missing;
  const auto text_of = [&](const char* key) -> const std::string& {
    if (config.text(key).empty()) missing += (missing.empty() ? "" : ", ") + std::string(key);
    return config.text(key);
  };
  reports.reporter.author.organization = text_of("report.organization");
  reports.reporter.author.contact = text_of("report.contact");
  reports.from = text_of("report.from");
  reports.reporter.is_on = missing.empty();
  if (!missing.empty()) reports.reporter.why_off = missing + ": not set";
  for (const char* key : {"report.contact", "report.from"}) {
    if (config.text(key).empty() || base::domain_of_mail_address(config.text(key)).has_value()) {
      continue;
    }
    return fail(ConfigError::kValue, std::string(key) + ": is a plain mail address");
  }
  if (config.text("report.organization").size() > kMaxOrganizationBytes) {
    return fail(ConfigError::kValue, "report.organization: has at most " +
                                         std::to_string(kMaxOrganizationBytes) + " bytes");
  }
  for (const std::string& text : config.text_list("report.dkim_keys")) {
    const std::size_t colon = text.find(':');
    if (colon == text.npos || colon == 0 || colon + 1 == text.size()) {
      return fail(ConfigError::kValue, "report.dkim_keys: wants \"SELECTOR:FILE\", not " + text);
    }
    reports.dkim_keys.emplace_back(text.substr(0, colon), text.substr(colon + 1));
  }
  return base::done();
}

base::Result<ReportSettings, ConfigError> read_reports(const base::Config& config) {
  ReportSettings reports;
  auto author = read_report_author(config, reports);
  if (!author.ok()) return author.error();
  auto rules = read_report_rules(config);
  if (!rules.ok()) return rules.error();
  reports.reporter.rules = std::move(rules).value();
  reports.reporter.only_failures = config.flag("report.only_failures");
  reports.reporter.ignores_own_mails = config.flag("report.ignore_own_mails");
  reports.reporter.max_recipients =
      static_cast<std::size_t>(config.integer("report.max_recipients"));
  reports.reporter.max_mails_to_mailbox =
      static_cast<std::size_t>(config.integer("report.max_mails_to_mailbox"));
  reports.reporter.keep = std::chrono::days(config.integer("results.keep_days"));
  reports.mail.sendmail = config.text("report.sendmail");
  reports.mail.smtp_server = config.text("report.smtp_server");
  if (!reports.mail.smtp_server.empty() && !is_host_and_port(reports.mail.smtp_server)) {
    return fail(ConfigError::kValue,
                "report.smtp_server: is HOST:PORT or [IPv6]:PORT, not " + reports.mail.smtp_server);
  }
  reports.allows_private = config.flag("report.allow_private_addresses");
  return reports;
}

}  // namespace

base::Result<Settings, ConfigError> read_settings(const base::Config& config) {
  Settings settings;
  settings.dns.mode = resolver_mode(config.text("dns.mode"));
  settings.dns.resolvers = config.text_list("dns.resolvers");
  settings.dns.port = static_cast<unsigned>(config.integer("dns.port"));
  settings.dns.trust_anchor_file = config.text("dns.trust_anchor_file");
  settings.dns.dnssec = dnssec_mode(config.text("dns.dnssec"));
  settings.dns.timeout = config.seconds("dns.timeout");
  settings.https.ca_file = config.text("https.ca_file");
  settings.https.timeout = config.seconds("https.timeout");
  settings.https.max_bytes = static_cast<std::size_t>(config.integer("https.max_bytes"));
  settings.https.proxy = config.text("https.proxy");
  settings.refresh.interval = config.seconds("cache.refresh");
  settings.refresh.idle_days = std::chrono::days(config.integer("cache.idle_days"));
  settings.max_entries = static_cast<std::size_t>(config.integer("cache.max_entries"));
  settings.max_stored = static_cast<std::size_t>(config.integer("cache.max_stored"));
  settings.max_connections = static_cast<std::size_t>(config.integer("listen.max_connections"));
  settings.questions.wait = config.seconds("answer.wait");
  settings.questions.max_ready = 2 * settings.max_entries;
  settings.results.store_path = std::filesystem::absolute(config.text("store.path")).string();
  settings.results.keep = std::chrono::days(config.integer("results.keep_days"));
  settings.results.max_spool_bytes =
      static_cast<std::uint64_t>(config.integer("results.max_spool_bytes"));
  auto reports = read_reports(config);
  if (!reports.ok()) return reports.error();
  settings.reports = std::move(reports).value();
  settings.reports.https = settings.https;
  if (!settings.dns.resolvers.empty() && settings.dns.mode != dns::ResolverMode::kForward) {
    return fail(ConfigError::kValue,
                "dns.resolvers: is used with dns.mode = \"forward\" alone; set that too");
  }
  for (const std::string& text : config.text_list("answer.skip_domains")) {
    auto domain = base::DomainName::parse(text);
    if (!domain.ok()) {
      return fail(ConfigError::kValue,
                  "answer.skip_domains: " + text + ": " + domain.error().detail);
    }
    settings.questions.skip_domains.push_back(domain.value().text());
  }
  settings.has_dane_answers = config.flag("postfix.dane");
  auto overrides = read_overrides(config);
  if (!overrides.ok()) return overrides.error();
  settings.overrides = std::move(overrides).value();
  for (const std::string& name : config.text_list("control.users")) {
    const auto user = base::find_user(name);
    if (!user.ok()) return fail(ConfigError::kValue, "control.users: " + user.error().detail);
    settings.control_users.push_back(user.value().uid);
  }
  return settings;
}

}  // namespace strictmx::daemon
