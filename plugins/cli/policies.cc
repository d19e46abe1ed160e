// policies.cc - strictmx policies: lists, shows, refreshes, purges and exports what is stored.
#include <fmt/format.h>
#include <jansson.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "common/base/clock.h"
#include "plugins/cli/daemon_link.h"
#include "plugins/cli/terminal.h"
#include "plugins/cli/times.h"

namespace strictmx::cli {
namespace {

using base::fail;

// A page of policies.list; the daemon gives at most 1000.
constexpr std::int64_t kPageSize = 500;

struct ListOptions {
  std::optional<std::int64_t> limit;
  std::string after;
  bool is_json = false;
};

struct DomainOptions {
  std::string domain;
  bool is_json = false;
};

// Calls `on_policy` for each stored policy by name; the name to go on after, empty at the end.
Or<std::string> for_each_policy(DaemonLink& link, const ListOptions& options,
                                const std::function<Outcome(const JsonView&)>& on_policy) {
  std::string after = options.after;
  std::int64_t left = options.limit.value_or(INT64_MAX);
  while (left > 0) {
    Json arguments = no_arguments();
    json_object_set_new(arguments.get(), "after", json_text(after).release());
    json_object_set_new(arguments.get(), "limit", json_integer(std::min(left, kPageSize)));
    const auto reply = link.control("policies.list", std::move(arguments));
    if (!reply.ok()) return reply.error();
    const JsonView view(reply.value());
    for (const JsonView& policy : view.items("policies")) {
      const auto outcome = on_policy(policy);
      if (!outcome.ok()) return outcome.error();
      --left;
    }
    const std::string next = view.text("next");
    if (next.empty()) return std::string();
    if (next <= after) return fail(Exit::kUnavailable, "strictmxd's pages do not go on");
    after = next;
  }
  return after;
}

std::string mx_summary(const JsonView& policy) {
  const auto patterns = policy.texts("mx");
  if (patterns.empty()) return "-";
  const std::string first = shown(patterns.front());
  return patterns.size() == 1 ? first : fmt::format("{} +{}", first, patterns.size() - 1);
}

Outcome list(const Command& command, const ListOptions& options) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  Table table;
  Json rows(json_array());
  using Style::kHeading;
  table.add({{"DOMAIN", kHeading},
             {"MODE", kHeading},
             {"ID", kHeading},
             {"EXPIRES", kHeading},
             {"MX", kHeading}});
  const auto next = for_each_policy(link.value(), options, [&](const JsonView& policy) -> Outcome {
    if (options.is_json) {
      json_array_append_new(rows.get(), json_deep_copy(policy.get()));
      return base::done();
    }
    const bool is_live = policy.is_true("live");
    table.add({{shown(policy.text("domain"))},
               {shown(policy.text("mode"))},
               {shown(policy.text("id"))},
               {shown(policy.text("expires")) + (is_live ? "" : " expired"),
                is_live ? Style::kPlain : Style::kFaint},
               {mx_summary(policy)}});
    return base::done();
  });
  if (!next.ok()) return next.error();
  if (!options.is_json) {
    fmt::print("{}", table.text());
    if (!next.value().empty()) {
      fmt::print(stderr, "more: strictmx policies list --after {}\n", shown(next.value()));
    }
    return base::done();
  }
  Json object(json_object());
  json_object_set_new(object.get(), "policies", rows.release());
  if (!next.value().empty()) {
    json_object_set_new(object.get(), "next", json_text(next.value()).release());
  }
  fmt::print("{}", print_json(object.get()));
  return base::done();
}

Outcome show(const Command& command, const DomainOptions& options) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  const auto reply = link.value().control("policies.show", domain_argument(options.domain));
  if (!reply.ok()) return reply.error();
  const JsonView policy = JsonView(reply.value()).member("policy");
  if (options.is_json) {
    fmt::print("{}", print_json(policy.get()));
    return base::done();
  }
  const base::WallTime now = base::SystemClock().now();
  Table table;
  table.add({{"domain"}, {shown(policy.text("domain")), Style::kHeading}});
  table.add({{"id"}, {shown(policy.text("id"))}});
  table.add({{"fetched"}, {with_distance(policy.text("fetched"), now)}});
  table.add({{"refresh"}, {with_distance(policy.text("refresh_at"), now)}});
  table.add({{"expires"}, {with_distance(policy.text("expires"), now)}});
  fmt::print("{}\n", table.text());
  for (const std::string& line : policy.texts("lines")) fmt::print("{}\n", shown(line));
  return base::done();
}

