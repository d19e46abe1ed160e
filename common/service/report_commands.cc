// report_commands.cc - see report_commands.h.
#include "common/service/report_commands.h"

#include <jansson.h>

#include <utility>

#include "common/reporting/report_target.h"
#include "common/service/reply_json.h"
#include "common/service/report_arguments.h"
#include "common/tlsrpt/report_json.h"

namespace strictmx::service {
namespace {

using reporting::DayNumber;
using reporting::RecipientRow;
using reporting::ReportRow;

DayNumber today(const ReportCommands& commands) { return reporting::day_of(commands.clock.now()); }

void respond_store_error(const Respond& respond, const std::string& detail) {
  respond(control_error("failed", "store: " + detail));
}

Json recipient_json(const RecipientRow& row) {
  Json object(json_object());
  set(object, "uri", text_json(row.uri));
  set(object, "origin", text_json(row.origin == reporting::Origin::kRecord ? "record" : "rule"));
  set(object, "state", text_json(reporting::recipient_state_name(row.state)));
  if (row.attempts > 0) set_number(object, "attempts", row.attempts);
  if (row.state == reporting::RecipientState::kWaiting && row.next_at != base::WallTime()) {
    set_time(object, "next_at", row.next_at);
  }
  set_text_if_any(object, "why", row.why);
  return object;
}

Json recipients_json(const std::vector<RecipientRow>& rows) {
  Json list(json_array());
  for (const RecipientRow& row : rows) {
    json_array_append_new(list.get(), recipient_json(row).release());
  }
  return list;
}

Json row_json(const ReportRow& row) {
  Json object(json_object());
  set(object, "day", text_json(reporting::day_text(row.day)));
  set(object, "domain", text_json(row.domain));
  set(object, "state", text_json(reporting::report_state_name(row.state)));
  const bool is_due = row.state == reporting::ReportState::kWaiting ||
                      row.state == reporting::ReportState::kSending;
  if (is_due) set_time(object, "next_at", row.next_at);
  if (row.created != base::WallTime()) set_time(object, "created", row.created);
  set_text_if_any(object, "why", row.why);
  set(object, "recipients", recipients_json(row.recipients));
  return object;
}

void set_is_on(const Json& reply, const ReportCommands& commands) {
  const reporting::ReporterSettings& settings = commands.reporter.settings();
  set(reply, "on", Json(json_boolean(settings.is_on)));
  set_text_if_any(reply, "why_off", settings.why_off);
}

// The report itself, and the mail that would carry it.
void set_report(const Json& reply, const ReportCommands& commands, const base::DomainName& domain,
                const reporting::ReportPreview& preview) {
  const auto report = reporting::read_built_report(preview.bytes);
  if (!report.ok()) return;
  const std::string text = tlsrpt::write_report_json(report.value());
  set(reply, "report", Json(json_loadb(text.data(), text.size(), 0, nullptr)));
  for (const RecipientRow& row : preview.destinations.recipients) {
    if (row.state == reporting::RecipientState::kRefused) continue;
    const auto target = reporting::read_target(row.uri);
    if (!target.ok() || target.value().kind != reporting::TargetKind::kMail) continue;
    const bool is_built = preview.row.has_value() && preview.row->created != base::WallTime();
    const reporting::Delivery delivery{domain, row.uri, row.origin,
                                       is_built ? preview.row->created : commands.clock.now(),
                                       std::make_shared<const std::string>(preview.bytes)};
    const auto mail =
        reporting::compose_mail(commands.mail_author, delivery, target.value().mailbox);
    if (mail.ok()) set(reply, "mail", text_json(mail.value()));
    return;
  }
}

void preview_command(const ReportCommands& commands, const ControlRequest& request,
                     const Respond& respond) {
  const auto asked = day_argument(request);
  if (!asked.ok()) return respond(control_error("usage", asked.error().detail));
  const DayNumber day = asked.value().value_or(today(commands));
  const auto domain = domain_argument(request);
  if (!domain.ok()) return respond(control_error("usage", domain.error().detail));
  if (!domain.value().has_value()) return respond(control_error("usage", "domain: is missing"));
  const base::DomainName& name = *domain.value();
  const bool is_brief = json_is_true(json_object_get(request.arguments.get(), "brief"));
  commands.reporter.preview(
      day, name, [&commands, name, day, is_brief, respond](const auto& found) {
        if (!found.ok()) return respond_store_error(respond, found.error().detail);
        const reporting::ReportPreview& preview = found.value();
        Json reply = control_ok();
        set(reply, "day", text_json(reporting::day_text(day)));
        set(reply, "domain", text_json(name.text()));
        set_is_on(reply, commands);
        set_text_if_any(reply, "not_sent_because", preview.not_sent_because);
        set(reply, "recipients", recipients_json(preview.destinations.recipients));
        if (preview.row.has_value()) set(reply, "stored", row_json(*preview.row));
        if (!is_brief) set_report(reply, commands, name, preview);
        respond(std::move(reply));
      });
}

void send_command(const ReportCommands& commands, const ControlRequest& request,
                  const Respond& respond) {
  const auto asked = day_argument(request);
  if (!asked.ok()) return respond(control_error("usage", asked.error().detail));
  const DayNumber day = asked.value().value_or(today(commands) - 1);
  const auto domain = domain_argument(request);
  if (!domain.ok()) return respond(control_error("usage", domain.error().detail));
  if (day >= today(commands)) {
    return respond(control_error("usage", reporting::day_text(day) +
                                              " has not ended in UTC; a report covers a whole day "
                                              "(see 'strictmx report preview')"));
  }
  if (!commands.reporter.settings().is_on) {
    return respond(
        control_error("failed", "reports are off: " + commands.reporter.settings().why_off));
  }
  if (!commands.reporter.is_complete(day)) {
    return respond(
        control_error("failed",
                      "results of that day are still on their way into the store; try again in a "
                      "moment"));
  }
  const std::string name = domain.value().has_value() ? domain.value()->text() : std::string();
  commands.reporter.send_now(day, name, [day, respond](const auto& rows) {
    if (!rows.ok()) return respond_store_error(respond, rows.error().detail);
    Json reply = control_ok();
    set(reply, "day", text_json(reporting::day_text(day)));
    set_number(reply, "reports", rows.value());
    respond(std::move(reply));
  });
}

template <class Names, std::size_t kCount>
Json counts_json(const std::array<std::uint64_t, kCount>& counts, Names name) {
  Json object(json_object());
  for (std::size_t i = 0; i < kCount; ++i) set_number(object, name(i), counts[i]);
  return object;
}

Json day_json(const reporting::DayStatus& status) {
  Json object(json_object());
  set(object, "day", text_json(reporting::day_text(status.day)));
  set(object, "reports", counts_json(status.reports, [](std::size_t i) {
        return reporting::report_state_name(static_cast<reporting::ReportState>(i));
      }));
  set(object, "recipients", counts_json(status.recipients, [](std::size_t i) {
        return reporting::recipient_state_name(static_cast<reporting::RecipientState>(i));
      }));
  return object;
}

// One day at a time, so that others get their turn at the store.
void add_days(const ReportCommands& commands, DayNumber before, std::shared_ptr<json_t> days,
              const std::function<void(const std::string&)>& done) {
  using Status = std::optional<reporting::DayStatus>;
  reporting::read_with<Status>(
      commands.reporter.database(),
      [before](store::Transaction& transaction) {
        return reporting::status_before(transaction, before);
      },
      [&commands, days = std::move(days), done](const reporting::StoreResult<Status>& status) {
        if (!status.ok()) return done(status.error().detail);
        if (!status.value().has_value() || json_array_size(days.get()) >= kMaxStatusDays) {
          return done("");
        }
        json_array_append_new(days.get(), day_json(*status.value()).release());
        add_days(commands, status.value()->day, days, done);
      });
}

void status_command(const ReportCommands& commands, const ControlRequest&, const Respond& respond) {
  const std::shared_ptr<json_t> days(json_array(), JsonFree());
  add_days(commands, INT64_MAX, days, [&commands, days, respond](const std::string& problem) {
    if (!problem.empty()) return respond_store_error(respond, problem);
    Json reply = control_ok();
    set_is_on(reply, commands);
    set_number(reply, "under_way", commands.reporter.under_way());
    set(reply, "days", Json(json_incref(days.get())));
    respond(std::move(reply));
  });
}

void list_command(const ReportCommands& commands, const ControlRequest& request,
                  const Respond& respond) {
  const auto day = day_argument(request);
  if (!day.ok()) return respond(control_error("usage", day.error().detail));
  const auto domain = domain_argument(request);
  if (!domain.ok()) return respond(control_error("usage", domain.error().detail));
  reporting::ReportQuery query;
  query.day = day.value().value_or(today(commands) - 1);
  if (domain.value().has_value()) query.domain = domain.value()->text();
  query.only_troubled = json_is_true(json_object_get(request.arguments.get(), "troubled"));
  query.after = request.text("after").value_or("");
  query.limit = limit_argument(request, reporting::kMaxListed);
  reporting::read_with<reporting::ReportPage>(
      commands.reporter.database(),
      [query](store::Transaction& transaction) {
        return reporting::list_reports(transaction, query);
      },
      [respond](const reporting::StoreResult<reporting::ReportPage>& page) {
        if (!page.ok()) return respond_store_error(respond, page.error().detail);
        Json list(json_array());
        for (const ReportRow& row : page.value().reports) {
          json_array_append_new(list.get(), row_json(row).release());
        }
        Json reply = control_ok();
        set(reply, "reports", std::move(list));
        if (page.value().has_more) {
          set(reply, "next", text_json(page.value().reports.back().domain));
        }
        respond(std::move(reply));
      });
}

}  // namespace

void add_report_commands(ControlServer& server, const ReportCommands& commands) {
  static constexpr ControlCommand<ReportCommands> kTable[] = {
      {"report.preview", Effect::kReads, preview_command},
      {"report.send", Effect::kChanges, send_command},
      {"report.status", Effect::kReads, status_command},
      {"report.list", Effect::kReads, list_command},
  };
  server.add_commands(kTable, commands);
}

}  // namespace strictmx::service
