// parse_report.cc - see parse_report.h. One function a part of the page, in the order of the page.
#include "plugins/cli/parse_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "common/reporting/gzip.h"
#include "common/tlsrpt/explanation.h"
#include "common/tlsrpt/report.h"
#include "common/tlsrpt/report_json.h"
#include "plugins/cli/checked_text.h"
#include "plugins/cli/json.h"
#include "plugins/cli/terminal.h"

namespace strictmx::cli {
namespace {

using tlsrpt::FailureDetail;
using tlsrpt::PolicyResult;
using tlsrpt::ReadReport;

constexpr std::string_view kKind = "tlsrpt-report";
constexpr std::string_view kIndent = "     ";
// Room for a text that is one byte too long, so that the parser says so.
constexpr InputBound kInputBound{tlsrpt::kMaxReportBytes + 1,
                                 "more than is read of a report (RFC 8460 §5.2)"};

std::string address_text(const std::optional<base::IpAddress>& address) {
  return address.has_value() ? address->text() : std::string();
}

// Cells of the details, one function a column; a column that is empty throughout is left out.
struct Column {
  std::string_view title;
  std::string (*cell)(const FailureDetail&);
};
constexpr Column kColumns[] = {
    {"sessions", [](const FailureDetail& d) { return std::to_string(d.failed_session_count); }},
    {"result type",
     [](const FailureDetail& d) { return std::string(tlsrpt::type_text(d.result_type)); }},
    {"MX host", [](const FailureDetail& d) { return d.receiving_mx_hostname; }},
    {"its address", [](const FailureDetail& d) { return address_text(d.receiving_ip); }},
    {"its HELO", [](const FailureDetail& d) { return d.receiving_mx_helo; }},
    {"sent from", [](const FailureDetail& d) { return address_text(d.sending_mta_ip); }},
    {"reason", [](const FailureDetail& d) { return d.failure_reason_code; }},
    {"more", [](const FailureDetail& d) { return d.additional_information; }},
};

class ReportPage {
 public:
  explicit ReportPage(const ReadReport& read) : read_(read) {}

  std::string text() {
    add_head();
    for (const PolicyResult& result : read_.report.policies) add_policy(result);
    add_remarks();
    return std::move(out_);
  }

 private:
  void heading(std::string_view title) {
    out_ += fmt::format("\n{}\n", styled(Style::kHeading, title));
  }
  void line(Style style, std::string_view text) {
    out_ += fmt::format("{}{}\n", kIndent, styled(style, text));
  }

  void add_head() {
    const tlsrpt::Report& report = read_.report;
    const tlsrpt::Totals all = tlsrpt::totals(report);
    out_ += styled(Style::kHeading, "TLS report of " + shown(report.organization_name)) + "\n";
    Table table{std::string(kIndent)};
    table.add({{"range"}, {tlsrpt::range_text(report)}});
    table.add({{"contact"}, {shown(report.contact_info)}});
    table.add({{"report-id"}, {shown(report.report_id)}});
    table.add({{"secure"},
               {fmt::format("{} sessions ({})", all.successful, tlsrpt::share_successful(all)),
                Style::kGood}});
    table.add(
        {{"failed"},
         {fmt::format("{} sessions", all.failed), all.failed > 0 ? Style::kBad : Style::kPlain}});
    out_ += table.text();
  }

  void add_policy(const PolicyResult& result) {
    const tlsrpt::ReportedPolicy& policy = result.policy;
    std::string title = fmt::format("{}. {}", ++policy_, tlsrpt::policy_type_words(policy.type));
    if (std::holds_alternative<std::string>(policy.type)) {
      title += fmt::format(" \"{}\"", shown(tlsrpt::type_text(policy.type)));
    }
    if (!policy.policy_domain.empty()) title += " for " + shown(policy.policy_domain);
    heading(title);
    Table table{std::string(kIndent)};
    for (const std::string& text : policy.policy_strings) table.add({{"policy"}, {shown(text)}});
    for (const std::string& host : policy.mx_hosts) table.add({{"mx-host"}, {shown(host)}});
    table.add({{"secure"}, {fmt::format("{} sessions", result.successful)}});
    table.add({{"failed"}, {fmt::format("{} sessions", result.failed)}});
    out_ += table.text();
    if (result.failure_details.empty()) return;
    out_ += "\n" + details_table(result.failure_details);
    add_words(result);
  }