Outcome refresh(const Command& command, const DomainOptions& options) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  const auto reply = link.value().control("policies.refresh", domain_argument(options.domain));
  if (!reply.ok()) return reply.error();
  const JsonView verdict = JsonView(reply.value()).member("verdict");
  const JsonView failure = verdict.member("failure");
  if (options.is_json) {
    fmt::print("{}", print_json(verdict.get()));
  } else if (verdict.text("policy") == "sts") {
    fmt::print("{}: mode {}, id {}, expires {}\n", shown(verdict.text("domain")),
               shown(verdict.text("mode")), shown(verdict.text("id")),
               shown(verdict.text("expires")));
  } else {
    fmt::print("{}: no policy\n", shown(verdict.text("domain")));
  }
  if (!verdict.has("failure")) return base::done();
  const std::string type = failure.text("result-type");
  return fail(Exit::kTemporary,
              fmt::format("the refresh failed: {}{}", type.empty() ? "" : type + ": ",
                          failure.text("reason")));
}

Outcome purge(const Command& command, const std::optional<std::string>& domain) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  const auto reply = link.value().control(
      "policies.purge", domain.has_value() ? domain_argument(*domain) : no_arguments());
  if (!reply.ok()) return reply.error();
  fmt::print("purged: {}\n", domain.has_value() ? shown(*domain) : "all policies");
  return base::done();
}

// The words are strictmxd's own answers of map `postfix`, so that file and socketmap agree.
// Printed once it is complete: half a map would switch enforcement off for the other half.
Outcome export_map(const Command& command) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  std::string rows;
  std::size_t count = 0;
  const auto end = for_each_policy(link.value(), {}, [&](const JsonView& policy) -> Outcome {
    if (!policy.is_true("live") || policy.text("mode") != "enforce") return base::done();
    const std::string domain = policy.text("domain");
    const auto answer = link.value().ask("postfix", domain);
    if (!answer.ok()) return answer.error();
    switch (answer.value().status) {
      case client::AnswerStatus::kOk:
        rows += fmt::format("{}\t{}\n", shown(domain), shown(answer.value().text));
        ++count;
        return base::done();
      case client::AnswerStatus::kNotFound:  // it has expired, or is one of answer.skip_domains
        return base::done();
      case client::AnswerStatus::kTemp:
      case client::AnswerStatus::kPerm:
        return fail(Exit::kTemporary, domain + ": " + answer.value().text);
    }
    return base::done();
  });
  if (!end.ok()) return end.error();
  fmt::print(
      "# smtp_tls_policy_maps of Postfix: the {} live enforce policies that strictmxd has,\n"
      "# {}. A copy: it knows no new, changed or expired policy; socketmap does.\n"
      "#   strictmx policies export > /etc/postfix/tls_policy.new &&\n"
      "#     mv /etc/postfix/tls_policy.new /etc/postfix/tls_policy &&\n"
      "#     postmap hash:/etc/postfix/tls_policy\n"
      "#   postconf -e 'smtp_tls_policy_maps = hash:/etc/postfix/tls_policy'\n"
      "# With texthash: instead of hash: there is no postmap.\n{}",
      count, base::format_utc(base::SystemClock().now()), rows);
  return base::done();
}

CLI::App* add_domain_command(CLI::App& parent, Command& command, const std::string& name,
                             const std::string& help,
                             Outcome (*function)(const Command&, const DomainOptions&)) {
  auto options = std::make_shared<DomainOptions>();
  CLI::App* sub = parent.add_subcommand(name, help);
  sub->add_option("DOMAIN", options->domain, "policy domain")->required();
  sub->add_flag("--json", options->is_json, "print JSON");
  sub->callback([&command, options, function] {
    command.run = [&command, options, function] { return function(command, *options); };
  });
  return sub;
}

void add_list(CLI::App& parent, Command& command) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* sub = parent.add_subcommand("list", "the stored policies by name");
  sub->add_option("--limit", options->limit, "at most so many")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000000000}));
  sub->add_option("--after", options->after, "begin after this name")->type_name("NAME");
  sub->add_flag("--json", options->is_json, "print JSON");
  sub->callback([&command, options] {
    command.run = [&command, options] { return list(command, *options); };
  });
}

void add_purge(CLI::App& parent, Command& command) {
  struct Options {
    std::optional<std::string> domain;
    bool is_all = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* sub = parent.add_subcommand("purge", "forget a policy, or all of them");
  CLI::App* what = sub->add_option_group("what", "one of the two");
  what->add_option("DOMAIN", options->domain, "policy domain");
  what->add_flag("--all", options->is_all, "every policy");
  what->require_option(1);
  sub->callback([&command, options] {
    command.run = [&command, options] { return purge(command, options->domain); };
  });
}

}  // namespace

void add_policies(CLI::App& app, Command& command) {
  CLI::App* parent = app.add_subcommand("policies", "the policies that strictmxd has stored");
  parent->require_subcommand(1);
  add_list(*parent, command);
  add_domain_command(*parent, command, "show", "one stored policy", show);
  add_domain_command(*parent, command, "refresh", "look at DNS and fetch the policy now", refresh);
  add_purge(*parent, command);
  CLI::App* sub = parent->add_subcommand(
      "export", "live enforce policies as a hash or texthash map of Postfix");
  sub->callback([&command] { command.run = [&command] { return export_map(command); }; });
}

}  // namespace strictmx::cli
