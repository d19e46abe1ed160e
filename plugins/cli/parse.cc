// parse.cc - strictmx parse: checks a record, a policy or a report offline, with the daemon's own
// parsers.
//
// Valid: JSON on stdout with the text's own names (a report: a page, unless --json), exit 0.
// Invalid: the reason, with line and RFC section, on stderr, exit 65. No configuration and no
// daemon is needed.
#include <fmt/format.h>
#include <jansson.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "common/base/domain_name.h"
#include "common/mta_sts/mx_match.h"
#include "common/mta_sts/policy.h"
#include "common/mta_sts/record.h"
#include "common/tlsrpt/record.h"
#include "plugins/cli/checked_text.h"
#include "plugins/cli/cli.h"
#include "plugins/cli/json.h"
#include "plugins/cli/parse_report.h"

namespace strictmx::cli {
namespace {

using base::fail;
using base::Failure;

// Far above what each parser takes (64 KiB, or 64 records of 8 KiB).
constexpr InputBound kInputBound{
    1024 * 1024, "far more than a policy or record may have (RFC 8461 §3.3 suggests 65536)"};

struct ParseOptions {
  std::string file = "-";
  std::optional<std::string> mx_host;
  bool is_json = false;
};

// The records of an input, and where each stood.
struct TextLine {
  std::size_t number;
  std::string text;
};

// One resource record a line. An empty line is none; a CR is a byte of its record, as DNS has no
// line ends and a record with one in it is broken.
std::vector<TextLine> lines_of(std::string_view input) {
  std::vector<TextLine> lines;
  for (std::size_t number = 1; !input.empty(); ++number) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    if (end > 0) lines.push_back({number, std::string(input.substr(0, end))});
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  return lines;
}

// What differs between the two kinds of TXT record.
struct RecordKind {
  std::string_view name;
  std::string_view version;  // what a record of this kind begins with
  std::string_view section;
};
constexpr RecordKind kStsRecord{"sts-record", "v=STSv1", "RFC 8461 §3.1"};
constexpr RecordKind kTlsrptRecord{"tlsrpt-record", "v=TLSRPTv1", "RFC 8460 §3"};

Failure<Exit> nothing_published(const RecordKind& kind, std::size_t records) {
  return invalid(kind.name,
                 records == 0
                     ? "no record in the input"
                     : fmt::format("none of the {} records begins with \"{};\": nothing is "
                                   "published",
                                   records, kind.version),
                 kind.section);
}

// The line that a failure is about: the only record, or else the first of this kind.
std::size_t line_at_fault(const RecordKind& kind, const std::vector<TextLine>& lines) {
  const auto found = std::find_if(lines.begin(), lines.end(), [&kind](const TextLine& line) {
    return line.text.starts_with(std::string(kind.version) + ";");
  });
  return found == lines.end() ? lines.front().number : found->number;
}

// `parse` is find_record or, for a single unrelated record, parse_record, which says what is
// wrong with it.
template <class Record, class Find, class Parse>
Or<Record> check_record(const RecordKind& kind, const std::string& input, Find find, Parse parse) {
  const std::vector<TextLine> lines = lines_of(input);
  std::vector<std::string> texts;
  texts.reserve(lines.size());
  for (const TextLine& line : lines) texts.push_back(line.text);
  if (texts.empty()) return nothing_published(kind, 0);
  auto found = find(texts);
  const auto at_line = [&](const std::string& reason) {
    return invalid(kind.name, fmt::format("line {}: {}", line_at_fault(kind, lines), reason),
                   kind.section);
  };
  if (!found.ok()) return at_line(found.error().detail);
  if (found.value().has_value()) return *std::move(found).value();
  if (texts.size() > 1) return nothing_published(kind, texts.size());
  const auto parsed = parse(texts.front());
  if (!parsed.ok()) return at_line(parsed.error().detail);
  return nothing_published(kind, 1);
}

Outcome parse_sts_record(const ParseOptions& options) {
  const auto input = read_input(options.file, kInputBound);
  if (!input.ok()) return input.error();
  const auto record = check_record<mta_sts::Record>(
      kStsRecord, input.value(), [](const auto& texts) { return mta_sts::find_record(texts); },
      mta_sts::parse_record);
  if (!record.ok()) return record.error();
  Json object(json_object());
  json_object_set_new(object.get(), "id", json_text(record.value().id).release());
  fmt::print("{}", print_json(object.get()));
  return base::done();
}

Outcome parse_tlsrpt_record(const ParseOptions& options) {
  const auto input = read_input(options.file, kInputBound);
  if (!input.ok()) return input.error();
  const auto record = check_record<tlsrpt::Record>(
      kTlsrptRecord, input.value(), [](const auto& texts) { return tlsrpt::find_record(texts); },
      tlsrpt::parse_record);
  if (!record.ok()) return record.error();
  Json object(json_object());
  json_object_set_new(object.get(), "rua", json_texts(record.value().rua).release());
  fmt::print("{}", print_json(object.get()));
  return base::done();
}

// What is missing shows at the last line.
std::string with_line(const Failure<mta_sts::PolicyError>& failure, std::string_view input) {
  if (failure.code != mta_sts::PolicyError::kMissing) return failure.detail;
  const auto feeds = static_cast<std::size_t>(std::count(input.begin(), input.end(), '\n'));
  const bool is_open = !input.empty() && input.back() != '\n';
  const std::size_t last = std::max<std::size_t>(feeds + (is_open ? 1 : 0), 1);
  return fmt::format("line {}, the last: {}", last, failure.detail);
}

Outcome parse_sts_policy(const ParseOptions& options) {
  std::optional<base::DomainName> host;
  if (options.mx_host.has_value()) {
    auto name = base::DomainName::parse(*options.mx_host);
    if (!name.ok()) return fail(Exit::kUsage, "--mx: " + name.error().detail);
    host = std::move(name).value();
  }
  const auto input = read_input(options.file, kInputBound);
  if (!input.ok()) return input.error();
  const auto policy = mta_sts::parse_policy(input.value());
  if (!policy.ok()) {
    return invalid("sts-policy", with_line(policy.error(), input.value()), "RFC 8461 §3.2");
  }
  Json object(json_object());
  const std::string mode(mta_sts::policy_mode_name(policy.value().mode));
  json_object_set_new(object.get(), "mode", json_text(mode).release());
  json_object_set_new(object.get(), "max_age", json_integer(policy.value().max_age.count()));
  json_object_set_new(object.get(), "mx", json_texts(policy.value().mx).release());
  if (host.has_value()) {
    const bool matches = mta_sts::mx_matches(policy.value().mx, host->text());
    json_object_set_new(object.get(), "matches", json_boolean(matches));
  }
  fmt::print("{}", print_json(object.get()));
  return base::done();
}

Outcome parse_report(const ParseOptions& options) {
  return parse_tlsrpt_report(options.file, options.is_json);
}

}  // namespace

void add_parse(CLI::App& app, Command& command) {
  struct Row {
    const char* name;
    const char* help;
    Outcome (*function)(const ParseOptions&);
  };
  constexpr Row kRows[] = {
      {"sts-record", "TXT records at _mta-sts.DOMAIN, one a line", parse_sts_record},
      {"sts-policy", "a policy as the policy host serves it", parse_sts_policy},
      {"tlsrpt-record", "TXT records at _smtp._tls.DOMAIN, one a line", parse_tlsrpt_record},
      {"tlsrpt-report", "a TLS report, as JSON or gzip", parse_report},
  };
  CLI::App* parent = app.add_subcommand("parse", "check a record, a policy or a report offline");
  parent->require_subcommand(1);
  for (const Row& row : kRows) {
    auto options = std::make_shared<ParseOptions>();
    CLI::App* sub = parent->add_subcommand(row.name, row.help);
    sub->add_option("FILE", options->file, "the text; - or none: standard input");
    if (row.function == parse_sts_policy) {
      sub->add_option("--mx", options->mx_host, "does this MX host match the policy")
          ->type_name("HOST");
    }
    if (row.function == parse_report) {
      sub->add_flag("--json", options->is_json, "the report as JSON, normalised");
    }
    sub->callback([&command, options, function = row.function] {
      command.run = [options, function] { return function(*options); };
    });
  }
}

}  // namespace strictmx::cli
