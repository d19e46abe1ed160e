// report_names.cc - see report_names.h.
#include "common/reporting/report_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/mail_address.h"

namespace strictmx::reporting {
namespace {

using base::fail;

constexpr std::size_t kMaxIdLeftBytes = 128;  // leaves a header line within 998 bytes
constexpr std::string_view kIdMarks = ".-_+";

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// RFC 5322 §3.6.4 id-left from a report-id, which may be any text. Where it has to be changed,
// digits of the original keep it different from others.
std::string id_left(std::string_view report_id, std::string_view submitter) {
  // Ours may end in the submitter already.
  const std::string suffix = "@" + std::string(submitter);
  if (report_id.ends_with(suffix)) report_id.remove_suffix(suffix.size());
  const auto is_plain = [](char c) {
    return is_letter_or_digit(c) || kIdMarks.find(c) != std::string_view::npos;
  };
  if (report_id.size() <= kMaxIdLeftBytes && base::is_dot_atom(report_id) &&
      std::all_of(report_id.begin(), report_id.end(), is_plain)) {
    return std::string(report_id);
  }
  std::string out;
  for (const char c : report_id.substr(0, kMaxIdLeftBytes / 2)) {
    out += is_letter_or_digit(c) ? c : '-';
  }
  return out + "-" + digits_of(report_id);
}

}  // namespace

std::string digits_of(std::string_view text) {
  // FNV-1a with 64 bits: no secret hangs on it, and it is the same on every machine.
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return fmt::format("{:016x}", hash);
}

base::Result<ReportNames, NameProblem> report_names(const tlsrpt::Report& report,
                                                    const base::DomainName& policy_domain) {
  const auto submitter = base::domain_of_mail_address(report.contact_info);
  if (!submitter.has_value()) {
    return fail(NameProblem::kContact,
                "contact-info is no plain mail address (RFC 8460 §5.3 TLS-Report-Submitter)");
  }
  const auto begin = report.start.time_since_epoch().count();
  const auto end = report.end.time_since_epoch().count();
  if (begin < 0 || end < 0) return fail(NameProblem::kRange, "date-range begins before 1970");
  ReportNames names;
  names.submitter = submitter->text();
  names.unique_digits = digits_of(report.report_id + "\n" + policy_domain.text());
  names.file_name = fmt::format("{}!{}!{}!{}!{}.json.gz", names.submitter, policy_domain.text(),
                                begin, end, names.unique_digits);
  names.id_left = id_left(report.report_id, names.submitter);
  names.report_id = names.id_left + "@" + names.submitter;
  return names;
}

}  // namespace strictmx::reporting
