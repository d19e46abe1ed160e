// fuzz_report_target.cc - fuzz target for the URIs of rua. Each line of the input is one URI.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/domain_name.h"
#include "common/base/mail_address.h"
#include "common/base/printable.h"
#include "common/reporting/report_target.h"
#include "tests/fuzz/require.h"

namespace {

using strictmx::base::domain_of_mail_address;
using strictmx::base::DomainName;
using strictmx::fuzz::require;
using strictmx::reporting::read_target;
using strictmx::reporting::read_targets;
using strictmx::reporting::ReportTarget;
using strictmx::reporting::TargetKind;

constexpr std::size_t kMaxTargets = 3;

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

bool is_for_a_log(std::string_view text) {
  return text.size() < 400 && strictmx::base::shown(text) == text;
}

void check_target(const ReportTarget& target) {
  require(is_plain(target.uri), "the URI is printable ASCII without spaces");
  const auto again = read_target(target.uri);
  require(again.ok() && again.value() == target, "the URI reads as the same target");
  if (target.kind == TargetKind::kMail) {
    const auto domain = domain_of_mail_address(target.mailbox);
    require(domain.has_value(), "the mailbox is a plain address");
    require(target.mailbox.ends_with("@" + domain->text()), "the domain is lower-case A-labels");
    require(!target.mailbox.starts_with('-'), "the mailbox looks like no option");
    require(target.uri.find_first_of("?#,!;") == std::string::npos, "the URI is an address alone");
    require(target.host.empty() && target.path.empty(), "mail has no host");
    return;
  }
  const auto host = DomainName::parse(target.host);
  require(host.ok() && host.value().text() == target.host, "the host is a name in its one form");
  require(target.port != 0, "the port can be connected to");
  require(target.path.starts_with('/') && is_plain(target.path), "the path fits a request line");
  require(target.path.size() <= strictmx::reporting::kMaxPathBytes, "the path is bounded");
  require(target.path.find('#') == std::string::npos, "the path has no fragment");
  require(target.mailbox.empty(), "https has no mailbox");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(data, data + size);
  std::vector<std::string> uris;
  for (std::size_t at = 0; at <= input.size();) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    uris.push_back(input.substr(at, end - at));
    at = end + 1;
  }
  for (const std::string& uri : uris) {
    const auto target = read_target(uri);
    if (target.ok()) {
      check_target(target.value());
    } else {
      require(is_for_a_log(target.error().detail), "the detail fits a log");
    }
  }
  const auto list = read_targets(uris, kMaxTargets);
  require(list.targets.size() <= kMaxTargets, "targets are bounded");
  for (std::size_t i = 1; i < list.targets.size(); ++i) {
    require(list.targets[i].uri != list.targets[i - 1].uri, "a target comes once");
  }
  for (const auto& refused : list.refused) {
    require(is_for_a_log(refused.uri) && is_for_a_log(refused.why), "a refusal fits a log");
  }
  return 0;
}
