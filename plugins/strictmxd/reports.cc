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

void tell_state(const ReportSettings& settings, bool is_signed) {
  if (!settings.reporter.is_on) {
    base::log_info("reports are off", {{"reason", settings.reporter.why_off}});
    return;
  }
  const auto contact = base::domain_of_mail_address(settings.reporter.author.contact);
  const auto from = base::domain_of_mail_address(settings.from);
  if (contact.has_value() && from.has_value() && contact->text() != from->text()) {
    base::log_warning(
        "report.from and report.contact are of different domains: DKIM signs for that of "
        "report.contact, and readers whose DMARC looks at From may refuse the mails",
        {{"from", from->text()}, {"contact", contact->text()}});
  }
  const std::string way =
      settings.mail.smtp_server.empty() ? settings.mail.sendmail : settings.mail.smtp_server;
  base::log_info("reports are on", {{"organization", settings.reporter.author.organization},
                                    {"mail_by", way},
                                    {"dkim", is_signed ? "signed" : "left to the mail server"}});
}

}  // namespace

Reports::Reports(base::EventLoop& loop, store::Database& database, const base::Clock& clock,
                 dns::Resolver& resolver, const ReportSettings& settings)
    : loop_(loop),
      client_(nullptr),
      asked_(resolver, client_, false),
      own_(resolver, client_, true),
      builders_(loop, kBuilderThreads, reporting::kMaxUnderWay),
      mailers_(loop, kMailThreads, kMaxQueuedMails),
      writers_(loop, kWriterThreads, kMaxQueuedFiles),
      sender_(loop, mailers_, writers_, asked_, own_),
      reporter_(loop, database, clock, resolver, sender_, builders_) {
  const auto applied = apply(settings);
  if (applied.ok()) return;
  reporting::ReporterSettings off = settings.reporter;
  off.is_on = false;
  off.why_off = applied.error().detail;
  base::log_error("reports are off until this is put right and strictmxd reloaded",
                  {{"reason", off.why_off}});
  reporter_.set_settings(off);
}

base::Outcome<ReportsError> Reports::check(const ReportSettings& settings) {
  if (!settings.reporter.is_on) return base::done();
  const auto signer = make_signer(settings);
  if (!signer.ok()) return signer.error();
  return base::done();
}

// While reports are off nothing of it is made (the roots alone take most of a megabyte), and what
// attempts under way hold stays as it is.
base::Outcome<ReportsError> Reports::apply(const ReportSettings& settings) {
  if (settings.reporter.is_on) {
    auto client = http::HttpsClient::create(loop_, settings.https);
    if (!client.ok()) return fail(ReportsError::kHttps, client.error().detail);
    auto signer = make_signer(settings);
    if (!signer.ok()) return signer.error();
    author_ = {settings.from, std::move(signer).value()};
    client_.replace(std::move(client).value());
    asked_.set_allows_private(settings.allows_private);
    sender_.set_settings({author_, settings.mail});
  }
  reporter_.set_settings(settings.reporter);
  tell_state(settings, author_.signer != nullptr);
  return base::done();
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
