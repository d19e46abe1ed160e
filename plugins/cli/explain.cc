// explain.cc - strictmx explain: step by step, what holds for a domain and why.
//
// One function a step of the page, in the order of the page. What each member means stands in
// common/service/explain_command.h.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "common/base/clock.h"
#include "plugins/cli/daemon_link.h"
#include "plugins/cli/terminal.h"
#include "plugins/cli/times.h"

namespace strictmx::cli {
namespace {

constexpr std::string_view kIndent = "     ";

class ExplainPage {
 public:
  explicit ExplainPage(const JsonView& reply) : reply_(reply), now_(base::SystemClock().now()) {}

  std::string text() {
    out_ = styled(Style::kHeading, shown(reply_.text("domain"))) + "\n";
    add_record();
    add_policy();
    add_hosts();
    add_tlsrpt();
    add_decision();
    add_answers();
    return out_;
  }

 private:
  void heading(std::string_view title) {
    out_ += fmt::format("\n{}\n", styled(Style::kHeading, fmt::format("{}. {}", ++step_, title)));
  }
  void line(Style style, std::string_view text) {
    out_ += fmt::format("{}{}\n", kIndent, styled(style, text));
  }
  void line(std::string_view text) { line(Style::kPlain, text); }

  // "DNSSEC: secure", where it was told.
  void add_dnssec(const JsonView& found) {
    const std::string state = found.text("dnssec");
    if (state.empty()) return;
    const bool is_good = state == "secure" || state == "configured";
    const bool is_bad = state == "bogus";
    line(is_good ? Style::kGood : (is_bad ? Style::kBad : Style::kFaint),
         "DNSSEC: " + shown(state));
  }

  // The TXT records at a name, and what they say: `value` is the member of a valid record.
  void add_texts(const JsonView& record, const char* value, std::string_view what) {
    add_dnssec(record);
    for (const std::string& text : record.texts("texts")) {
      line(Style::kFaint, fmt::format("\"{}\"", shown(text)));
    }
    if (record.has("error")) {
      line(Style::kBad, shown(record.text("error")));
    } else if (!record.has(value)) {
      line(record.texts("texts").empty() ? fmt::format("no TXT record: no {} is published", what)
                                         : fmt::format("no {} among them", what));
    }
  }

  void add_record() {
    const JsonView record = reply_.member("record");
    heading(fmt::format("MTA-STS record at {} (RFC 8461 3.1)", shown(record.text("name"))));
    add_texts(record, "id", "MTA-STS record");
    if (record.has("id")) line(Style::kGood, "valid, id " + shown(record.text("id")));
  }

  void add_policy() {
    heading("Policy (RFC 8461 3.2)");
    const JsonView policy = reply_.member("policy");
    if (!reply_.has("policy")) {
      line("none is cached");
    } else {
      const std::int64_t max_age = policy.number("max_age");
      Table table{std::string(kIndent)};
      table.add({{"mode"}, {shown(policy.text("mode")), Style::kHeading}});
      table.add({{"id"}, {shown(policy.text("id"))}});
      for (const std::string& pattern : policy.texts("mx")) {
        table.add({{"mx"}, {shown(pattern)}});
      }
      table.add({{"max_age"},
                 {fmt::format("{} ({})", max_age, span_in_words(std::chrono::seconds(max_age)))}});
      table.add({{"fetched"}, {with_distance(policy.text("fetched"), now_)}});
      table.add({{"refresh"}, {with_distance(policy.text("refresh_at"), now_)}});
      const bool is_live = policy.is_true("live");
      table.add(
          {{"expires"},
           {with_distance(policy.text("expires"), now_), is_live ? Style::kPlain : Style::kBad}});
      out_ += table.text();
      const std::string& id = reply_.member("record").text("id");
      if (!id.empty() && id != policy.text("id")) {
        line(Style::kWarning, "the record's id differs: a newer policy is published");
      }
    }
    add_failure();
  }

  void add_failure() {
    const JsonView verdict = reply_.member("verdict");
    if (!verdict.has("failure")) return;
    const JsonView failure = verdict.member("failure");
    const std::string type = failure.text("result-type");
    line(Style::kBad,
         fmt::format("last attempt failed: {}{}", type.empty() ? "" : shown(type) + ": ",
                     shown(failure.text("reason"))));
    if (failure.has("since")) line("failing since " + with_distance(failure.text("since"), now_));
    if (failure.has("retry-at")) {
      line("tried again at " + with_distance(failure.text("retry-at"), now_));
    }
  }

