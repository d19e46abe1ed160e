// query.cc - strictmx query: what strictmxd answers a mail server about a domain.
#include <fmt/format.h>
#include <jansson.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "plugins/cli/daemon_link.h"
#include "plugins/cli/terminal.h"

namespace strictmx::cli {
namespace {

using base::fail;
using client::Answer;
using client::AnswerStatus;

struct QueryOptions {
  std::string domain;
  std::string map = "postfix";
  bool is_json = false;
};

std::string answer_line(const Answer& answer) {
  std::string line(client::answer_status_name(answer.status));
  if (!answer.text.empty()) line += " " + shown(answer.text);
  return line;
}

Outcome outcome_of(AnswerStatus status) {
  switch (status) {
    case AnswerStatus::kOk:
    case AnswerStatus::kNotFound:
      return base::done();
    case AnswerStatus::kTemp:
      return fail(Exit::kTemporary, "");
    case AnswerStatus::kPerm:
      return fail(Exit::kData, "");
  }
  return fail(Exit::kInternal, "");
}

// The map answers NOTFOUND for what can never have a policy: an address, a name below a dot, one
// of answer.skip_domains.
Json no_policy(const std::string& domain) {
  Json object(json_object());
  json_object_set_new(object.get(), "version", json_integer(1));
  json_object_set_new(object.get(), "domain", json_text(domain).release());
  json_object_set_new(object.get(), "policy", json_string("none"));
  json_object_set_new(object.get(), "mode", json_string("none"));
  return object;
}

Outcome query_json(DaemonLink& link, const std::string& domain) {
  const auto answer = link.ask("json", domain);
  if (!answer.ok()) return answer.error();
  switch (answer.value().status) {
    case AnswerStatus::kOk: {
      const Json verdict = parse_json(answer.value().text);
      if (verdict == nullptr) return fail(Exit::kUnavailable, "the answer is no JSON object");
      fmt::print("{}", print_json(verdict.get()));
      return base::done();
    }
    case AnswerStatus::kNotFound:
      fmt::print("{}", print_json(no_policy(domain).get()));
      return base::done();
    case AnswerStatus::kTemp:
    case AnswerStatus::kPerm:
      return fail(outcome_of(answer.value().status).error().code, answer_line(answer.value()));
  }
  return fail(Exit::kInternal, "");
}

Outcome query(const Command& command, const QueryOptions& options) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  if (options.is_json) return query_json(link.value(), options.domain);
  const auto answer = link.value().ask(options.map, options.domain);
  if (!answer.ok()) return answer.error();
  fmt::print("{}\n", answer_line(answer.value()));
  return outcome_of(answer.value().status);
}

std::string map_name_problem(const std::string& name) {
  const bool is_name = !name.empty() && name.size() <= client::kMaxMapNameBytes &&
                       name.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                           "0123456789_-") == name.npos;
  return is_name ? "" : "a map is 1 to 32 of A-Z a-z 0-9 _ -";
}

}  // namespace

void add_query(CLI::App& app, Command& command) {
  auto options = std::make_shared<QueryOptions>();
  CLI::App* sub = app.add_subcommand("query", "what strictmxd answers a mail server");
  sub->add_option("DOMAIN", options->domain, "policy domain, or [host]:port as in a transport map")
      ->required();
  auto* map = sub->add_option("--map", options->map, "map of the socketmap service")
                  ->check(map_name_problem)
                  ->type_name("NAME")
                  ->capture_default_str();
  sub->add_flag("--json", options->is_json, "the verdict as JSON (map json)")->excludes(map);
  sub->callback([&command, options] {
    command.run = [&command, options] { return query(command, *options); };
  });
}

}  // namespace strictmx::cli
