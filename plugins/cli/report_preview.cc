// report_preview.cc - strictmx report preview: a report and its mail as they would go.
#include <fmt/format.h>
#include <jansson.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string_view>

#include "plugins/cli/daemon_link.h"
#include "plugins/cli/report.h"
#include "plugins/cli/terminal.h"

namespace strictmx::cli {
namespace {

struct PreviewOptions {
  std::string domain;
  std::optional<std::string> day;
  bool is_mail = false;
  bool is_json = false;
};

Table recipient_table(const JsonView& reply) {
  Table table;
  using Style::kHeading;
  table.add({{"TO", kHeading}, {"BY", kHeading}, {"REFUSED BECAUSE", kHeading}});
  for (const JsonView& one : reply.items("recipients")) {
    const std::string why = one.text("why");
    const Style style = why.empty() ? Style::kGood : Style::kBad;
    table.add({{shown(one.text("uri")), style},
               {shown(one.text("origin"))},
               {why.empty() ? "-" : shown(why), style}});
  }
  return table;
}

// Line by line, for a person: a mail of ours is ASCII, but it came through a socket.
void print_mail(std::string_view mail) {
  while (!mail.empty()) {
    const std::size_t end = mail.find('\n');
    std::string_view line = mail.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    fmt::print("{}\n", shown(line));
    mail.remove_prefix(end == mail.npos ? mail.size() : end + 1);
  }
}

void print_preview(const JsonView& reply) {
  fmt::print("Report about {}, {}\n", shown(reply.text("domain")), shown(reply.text("day")));
  const std::string why_not = reply.text("not_sent_because");
  if (!why_not.empty()) {
    fmt::print("{}\n", styled(Style::kWarning, "not sent: " + shown(why_not)));
  }
  if (!reply.is_true("on")) {
    fmt::print("{}\n", styled(Style::kWarning,
                              "not sent: reports are off: " + shown(reply.text("why_off"))));
  }
  if (!reply.items("recipients").empty()) fmt::print("\n{}", recipient_table(reply).text());
  if (reply.has("report")) fmt::print("\n{}", print_json(reply.member("report").get()));
  if (!reply.has("mail")) return;
  fmt::print("\n");
  print_mail(reply.text("mail"));
}

Outcome preview(const Command& command, const PreviewOptions& options) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  Json arguments = domain_argument(options.domain);
  if (options.day.has_value()) {
    json_object_set_new(arguments.get(), "day", json_text(*options.day).release());
  }
  const auto reply = link.value().control("report.preview", std::move(arguments));
  if (!reply.ok()) return reply.error();
  const JsonView view(reply.value());
  if (options.is_json) {
    json_object_del(reply.value().get(), "ok");
    fmt::print("{}", print_json(reply.value().get()));
  } else if (!options.is_mail) {
    print_preview(view);
  } else if (view.has("mail")) {
    fmt::print("{}", view.text("mail"));
  } else {
    return base::fail(Exit::kData, "no mail would be sent; 'strictmx report preview " +
                                       options.domain + "' without --mail tells why");
  }
  return base::done();
}

}  // namespace

void add_report_preview(CLI::App& parent, Command& command) {
  auto options = std::make_shared<PreviewOptions>();
  CLI::App* sub =
      parent.add_subcommand("preview", "a report as it would be sent, and to whom; sends nothing");
  sub->add_option("DOMAIN", options->domain, "policy domain")->required();
  sub->add_option("--day", options->day, "UTC day, else today so far")->type_name("YYYY-MM-DD");
  auto* mail = sub->add_flag("--mail", options->is_mail, "print the mail alone, byte by byte");
  sub->add_flag("--json", options->is_json, "print JSON")->excludes(mail);
  sub->callback([&command, options] {
    command.run = [&command, options] { return preview(command, *options); };
  });
}

}  // namespace strictmx::cli
