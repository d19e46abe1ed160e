// report_mail_main.cc - makes the mail of a report, for report_mail_test.py.
//
// Use: make_report_mail POLICY-DOMAIN FROM TO DATE < report.json > mail; the date in Unix seconds.
// Exit: 0, or 1 with the reason on stderr.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <iterator>
#include <string>

#include "common/reporting/gzip.h"
#include "common/reporting/report_mail.h"
#include "common/tlsrpt/report_json.h"

namespace {

namespace base = strictmx::base;
namespace reporting = strictmx::reporting;
namespace tlsrpt = strictmx::tlsrpt;

int fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  return 1;
}

int run(char** arguments) {
  const std::string input{std::istreambuf_iterator<char>(std::cin),
                          std::istreambuf_iterator<char>()};
  const auto read = tlsrpt::read_report_json(input);
  if (!read.ok()) return fail(read.error().detail);
  const auto domain = base::DomainName::parse(arguments[1]);
  if (!domain.ok()) return fail(domain.error().detail);
  const auto zipped = reporting::gzip(tlsrpt::write_report_json(read.value().report));
  if (!zipped.ok()) return fail(zipped.error().detail);
  const auto mail = reporting::make_report_mail(
      {.report = read.value().report,
       .policy_domain = domain.value(),
       .json_gzip = zipped.value(),
       .from = arguments[2],
       .to = arguments[3],
       .date = base::WallTime(std::chrono::seconds(std::atoll(arguments[4])))});
  if (!mail.ok()) return fail(mail.error().detail);
  std::string out;
  for (const auto& field : mail.value().header) {
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  out.append("\r\n").append(mail.value().body);
  return std::fwrite(out.data(), 1, out.size(), stdout) == out.size() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return argc == 5 ? run(argv) : fail("wants POLICY-DOMAIN FROM TO DATE");
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
