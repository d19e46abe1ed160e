// reports.cc - see reports.h.
#include "plugins/strictmxd/reports.h"

#include <fmt/format.h>

#include "common/base/log.h"
#include "common/base/mail_address.h"
#include "common/dkim/signer.h"

namespace strictmx::daemon {
namespace {

using base::fail;
using SignerPointer = std::shared_ptr<const dkim::Signer>;

// None without keys: the mail server signs then, or nobody.
base::Result<SignerPointer, ReportsError> make_signer(const ReportSettings& settings) {
  if (settings.dkim_keys.empty()) return SignerPointer();
  const std::string& contact = settings.reporter.author.contact;
  const auto domain = base::domain_of_mail_address(contact);
  if (!domain.has_value()) {
    return fail(ReportsError::kKey, "report.dkim_keys: report.contact tells for which domain");
  }
  std::vector<dkim::SigningKey> keys;
  for (const auto& [selector, path] : settings.dkim_keys) {
    auto key = dkim::PrivateKey::load(path);
    if (!key.ok()) return fail(ReportsError::kKey, "report.dkim_keys: " + key.error().detail);
    keys.push_back({std::move(key).value(), selector});
  }
  // RFC 8460 §3: signed by the domain that submits the report.
  auto signer = dkim::Signer::create(*domain, std::move(keys));
  if (!signer.ok()) return fail(ReportsError::kKey, "report.dkim_keys: " + signer.error().detail);
  return std::make_shared<const dkim::Signer>(std::move(signer).value());
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

void tell_state(const ReportSettings& settings, bool is_signed) {
  if (!settings.missing.empty()) {
    base::log_info("reports are off", {{"not_set", joined(settings.missing)}});
    return;
  }
  const std::string way =
      settings.mail.smtp_server.empty() ? settings.mail.sendmail : settings.mail.smtp_server;
  base::log_info("reports are on", {{"organization", settings.reporter.author.organization},
                                    {"mail_by", way},
                                    {"dkim", is_signed ? "signed" : "left to the mail server"}});
}

}  // namespace

// While reports are off there is none of it: the roots alone take most of a megabyte.
struct Reports::Prepared {
  std::unique_ptr<http::HttpsClient> client;
  SignerPointer signer;
};

base::Result<Reports::Prepared, ReportsError> Reports::prepare(base::EventLoop& loop,
                                                               const ReportSettings& settings) {
  Prepared prepared;
  if (!settings.reporter.is_on) return prepared;
  auto client = http::HttpsClient::create(loop, settings.https);
  if (!client.ok()) return fail(ReportsError::kHttps, client.error().detail);
  prepared.client = std::move(client).value();
  auto signer = make_signer(settings);
  if (!signer.ok()) return signer.error();
  prepared.signer = std::move(signer).value();
  return prepared;
}

base::Result<std::unique_ptr<Reports>, ReportsError> Reports::create(
    base::EventLoop& loop, store::Database& database, const base::Clock& clock,
    dns::Resolver& resolver, const ReportSettings& settings) {
  auto prepared = prepare(loop, settings);
  if (!prepared.ok()) return prepared.error();
  std::unique_ptr<Reports> reports(
      new Reports(loop, database, clock, resolver, std::move(prepared.value().client)));
  reports->take(settings, {settings.from, prepared.value().signer});
  return reports;
}

Reports::Reports(base::EventLoop& loop, store::Database& database, const base::Clock& clock,
                 dns::Resolver& resolver, std::unique_ptr<http::HttpsClient> client)
    : client_(std::move(client)),
      asked_(resolver, client_, false),
      own_(resolver, client_, true),
      builders_(loop, kBuilderThreads, reporting::kMaxUnderWay),
      mailers_(loop, kMailThreads, kMaxQueuedMails),
      sender_(loop, mailers_, asked_, own_),
      reporter_(loop, database, clock, resolver, sender_, builders_) {}

base::Outcome<ReportsError> Reports::apply(const ReportSettings& settings) {
  auto prepared = prepare(reporter_.loop(), settings);
  if (!prepared.ok()) return prepared.error();
  if (prepared.value().client != nullptr) client_.replace(std::move(prepared.value().client));
  take(settings, {settings.from, prepared.value().signer});
  return base::done();
}

void Reports::take(const ReportSettings& settings, reporting::MailAuthor author) {
  author_ = std::move(author);
  asked_.set_allows_private(settings.allows_private);
  sender_.set_settings({author_, settings.mail});
  reporter_.set_settings(settings.reporter);
  tell_state(settings, author_.signer != nullptr);
}

void Reports::stop() {
  reporter_.stop();
  sender_.stop();
}

void Reports::write_metrics(service::MetricsText& out) const {
  const reporting::ReporterCounters& counters = reporter_.counters();
  constexpr std::string_view kSettled = "Reports settled, by how";
  for (std::size_t i = 0; i < reporting::kReportStates; ++i) {
    const auto state = static_cast<reporting::ReportState>(i);
    if (state == reporting::ReportState::kWaiting || state == reporting::ReportState::kSending) {
      continue;
    }
    out.counter("reports_total", kSettled,
                fmt::format("state=\"{}\"", reporting::report_state_name(state)),
                counters.settled[i]);
  }
  constexpr std::string_view kRecipients = "Recipients of reports settled, by how";
  for (std::size_t i = 1; i < reporting::kRecipientStates; ++i) {
    const auto state = static_cast<reporting::RecipientState>(i);
    out.counter("report_recipients_total", kRecipients,
                fmt::format("state=\"{}\"", reporting::recipient_state_name(state)),
                counters.recipients[i]);
  }
  out.counter("report_failed_attempts_total", "Attempts to send a report that failed", "",
              counters.failed_attempts);
  out.counter("report_store_failures_total", "Reads and writes of reports that failed", "",
              counters.store_failures);
  out.gauge("reports_under_way", "Reports that are being built or sent", "", reporter_.under_way());
}

}  // namespace strictmx::daemon