  void add_hosts() {
    heading("MX hosts (RFC 8461 4.1, RFC 7672 2.2)");
    const JsonView mx = reply_.member("mx");
    add_dnssec(mx);
    if (mx.has("error")) line(Style::kBad, shown(mx.text("error")));
    if (mx.is_true("null_mx")) line("null MX: the domain takes no mail (RFC 7505)");
    if (mx.is_true("implicit_mx")) line("no MX record: the domain itself (RFC 5321 5.1)");
    Table table{std::string(kIndent)};
    for (const JsonView& host : mx.items("hosts")) {
      const bool is_allowed = host.is_true("allowed");
      table.add({{std::to_string(host.number("preference"))},
                 {shown(host.text("host"))},
                 {is_allowed ? "allowed" : "REFUSED", is_allowed ? Style::kGood : Style::kBad},
                 {shown(host.text("why"))}});
    }
    out_ += table.text();
    add_dane();
  }

  void add_dane() {
    Table table{std::string(kIndent)};
    for (const auto& [host, state] : reply_.member("verdict").member("dane").members()) {
      const std::string name = state.text("state");
      const bool is_bad = name == "bogus" || name == "failed" || name == "unusable";
      table.add({{shown(host)},
                 {"TLSA " + shown(name),
                  name == "usable" ? Style::kGood : (is_bad ? Style::kBad : Style::kPlain)},
                 {shown(state.text("reason"))}});
      const std::string base = state.text("base-domain");
      for (const std::string& record : state.texts("tlsa")) {
        table.add({{""}, {""}, {shown(record), Style::kFaint}});
      }
      if (!base.empty() && base != host) table.add({{""}, {""}, {"found at " + shown(base)}});
    }
    out_ += table.text();
  }

  void add_tlsrpt() {
    const JsonView record = reply_.member("tlsrpt");
    heading(fmt::format("TLSRPT record at {} (RFC 8460 3)", shown(record.text("name"))));
    add_texts(record, "rua", "TLSRPT record");
    for (const std::string& uri : record.texts("rua")) line("reports go to " + shown(uri));
  }

  void add_decision() {
    heading("Decision");
    line(Style::kHeading, shown(reply_.text("rule")));
    if (reply_.has("rule_without_dane")) {
      line("for maps without DANE answers: " + shown(reply_.text("rule_without_dane")));
    }
    const JsonView set = reply_.member("verdict").member("override");
    if (reply_.member("verdict").has("override")) {
      line(Style::kWarning,
           fmt::format("an operator's override is in force: mode {}{}{}", shown(set.text("mode")),
                       set.has("until") ? ", until " + with_distance(set.text("until"), now_) : "",
                       set.has("note") ? ", \"" + shown(set.text("note")) + "\"" : ""));
      line("without it: " + shown(reply_.member("without_override").text("rule")));
    }
    for (const std::string& change : reply_.texts("changes")) line("- " + shown(change));
  }

  void add_answers() {
    heading("What mail servers are told");
    Table table{std::string(kIndent)};
    for (const auto& [map, answer] : reply_.member("answers").text_members()) {
      // "NOTFOUND " has a blank that only the protocol needs.
      table.add({{shown(map)}, {shown(answer.substr(0, answer.find_last_not_of(' ') + 1))}});
    }
    out_ += table.text();
    line("from memory until " + with_distance(reply_.text("answers_until"), now_));
  }

  const JsonView reply_;
  const base::WallTime now_;
  std::string out_;
  int step_ = 0;
};

Outcome explain(const Command& command, const std::string& domain, bool is_json) {
  auto link = DaemonLink::from(command);
  if (!link.ok()) return link.error();
  const auto reply = link.value().control("explain", domain_argument(domain));
  if (!reply.ok()) return reply.error();
  fmt::print("{}", is_json ? print_json(reply.value().get())
                           : ExplainPage(JsonView(reply.value())).text());
  return base::done();
}

}  // namespace

void add_explain(CLI::App& app, Command& command) {
  struct Options {
    std::string domain;
    bool is_json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("explain", "step by step, what holds for a domain and why");
  sub->add_option("DOMAIN", options->domain, "policy domain")->required();
  sub->add_flag("--json", options->is_json, "the daemon's whole reply as JSON");
  sub->callback([&command, options] {
    command.run = [&command, options] {
      return explain(command, options->domain, options->is_json);
    };
  });
}

}  // namespace strictmx::cli
