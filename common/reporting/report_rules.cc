// report_rules.cc - see report_rules.h.
#include "common/reporting/report_rules.h"

#include <utility>

#include "common/base/domain_name.h"
#include "common/base/printable.h"
#include "common/reporting/report_target.h"

namespace strictmx::reporting {
namespace {

using base::done;
using base::fail;

base::Result<std::vector<std::string>, RuleError> read_uris(const char* member,
                                                            const std::vector<std::string>& uris) {
  std::vector<std::string> read;
  if (uris.size() > kMaxRuleUris) {
    return fail(RuleError::kUri,
                std::string(member) + ": more than " + std::to_string(kMaxRuleUris));
  }
  for (const std::string& uri : uris) {
    if (uri.starts_with(kFileScheme)) {
      if (!uri.starts_with(std::string(kFileScheme) + "/")) {
        return fail(RuleError::kUri,
                    std::string(member) + ": wants file:/FOLDER, not " + base::shown(uri, 200));
      }
      // One folder is one recipient, however it is written.
      const std::size_t last = uri.find_last_not_of('/');
      read.push_back(last < kFileScheme.size() ? std::string(kFileScheme) + "/"
                                               : uri.substr(0, last + 1));
      continue;
    }
    auto target = read_target(uri);
    if (!target.ok()) {
      return fail(RuleError::kUri, std::string(member) + ": " + target.error().detail);
    }
    read.push_back(target.value().uri);
  }
  return read;
}

}  // namespace

base::Result<ReportRule, RuleError> read_rule(const RuleTexts& texts) {
  ReportRule rule;
  rule.domain = texts.domain;
  if (texts.domain != kAllDomains) {
    const auto domain = base::DomainName::parse(texts.domain);
    if (!domain.ok()) return fail(RuleError::kDomain, "domain: " + domain.error().detail);
    rule.domain = domain.value().text();
  }
  if (!texts.skip.empty() && texts.skip != "true" && texts.skip != "false") {
    return fail(RuleError::kSkip, "skip: wants true or false, not " + base::shown(texts.skip, 200));
  }
  rule.is_skipped = texts.skip == "true";
  auto recipients = read_uris("recipients", texts.recipients);
  if (!recipients.ok()) return recipients.error();
  rule.recipients = std::move(recipients).value();
  auto copies = read_uris("copies", texts.copies);
  if (!copies.ok()) return copies.error();
  rule.copies = std::move(copies).value();
  const bool sends = !rule.recipients.empty() || !rule.copies.empty();
  if (sends == rule.is_skipped) {
    return fail(RuleError::kNothing, "wants either skip = true, or recipients or copies");
  }
  return rule;
}

base::Outcome<RuleError> ReportRules::add(ReportRule rule) {
  const std::string domain = rule.domain;
  if (!rules_.emplace(domain, std::move(rule)).second) {
    return fail(RuleError::kSecond, "domain: a second rule of " + domain);
  }
  return done();
}

const ReportRule* ReportRules::find(const std::string& domain) const {
  auto found = rules_.find(domain);
  if (found == rules_.end()) found = rules_.find(std::string(kAllDomains));
  return found == rules_.end() ? nullptr : &found->second;
}

}  // namespace strictmx::reporting
