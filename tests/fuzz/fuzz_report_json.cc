// fuzz_report_json.cc - fuzz target for a report as JSON, and for what is made of it: the report
// written again, the mail and its text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/domain_name.h"
#include "common/base/printable.h"
#include "common/reporting/report_mail.h"
#include "common/reporting/report_text.h"
#include "common/tlsrpt/report_json.h"
#include "tests/fuzz/require.h"

namespace {

using strictmx::base::DomainName;
using strictmx::fuzz::require;
using strictmx::tlsrpt::ReadReport;
using strictmx::tlsrpt::Remark;
using strictmx::tlsrpt::Report;
using strictmx::tlsrpt::ReportError;

void check_remarks(const ReadReport& read) {
  require(read.remarks.size() <= strictmx::tlsrpt::kMaxRemarks, "remarks are bounded");
  for (const Remark& remark : read.remarks) {
    const std::string text = remark_text(remark);
    require(strictmx::base::shown(text) == text, "a remark can be shown");
    require(text.size() < 400, "a remark is short");
  }
}

void check_written(const Report& report) {
  const std::string written = write_report_json(report);
  const auto again = strictmx::tlsrpt::read_report_json(written);
  if (!again.ok()) {  // escapes and replacements take more room
    require(again.error().code == ReportError::kTooLarge, "what was written can be read");
    return;
  }
  require(write_report_json(again.value().report) == written, "writing changes nothing more");
}

void check_mail(const Report& report, const DomainName& domain) {
  std::string text = strictmx::reporting::report_text(report, domain);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    require(end != std::string::npos, "each line has an end");
    const std::string line = text.substr(0, end);
    require(strictmx::base::shown(line) == line, "a line can be shown");
    require(strictmx::base::columns(line) <= strictmx::reporting::kMaxTextColumns, "lines fit");
    text.erase(0, end + 1);
  }
  const auto mail = strictmx::reporting::make_report_mail(
      {report, domain, "", "a@a.example", "b@b.example", report.end});
  if (!mail.ok()) return;
  for (const auto& field : mail.value().header) {
    for (std::size_t i = 0; i < field.value.size(); ++i) {
      const char c = field.value[i];
      const bool is_fold = c == '\r' && field.value.substr(i, 3) == "\r\n ";
      if (is_fold) ++i;
      require(is_fold || (c >= ' ' && c <= '~'), "a header value is ASCII and folded");
    }
  }
  std::size_t boundaries = 0;
  const std::string& body = mail.value().body;
  for (std::size_t i = body.find("--=_"); i != std::string::npos; i = body.find("--=_", i + 1)) {
    ++boundaries;
  }
  require(boundaries == 3, "a mail has two parts");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const DomainName domain = DomainName::parse("example.org").value();
  const auto read = strictmx::tlsrpt::read_report_json({reinterpret_cast<const char*>(data), size});
  if (!read.ok()) {
    const std::string& detail = read.error().detail;
    require(detail.find("RFC 8460") != std::string::npos, "a refusal names its section");
    require(strictmx::base::shown(detail) == detail, "a refusal can be shown");
    require(detail.size() < 600, "a refusal is short");
    return 0;
  }
  check_remarks(read.value());
  check_written(read.value().report);
  check_mail(read.value().report, domain);
  return 0;
}
