// report_text.cc - see report_text.h.
#include "common/reporting/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "common/base/printable.h"
#include "common/tlsrpt/explanation.h"

namespace strictmx::reporting {
namespace {

using tlsrpt::FailureDetail;
using tlsrpt::PolicyResult;
using tlsrpt::Report;

constexpr std::size_t kMaxShownBytes = 120;  // of one text of the report
constexpr std::size_t kCountColumns = 10;

// How many failed, and where: details of one result type at one MX host together.
struct Row {
  std::size_t policy = 0;  // its place in the report
  const tlsrpt::ReportedResultType* type = nullptr;
  std::string_view host;
  std::uint64_t sessions = 0;
  // The reason of the detail with most sessions.
  std::string_view reason;
  std::uint64_t reason_sessions = 0;

  // A total order, so that equal reports give equal texts: most sessions first.
  auto order() const { return std::make_tuple(~sessions, policy, tlsrpt::type_text(*type), host); }
};

// Breaks text at blanks into lines, words too long for a line anywhere.
class Lines {
 public:
  void blank() { out_ += '\n'; }

  // The first line begins with `first`, the others with as many blanks.
  void add(std::string_view first, std::string_view text) {
    std::string line(first);
    std::size_t column = first.size();
    bool is_fresh = true;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find(' '), text.size());
      std::string_view word = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (!is_fresh && column + 1 + base::columns(word) <= kMaxTextColumns) {
        line += ' ';
        ++column;
      } else if (!is_fresh) {
        start_line(line, column, first.size());
      }
      for (; !word.empty(); is_fresh = false) {
        if (column == kMaxTextColumns) start_line(line, column, first.size());
        const std::size_t bytes = base::first_code_point(word).bytes;  // shown() left only UTF-8
        line.append(word.substr(0, bytes));
        word.remove_prefix(bytes);
        ++column;
      }
    }
    out_.append(line).append("\n");
  }

  std::string take() && { return std::move(out_); }

 private:
  void start_line(std::string& line, std::size_t& column, std::size_t indent) {
    out_.append(line).append("\n");
    line.assign(indent, ' ');
    column = indent;
  }

  std::string out_;
};

std::string cut(std::string_view text) { return base::shown(text, kMaxShownBytes); }

std::string sessions_text(std::uint64_t count) {
  return fmt::format("{} session{}", count, count == 1 ? "" : "s");
}

std::vector<Row> rows_of(const Report& report) {
  std::vector<Row> rows;
  for (std::size_t policy = 0; policy < report.policies.size(); ++policy) {
    std::map<std::pair<std::string_view, std::string_view>, Row> found;
    for (const FailureDetail& detail : report.policies[policy].failure_details) {
      const std::string_view host = detail.receiving_mx_hostname;
      Row& row = found[{tlsrpt::type_text(detail.result_type), host}];
      row.policy = policy;
      row.type = &detail.result_type;
      row.host = host;
      row.sessions = std::min(row.sessions + detail.failed_session_count, tlsrpt::kMaxCount);
      const bool is_new = row.reason.empty() || detail.failed_session_count > row.reason_sessions;
      if (!detail.failure_reason_code.empty() && is_new) {
        row.reason = detail.failure_reason_code;
        row.reason_sessions = detail.failed_session_count;
      }
    }
    for (const auto& [key, row] : found) rows.push_back(row);
  }
  return rows;
}

void add_head(Lines& lines, const Report& report, const base::DomainName& policy_domain) {
  const std::string organization = cut(report.organization_name);
  const tlsrpt::Totals all = tlsrpt::totals(report);
  lines.add("", fmt::format("TLS report for {}, {} (UTC)", policy_domain.text(),
                            tlsrpt::range_text(report)));
  lines.blank();
  const auto add_count = [&lines](std::uint64_t count, const std::string& what) {
    lines.add(fmt::format("  {:>{}}  ", count, kCountColumns), what);
  };
  add_count(all.successful + all.failed, "sessions");
  add_count(all.successful, fmt::format("secure ({})", tlsrpt::share_successful(all)));
  add_count(all.failed, "failed");
  lines.blank();
  lines.add("",
            fmt::format("This is how mail from {} met the mail servers of {}. A session is "
                        "secure when it used TLS as the domain's policy demands.",
                        organization.empty() ? "the sender" : organization, policy_domain.text()));
}

