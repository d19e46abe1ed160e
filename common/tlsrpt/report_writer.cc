// report_writer.cc - the writing half of report_json.h.
//
// It appends to one string, so that a report with very many details needs no tree beside itself.
#include "common/tlsrpt/json_members.h"
#include "common/tlsrpt/report_json.h"

namespace strictmx::tlsrpt {
namespace {

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
