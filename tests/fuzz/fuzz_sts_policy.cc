// fuzz_sts_policy.cc - fuzz target for the MTA-STS policy body and for matching its patterns.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "common/base/domain_name.h"
#include "common/mta_sts/mx_match.h"
#include "common/mta_sts/policy.h"
#include "tests/fuzz/require.h"

namespace {

using strictmx::fuzz::require;
using strictmx::mta_sts::mx_matches;
using strictmx::mta_sts::parse_policy;
using strictmx::mta_sts::Policy;
using strictmx::mta_sts::PolicyMode;

bool is_printable(std::string_view detail) {
  return std::all_of(detail.begin(), detail.end(), [](unsigned char c) {
    return (c >= ' ' && c < 0x7F) || c == 0xC2 || c == 0xA7;  // the section sign in UTF-8
  });
}

void check_pattern(const std::string& pattern) {
  require(pattern.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.*-") == std::string::npos,
          "a pattern has lower-case letters, digits, '.', '-' and '*'");
  const bool is_wildcard = pattern.starts_with("*.");
  const std::string domain = is_wildcard ? pattern.substr(2) : pattern;
  require(domain.find('*') == std::string::npos, "'*' is the left-most label only");
  const auto name = strictmx::base::DomainName::parse(domain);
  require(name.ok() && name.value().text() == domain, "a pattern's domain is a domain name");
  require(mx_matches(pattern, is_wildcard ? "mx." + domain : domain), "a pattern matches its host");
  require(mx_matches(pattern, (is_wildcard ? "MX." : "") + domain + "."), "a dot may end the host");
  require(!mx_matches(pattern, "a.mx." + domain), "a deeper host does not match");
  require(mx_matches(pattern, domain) != is_wildcard, "a wildcard does not match its domain");
}

void check_policy(const Policy& policy) {
  require(policy.max_age.count() >= 0 && policy.max_age <= strictmx::mta_sts::kMaxMaxAge,
          "max_age is in its range");
  require(policy.mode == PolicyMode::kNone || !policy.mx.empty(), "mx is there");
  require(policy.mx.size() <= strictmx::mta_sts::kMaxMxPatterns, "patterns are bounded");
  require(std::set<std::string>(policy.mx.begin(), policy.mx.end()).size() == policy.mx.size(),
          "patterns are not repeated");
  for (const std::string& pattern : policy.mx) check_pattern(pattern);

  std::string lf;
  std::string crlf;
  for (const std::string& line : policy.lines) {
    require(line.find_first_of(std::string_view("\0\r\n\t", 4)) == std::string::npos,
            "a line has no control characters");
    lf += line + "\n";
    crlf += line + " \t\r\n\r\n";
  }
  // A "key:value" is longer as "key: value", so the limits may be passed when joined.
  for (const std::string& joined : {lf, crlf}) {
    const auto again = parse_policy(joined);
    require(again.ok() ? again.value() == policy
                       : again.error().code == strictmx::mta_sts::PolicyError::kTooLarge,
            "the accepted lines are the same policy");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string body(data, data + size);
  const auto policy = parse_policy(body);
  if (policy.ok()) {
    check_policy(policy.value());
  } else {
    require(is_printable(policy.error().detail), "the detail is printable");
    require(policy.error().detail.size() < 200, "the detail is short");
  }
  return 0;
}
