// report_status.cc - strictmx report status: what was sent, what was not, and why.
#include <fmt/format.h>
#include <jansson.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "plugins/cli/daemon_link.h"
#include "plugins/cli/report.h"
#include "plugins/cli/terminal.h"

namespace strictmx::cli {
namespace {

constexpr std::int64_t kPageSize = 200;

struct StatusOptions {
  std::optional<std::string> day;
  std::optional<std::string> domain;
  bool is_troubled = false;
  bool is_json = false;
};

Table::Cell count_cell(const JsonView& counts, const char* state, Style if_any) {
  const std::int64_t count = counts.number(state);
  return {std::to_string(count), count > 0 ? if_any : Style::kPlain};
}

void print_days(const JsonView& reply) {
  if (!reply.is_true("on")) {
    fmt::print("{}\n", styled(Style::kWarning, "Reports are off: " + shown(reply.text("why_off"))));
  }
  Table table;
  using Style::kHeading;
  table.add({{"DAY", kHeading},
             {"WAITING", kHeading},
             {"SENDING", kHeading},
             {"DONE", kHeading},
             {"NOT SENT", kHeading},
             {"GIVEN UP", kHeading},
             {"COPIES SENT", kHeading},
             {"REFUSED", kHeading},
             {"GIVEN UP", kHeading}});
  for (const JsonView& day : reply.items("days")) {
    const JsonView reports = day.member("reports");
    const JsonView recipients = day.member("recipients");
    table.add({{shown(day.text("day"))},
               count_cell(reports, "waiting", Style::kPlain),
               count_cell(reports, "sending", Style::kPlain),
               count_cell(reports, "done", Style::kGood),
               count_cell(reports, "not-sent", Style::kPlain),
               count_cell(reports, "given-up", Style::kBad),
               count_cell(recipients, "sent", Style::kGood),
               count_cell(recipients, "refused", Style::kBad),
               count_cell(recipients, "given-up", Style::kBad)});
  }
  fmt::print("{}", table.text());
  if (reply.items("days").empty()) {
    fmt::print("No day is reported yet: a day's reports are planned after it has ended in UTC.\n");
  }
}

Style style_of(std::string_view state) {
  if (state == "sent" || state == "done") return Style::kGood;
  return state == "refused" || state == "given-up" ? Style::kBad : Style::kPlain;
}

// A line a recipient; a report without any has one of its own.
void add_rows(Table& table, const JsonView& report) {
  const std::string domain = shown(report.text("domain"));
  const auto recipients = report.items("recipients");
  if (recipients.empty()) {
    const std::string state = report.text("state");
    const std::string why = report.text("why");
    table.add({{domain},
               {"-"},
               {shown(state), style_of(state)},
               {report.has("next_at") ? shown(report.text("next_at")) : "-"},
               {why.empty() ? "-" : shown(why)}});
  }
  for (const JsonView& one : recipients) {
    const std::string state = one.text("state");
    const std::string why = one.text("why");
    table.add({{domain},
               {shown(one.text("uri"))},
               {shown(state), style_of(state)},
               {one.has("next_at") ? shown(one.text("next_at")) : "-"},
               {why.empty() ? "-" : shown(why)}});
  }
}

// All pages are read before anything is printed: columns line up, and JSON is whole.
Or<Json> reports_of_day(DaemonLink& link, const StatusOptions& options) {
  Json rows(json_array());
  std::string after;
  do {
    Json arguments = no_arguments();
    const auto set = [&arguments](const char* name, const std::string& text) {
      json_object_set_new(arguments.get(), name, json_text(text).release());
    };
    if (options.day.has_value()) set("day", *options.day);
    if (options.domain.has_value()) set("domain", *options.domain);
    if (!after.empty()) set("after", after);
    json_object_set_new(arguments.get(), "troubled", json_boolean(options.is_troubled));
    json_object_set_new(arguments.get(), "limit", json_integer(kPageSize));
    const auto page = link.control("report.list", std::move(arguments));
    if (!page.ok()) return page.error();
    const JsonView view(page.value());
    for (const JsonView& report : view.items("reports")) {
      json_array_append_new(rows.get(), json_deep_copy(report.get()));
    }
    after = view.text("next");
  } while (!after.empty());
  Json object(json_object());
  json_object_set_new(object.get(), "reports", rows.release());
  return object;
}

Outcome print_reports(DaemonLink& link, const StatusOptions& options) {
  const auto all = reports_of_day(link, options);
  if (!all.ok()) return all.error();
  if (options.is_json) {
    fmt::print("{}", print_json(all.value().get()));
    return base::done();
  }
  Table table;
  using Style::kHeading;
  table.add({{"DOMAIN", kHeading},
             {"TO", kHeading},
             {"STATE", kHeading},
             {"NEXT", kHeading},
             {"WHY", kHeading}});
  for (const JsonView& report : JsonView(all.value()).items("reports")) add_rows(table, report);
  fmt::print("{}", table.text());
  return base::done();
}

Outcome status(const Command& command, const StatusOptions& options) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  if (options.day.has_value() || options.domain.has_value() || options.is_troubled) {
    return print_reports(link.value(), options);
  }
  const auto reply = link.value().control("report.status", no_arguments());
  if (!reply.ok()) return reply.error();
  if (options.is_json) {
    json_object_del(reply.value().get(), "ok");
    fmt::print("{}", print_json(reply.value().get()));
  } else {
    print_days(JsonView(reply.value()));
  }
  return base::done();
}

}  // namespace

void add_report_status(CLI::App& parent, Command& command) {
  auto options = std::make_shared<StatusOptions>();
  CLI::App* sub = parent.add_subcommand(
      "status", "reports by day: due, sent, failed; with an option those of one day, and why");
  sub->add_option("--day", options->day, "each report of this UTC day; yesterday by default")
      ->type_name("YYYY-MM-DD");
  sub->add_option("--domain", options->domain, "this policy domain alone")->type_name("NAME");
  sub->add_flag("--troubled", options->is_troubled, "those alone that failed at least once");
  sub->add_flag("--json", options->is_json, "print JSON");
  sub->callback([&command, options] {
    command.run = [&command, options] { return status(command, *options); };
  });
}

}  // namespace strictmx::cli
