// override.cc - strictmx override: sets, lists and removes what the operator decides about a
// domain.
#include <fmt/format.h>
#include <jansson.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "common/base/clock.h"
#include "plugins/cli/daemon_link.h"
#include "plugins/cli/terminal.h"
#include "plugins/cli/times.h"

namespace strictmx::cli {
namespace {

struct SetOptions {
  std::string domain;
  std::string mode;
  std::vector<std::string> mx;
  std::string until;
  std::string note;
};

std::string joined(const std::vector<std::string>& patterns) {
  std::string out;
  for (const std::string& pattern : patterns) {
    if (!out.empty()) out += ' ';
    out += shown(pattern);
  }
  return out.empty() ? "-" : out;
}

Outcome list(const Command& command, bool is_json) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  const auto reply = link.value().control("override.list", no_arguments());
  if (!reply.ok()) return reply.error();
  const JsonView view(reply.value());
  if (is_json) {
    fmt::print("{}", print_json(view.get()));
    return base::done();
  }
  const base::WallTime now = base::SystemClock().now();
  Table table;
  using Style::kHeading;
  table.add({{"DOMAIN", kHeading},
             {"MODE", kHeading},
             {"MX", kHeading},
             {"UNTIL", kHeading},
             {"SOURCE", kHeading},
             {"NOTE", kHeading}});
  for (const JsonView& row : view.items("overrides")) {
    const bool holds = row.is_true("holds");
    const std::string until =
        row.has("until") ? with_distance(row.text("until"), now) + (holds ? "" : ", ended") : "-";
    table.add({{shown(row.text("domain"))},
               {shown(row.text("mode"))},
               {joined(row.texts("mx"))},
               {until, holds ? Style::kPlain : Style::kFaint},
               {shown(row.text("source"))},
               {shown(row.text("note"))}});
  }
  fmt::print("{}", table.text());
  return base::done();
}

Outcome set(const Command& command, const SetOptions& options) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  Json arguments = domain_argument(options.domain);
  const auto add = [&arguments](const char* name, const std::string& text) {
    if (text.empty()) return;
    json_object_set_new(arguments.get(), name, json_text(text).release());
  };
  add("mode", options.mode);
  add("until", options.until);
  add("note", options.note);
  if (!options.mx.empty()) {
    json_object_set_new(arguments.get(), "mx", json_texts(options.mx).release());
  }
  const auto reply = link.value().control("override.set", std::move(arguments));
  if (!reply.ok()) return reply.error();
  return base::done();
}

Outcome remove(const Command& command, const std::string& domain) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  const auto reply = link.value().control("override.remove", domain_argument(domain));
  if (!reply.ok()) return reply.error();
  return base::done();
}

void add_set(CLI::App& parent, Command& command) {
  auto options = std::make_shared<SetOptions>();
  CLI::App* sub = parent.add_subcommand("set", "what holds for a domain, whatever it publishes");
  sub->add_option("DOMAIN", options->domain, "policy domain")->required();
  sub->add_option("--mode", options->mode, "enforce, testing or none");
  sub->add_option("--mx", options->mx, "a host, or *. and a domain; repeatable. Mode enforce")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  sub->add_option("--until", options->until, "last day on which it holds, or a time, UTC")
      ->type_name("DATE");
  sub->add_option("--note", options->note, "why, for the listing and the log")->type_name("TEXT");
  sub->callback([&command, options] {
    command.run = [&command, options] { return set(command, *options); };
  });
}

}  // namespace

void add_override(CLI::App& app, Command& command) {
  CLI::App* parent =
      app.add_subcommand("override", "what the operator decides about single domains");
  parent->require_subcommand(1);
  add_set(*parent, command);
  auto is_json = std::make_shared<bool>(false);
  CLI::App* list_sub = parent->add_subcommand("list", "all overrides, ended ones too");
  list_sub->add_flag("--json", *is_json, "print JSON");
  list_sub->callback([&command, is_json] {
    command.run = [&command, is_json] { return list(command, *is_json); };
  });
  auto domain = std::make_shared<std::string>();
  CLI::App* remove_sub = parent->add_subcommand("remove", "the domain's own policy holds again");
  remove_sub->add_option("DOMAIN", *domain, "policy domain")->required();
  remove_sub->callback([&command, domain] {
    command.run = [&command, domain] { return remove(command, *domain); };
  });
}

}  // namespace strictmx::cli
