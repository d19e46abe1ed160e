// report_send.cc - strictmx report send: a day's reports now, or what would be sent.
#include <fmt/format.h>
#include <jansson.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "common/base/clock.h"
#include "common/reporting/day.h"
#include "plugins/cli/daemon_link.h"
#include "plugins/cli/report.h"
#include "plugins/cli/terminal.h"

namespace strictmx::cli {
namespace {

constexpr std::int64_t kPageSize = 200;

struct SendOptions {
  std::optional<std::string> day;
  std::optional<std::string> domain;
  bool is_dry = false;
  bool is_json = false;
};

std::string yesterday() {
  const base::SystemClock clock;
  return reporting::day_text(reporting::day_of(clock.now()) - 1);
}

Json day_and_domain(const SendOptions& options) {
  Json arguments = no_arguments();
  json_object_set_new(arguments.get(), "day",
                      json_text(options.day.has_value() ? *options.day : yesterday()).release());
  if (options.domain.has_value()) {
    json_object_set_new(arguments.get(), "domain", json_text(*options.domain).release());
  }
  return arguments;
}

// The previews of all domains that have results on the day; each is looked up in DNS now.
Or<Json> previews(DaemonLink& link, const SendOptions& options) {
  Json rows(json_array());
  Json after;
  do {
    Json arguments = day_and_domain(options);
    json_object_set_new(arguments.get(), "limit", json_integer(kPageSize));
    if (after != nullptr) json_object_set_new(arguments.get(), "after", after.release());
    const auto page = link.control("report.results", std::move(arguments));
    if (!page.ok()) return page.error();
    const JsonView view(page.value());
    for (const JsonView& result : view.items("results")) {
      Json wanted = domain_argument(result.text("domain"));
      json_object_set_new(wanted.get(), "day", json_text(result.text("day")).release());
      json_object_set_new(wanted.get(), "brief", json_true());
      auto preview = link.control("report.preview", std::move(wanted));
      if (!preview.ok()) return preview.error();
      json_object_del(preview.value().get(), "ok");
      json_array_append_new(rows.get(), preview.value().release());
    }
    after = Json(view.has("next") ? json_deep_copy(view.member("next").get()) : nullptr);
  } while (after != nullptr);
  Json object(json_object());
  json_object_set_new(object.get(), "reports", rows.release());
  return object;
}

std::string recipients_in_words(const JsonView& preview) {
  std::string words;
  for (const JsonView& one : preview.items("recipients")) {
    if (one.text("state") != "waiting") continue;
    words += (words.empty() ? "" : ", ") + shown(one.text("uri"));
  }
  return words.empty() ? "-" : words;
}

void print_previews(const JsonView& all) {
  Table table;
  using Style::kHeading;
  table.add({{"DOMAIN", kHeading}, {"STATE", kHeading}, {"TO", kHeading}, {"WHY NOT", kHeading}});
  for (const JsonView& preview : all.items("reports")) {
    const std::string why_not = preview.text("not_sent_because");
    const JsonView stored = preview.member("stored");
    table.add({{shown(preview.text("domain"))},
               {stored.has("state") ? shown(stored.text("state")) : "not planned"},
               {recipients_in_words(preview)},
               {why_not.empty() ? "-" : shown(why_not),
                why_not.empty() ? Style::kPlain : Style::kWarning}});
  }
  fmt::print("{}", table.text());
}

Outcome send(const Command& command, const SendOptions& options) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  if (options.is_dry) {
    const auto all = previews(link.value(), options);
    if (!all.ok()) return all.error();
    if (options.is_json) {
      fmt::print("{}", print_json(all.value().get()));
    } else {
      print_previews(JsonView(all.value()));
    }
    return base::done();
  }
  const auto reply = link.value().control("report.send", day_and_domain(options));
  if (!reply.ok()) return reply.error();
  const JsonView view(reply.value());
  if (options.is_json) {
    json_object_del(reply.value().get(), "ok");
    fmt::print("{}", print_json(reply.value().get()));
    return base::done();
  }
  fmt::print(
      "{} of {}: due now. 'strictmx report status --day {}' tells how they go.\n",
      view.number("reports") == 1 ? "1 report" : fmt::format("{} reports", view.number("reports")),
      shown(view.text("day")), shown(view.text("day")));
  return base::done();
}

}  // namespace

void add_report_send(CLI::App& parent, Command& command) {
  auto options = std::make_shared<SendOptions>();
  CLI::App* sub =
      parent.add_subcommand("send", "send a day's reports now: what waits, and what was given up");
  sub->add_option("--day", options->day, "UTC day that has ended, else yesterday")
      ->type_name("YYYY-MM-DD");
  sub->add_option("--domain", options->domain, "this policy domain alone")->type_name("NAME");
  sub->add_flag("--dry-run", options->is_dry, "send nothing, print what would be sent to whom");
  sub->add_flag("--json", options->is_json, "print JSON");
  sub->callback([&command, options] {
    command.run = [&command, options] { return send(command, *options); };
  });
}

}  // namespace strictmx::cli
