// report_writer.cc - the writing half of report_json.h.
//
// It appends to one string, so that a report with very many details needs no tree beside itself.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "common/base/printable.h"
#include "common/tlsrpt/report_json.h"

namespace strictmx::tlsrpt {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// RFC 7493 §2.1 allows no noncharacters; NUL ends the text for too many readers.
bool is_allowed(const base::CodePoint& point) {
  if (point.bytes == 0 || point.value == 0) return false;
  const bool is_noncharacter =
      (point.value >= 0xFDD0 && point.value <= 0xFDEF) || (point.value & 0xFFFE) == 0xFFFE;
  return !is_noncharacter;
}

void append_text(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const base::CodePoint point = base::first_code_point(text);
    const std::string_view bytes = text.substr(0, std::max<std::size_t>(point.bytes, 1));
    if (!is_allowed(point)) {
      out += kReplacement;
    } else if (point.value == '"' || point.value == '\\') {
      out.append("\\").append(bytes);
    } else if (point.value < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(point.value));
    } else {
      out += bytes;
    }
    text.remove_prefix(bytes.size());
  }
  out += '"';
}

// The members of one object, commas between them. Names are ours and need no escape.
class Members {
 public:
  explicit Members(std::string& out) : out_(out) { out_ += '{'; }
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;
  ~Members() { out_ += '}'; }

  std::string& name(std::string_view name) {
    if (!is_first_) out_ += ',';
    is_first_ = false;
    return out_.append("\"").append(name).append("\":");
  }
  void text(std::string_view name, std::string_view value) { append_text(this->name(name), value); }
  void text_if_any(std::string_view name, std::string_view value) {
    if (!value.empty()) text(name, value);
  }
  void address_if_any(std::string_view name, const std::optional<base::IpAddress>& value) {
    if (value.has_value()) text(name, value->text());  // RFC 5952
  }
  void count(std::string_view name, std::uint64_t value) {
    fmt::format_to(std::back_inserter(this->name(name)), "{}", std::min(value, kMaxCount));
  }
  template <class T, class Append>
  void list(std::string_view name, const std::vector<T>& items, Append append) {
    this->name(name) += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ',';
      append(out_, items[i]);
    }
    out_ += ']';
  }
  void texts_if_any(std::string_view name, const std::vector<std::string>& texts) {
    if (!texts.empty()) list(name, texts, append_text);
  }

 private:
  std::string& out_;
  bool is_first_ = true;
};

void append_policy(std::string& out, const ReportedPolicy& policy) {
  Members members(out);
  members.text("policy-type", type_text(policy.type));
  members.texts_if_any("policy-string", policy.policy_strings);
  members.text("policy-domain", policy.policy_domain);
  members.texts_if_any("mx-host", policy.mx_hosts);  // erratum 6241: always an array
}

void append_detail(std::string& out, const FailureDetail& detail) {
  Members members(out);
  members.text("result-type", type_text(detail.result_type));
  members.address_if_any("sending-mta-ip", detail.sending_mta_ip);
  members.text_if_any("receiving-mx-hostname", detail.receiving_mx_hostname);
  members.text_if_any("receiving-mx-helo", detail.receiving_mx_helo);
  members.address_if_any("receiving-ip", detail.receiving_ip);
  members.count("failed-session-count", detail.failed_session_count);
  members.text_if_any("additional-information", detail.additional_information);
  members.text_if_any("failure-reason-code", detail.failure_reason_code);
}

void append_result(std::string& out, const PolicyResult& result) {
  Members members(out);
  append_policy(members.name("policy"), result.policy);
  {
    Members summary(members.name("summary"));
    summary.count("total-successful-session-count", result.successful);
    summary.count("total-failure-session-count", result.failed);
  }
  members.list("failure-details", result.failure_details, append_detail);
}

}  // namespace

std::string write_report_json(const Report& report) {
  std::string out;
  {
    Members members(out);
    members.text("organization-name", report.organization_name);
    {
      Members range(members.name("date-range"));
      range.text("start-datetime", base::format_utc(report.start));
      range.text("end-datetime", base::format_utc(report.end));
    }
    members.text("contact-info", report.contact_info);
    members.text("report-id", report.report_id);
    members.list("policies", report.policies, append_result);
  }
  return out += '\n';
}

}  // namespace strictmx::tlsrpt
