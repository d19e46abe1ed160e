// report_results.cc - strictmx report results: TLS sessions that strictmxd has stored (RFC 8460).
#include <fmt/format.h>
#include <jansson.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <optional>

#include "plugins/cli/daemon_link.h"
#include "plugins/cli/report.h"
#include "plugins/cli/terminal.h"

namespace strictmx::cli {
namespace {

// Domains asked for at a time.
constexpr std::int64_t kPageSize = 200;

struct ResultOptions {
  std::optional<std::string> day;
  std::optional<std::string> domain;
  bool is_json = false;
};

Json result_arguments(const ResultOptions& options, Json after) {
  Json arguments = no_arguments();
  if (options.day.has_value()) {
    json_object_set_new(arguments.get(), "day", json_text(*options.day).release());
  }
  if (options.domain.has_value()) {
    json_object_set_new(arguments.get(), "domain", json_text(*options.domain).release());
  }
  json_object_set_new(arguments.get(), "limit", json_integer(kPageSize));
  if (after != nullptr) json_object_set_new(arguments.get(), "after", after.release());
  return arguments;
}

// "certificate-expired 3, starttls-not-supported 1": each result type with its sessions.
std::string failure_summary(const JsonView& policy) {
  std::map<std::string, std::int64_t> types;
  for (const JsonView& failure : policy.items("failure-details")) {
    types[shown(failure.text("result-type"))] += failure.number("failed-session-count");
  }
  std::string summary;
  for (const auto& [type, sessions] : types) {
    summary += fmt::format("{}{} {}", summary.empty() ? "" : ", ", type, sessions);
  }
  return summary.empty() ? "-" : summary;
}

void add_rows(Table& table, const JsonView& result) {
  for (const JsonView& policy : result.items("policies")) {
    const JsonView summary = policy.member("summary");
    const std::int64_t failed = summary.number("total-failure-session-count");
    const Style style = failed > 0 ? Style::kBad : Style::kPlain;
    table.add({{shown(result.text("day"))},
               {shown(result.text("domain"))},
               {shown(policy.member("policy").text("policy-type"))},
               {std::to_string(summary.number("total-successful-session-count"))},
               {std::to_string(failed), style},
               {failure_summary(policy), style}});
  }
}

// All pages are read before anything is printed: columns line up, and JSON is whole.
Outcome results(const Command& command, const ResultOptions& options) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  Table table;
  using Style::kHeading;
  table.add({{"DAY", kHeading},
             {"DOMAIN", kHeading},
             {"POLICY", kHeading},
             {"OK", kHeading},
             {"FAILED", kHeading},
             {"FAILURES", kHeading}});
  Json rows(json_array());
  Json after;
  do {
    const auto reply =
        link.value().control("report.results", result_arguments(options, std::move(after)));
    if (!reply.ok()) return reply.error();
    const JsonView view(reply.value());
    for (const JsonView& result : view.items("results")) {
      if (options.is_json) {
        json_array_append_new(rows.get(), json_deep_copy(result.get()));
      } else {
        add_rows(table, result);
      }
    }
    after = Json(view.has("next") ? json_deep_copy(view.member("next").get()) : nullptr);
  } while (after != nullptr);
  if (!options.is_json) {
    fmt::print("{}", table.text());
    return base::done();
  }
  Json object(json_object());
  json_object_set_new(object.get(), "results", rows.release());
  fmt::print("{}", print_json(object.get()));
  return base::done();
}

}  // namespace

void add_report_results(CLI::App& parent, Command& command) {
  auto options = std::make_shared<ResultOptions>();
  CLI::App* sub = parent.add_subcommand("results", "the results of TLS sessions so far");
  sub->add_option("--day", options->day, "this UTC day alone")->type_name("YYYY-MM-DD");
  sub->add_option("--domain", options->domain, "this policy domain alone")->type_name("NAME");
  sub->add_flag("--json", options->is_json, "print JSON");
  sub->callback([&command, options] {
    command.run = [&command, options] { return results(command, *options); };
  });
}

}  // namespace strictmx::cli