// One result type of a policy: what it means, where, and what to do.
void add_type(Lines& lines, const PolicyResult& result, const std::vector<Row>& rows) {
  const tlsrpt::ReportedResultType& type = *rows.front().type;
  lines.blank();
  lines.add("  * ", cut(tlsrpt::type_text(type)));
  lines.add("    ", tlsrpt::result_type_meaning(type));
  for (const Row& row : rows) {
    const std::string host =
        row.host.empty() ? "before an MX host was reached" : "at " + cut(row.host);
    lines.add(fmt::format("    {:>{}}  ", row.sessions, kCountColumns), host);
    if (!row.reason.empty()) {
      lines.add(std::string(kCountColumns + 8, ' '), "reason: " + cut(row.reason));
    }
  }
  lines.add("    What to do: ", tlsrpt::result_type_remedy(type, cut(result.policy.policy_domain)));
}

void add_policy(Lines& lines, const PolicyResult& result, const std::vector<Row>& rows) {
  lines.blank();
  const std::string domain = cut(result.policy.policy_domain);
  lines.add("",
            fmt::format("{}{}: {} secure, {} failed", tlsrpt::policy_type_words(result.policy.type),
                        domain.empty() ? "" : " for " + domain, sessions_text(result.successful),
                        result.failed));
  // Types in the order of their largest row.
  std::vector<std::vector<Row>> types;
  for (const Row& row : rows) {
    const auto same = std::find_if(types.begin(), types.end(), [&row](const auto& type) {
      return *type.front().type == *row.type;
    });
    if (same != types.end()) {
      same->push_back(row);
    } else {
      types.push_back({row});
    }
  }
  for (const auto& type : types) add_type(lines, result, type);
}

void add_rest(Lines& lines, const Report& report, const std::vector<Row>& rows,
              std::size_t shown_rows) {
  if (rows.size() > shown_rows) {
    std::uint64_t sessions = 0;
    for (std::size_t i = shown_rows; i < rows.size(); ++i) {
      sessions = std::min(sessions + rows[i].sessions, tlsrpt::kMaxCount);
    }
    lines.blank();
    lines.add("", fmt::format("... and {} more with {}, all smaller than these.",
                              rows.size() - shown_rows, sessions_text(sessions)));
  }
  if (report.policies.size() > kMaxShownPolicies) {
    lines.blank();
    lines.add("",
              fmt::format("... and {} more policies.", report.policies.size() - kMaxShownPolicies));
  }
}

}  // namespace

std::string report_text(const Report& report, const base::DomainName& policy_domain) {
  std::vector<Row> rows = rows_of(report);
  std::sort(rows.begin(), rows.end(),
            [](const Row& a, const Row& b) { return a.order() < b.order(); });
  const std::size_t shown_rows = std::min(rows.size(), kMaxShownFailures);

  Lines lines;
  add_head(lines, report, policy_domain);
  for (std::size_t i = 0; i < std::min(report.policies.size(), kMaxShownPolicies); ++i) {
    std::vector<Row> own;
    std::copy_if(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(shown_rows),
                 std::back_inserter(own), [i](const Row& row) { return row.policy == i; });
    add_policy(lines, report.policies[i], own);
  }
  add_rest(lines, report, rows, shown_rows);
  lines.blank();
  lines.add("", fmt::format("The attached file has all details for programs (RFC 8460). Questions "
                            "go to {}; the report's number is {}.",
                            cut(report.contact_info), cut(report.report_id)));
  return std::move(lines).take();
}

}  // namespace strictmx::reporting