  static std::string details_table(const std::vector<FailureDetail>& details) {
    std::vector<Column> columns;
    std::copy_if(std::begin(kColumns), std::end(kColumns), std::back_inserter(columns),
                 [&details](const Column& column) {
                   return std::any_of(
                       details.begin(), details.end(),
                       [&column](const FailureDetail& d) { return !column.cell(d).empty(); });
                 });
    Table table{std::string(kIndent)};
    std::vector<Table::Cell> row;
    row.reserve(columns.size());
    for (const Column& column : columns) row.push_back({std::string(column.title), Style::kFaint});
    table.add(std::move(row));
    for (const FailureDetail& detail : details) {
      row.clear();
      for (const Column& column : columns) row.push_back({shown(column.cell(detail))});
      table.add(std::move(row));
    }
    return table.text();
  }

  // Each known result type once, in the order of RFC 8460 §4.3; the others are only named.
  void add_words(const PolicyResult& result) {
    std::set<tlsrpt::ResultType> known;
    for (const FailureDetail& detail : result.failure_details) {
      const auto* type = std::get_if<tlsrpt::ResultType>(&detail.result_type);
      if (type != nullptr) known.insert(*type);
    }
    for (const tlsrpt::ResultType type : known) {
      out_ += '\n';
      line(Style::kHeading, tlsrpt::result_type_name(type));
      line(Style::kPlain, tlsrpt::result_type_meaning(type));
      line(Style::kPlain, tlsrpt::result_type_remedy(type, shown(result.policy.policy_domain)));
    }
  }

  void add_remarks() {
    if (read_.remarks.empty()) return;
    heading("Departures from RFC 8460 4.4");
    for (const tlsrpt::Remark& remark : read_.remarks) {
      line(Style::kWarning, tlsrpt::remark_text(remark));
    }
    if (read_.remarks_left_out > 0) {
      line(Style::kWarning, fmt::format("and {} more", read_.remarks_left_out));
    }
  }

  const ReadReport& read_;
  std::string out_;
  int policy_ = 0;
};

Or<std::string> json_text_of(const std::string& file) {
  auto input = read_input(file, kInputBound);
  if (!input.ok() || !reporting::is_gzip(input.value())) return input;
  auto text = reporting::gunzip(input.value(), tlsrpt::kMaxReportBytes);
  if (!text.ok()) return invalid(kKind, text.error().detail, "RFC 8460 §5.2");
  return std::move(text).value();
}

void print_remarks(const ReadReport& read) {
  for (const tlsrpt::Remark& remark : read.remarks) {
    print_problem(fmt::format("{}: remark: {}", kKind, tlsrpt::remark_text(remark)));
  }
  if (read.remarks_left_out > 0) {
    print_problem(fmt::format("{}: remark: {} more", kKind, read.remarks_left_out));
  }
}

}  // namespace

Outcome parse_tlsrpt_report(const std::string& file, bool is_json) {
  const auto text = json_text_of(file);
  if (!text.ok()) return text.error();
  const auto read = tlsrpt::read_report_json(text.value());
  if (!read.ok()) return invalid(kKind, read.error().detail, "RFC 8460 §4.4");
  if (is_json) {
    fmt::print("{}", print_json(parse_json(write_report_json(read.value().report)).get()));
    print_remarks(read.value());
  } else {
    fmt::print("{}", ReportPage(read.value()).text());
  }
  return base::done();
}

}  // namespace strictmx::cli
