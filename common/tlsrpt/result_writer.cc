// result_writer.cc - see result_writer.h.
#include "common/tlsrpt/result_writer.h"

#include <algorithm>

#include "common/base/json_extent.h"
#include "common/tlsrpt/datagram_codes.h"
#include "common/tlsrpt/json_members.h"

namespace strictmx::tlsrpt {
namespace {

std::string told_text(std::string_view text) { return allowed_text(text, kMaxTextBytes); }

template <class T>
void keep_first(std::vector<T>& items, std::size_t count) {
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(std::min(items.size(), count)),
              items.end());
}

void append_failure(std::string& out, const FailureDetails& failure) {
  Members members(out);
  members.count("c", code_of(kResultCodes, failure.type));
  members.text_if_any("s", told_text(failure.sending_mta_ip));
  members.text_if_any("n", told_text(failure.receiving_mx_hostname));
  members.text_if_any("h", told_text(failure.receiving_mx_helo));
  members.text_if_any("r", told_text(failure.receiving_ip));
  members.text_if_any("a", told_text(failure.additional_information));
  members.text_if_any("f", told_text(failure.reason_code));
}

void append_outcome(std::string& out, const PolicyOutcome& outcome) {
  const auto append_told = [](std::string& target, const std::string& text) {
    append_text(target, told_text(text));
  };
  Members members(out);
  members.count("policy-type", code_of(kPolicyCodes, outcome.policy.type));
  members.text_if_any("policy-domain", told_text(outcome.policy.domain));
  members.list_if_any("policy-string", outcome.policy.strings, append_told);
  members.list_if_any("mx-host", outcome.policy.mx_hosts, append_told);
  members.list_if_any("failure-details", outcome.failures, append_failure);
  members.count("t", outcome.failures.size());
  members.count("f", outcome.is_failed ? 1 : 0);
}

std::string write(const ResultDatagram& datagram) {
  std::string out;
  {
    Members members(out);
    members.text("dpv", "1");
    members.text("d", datagram.domain.text());
    members.text_if_any("pr", told_text(datagram.record));
    members.list("policies", datagram.outcomes, append_outcome);
    if (datagram.session_time.has_value()) {
      Members own(members.name("strictmx"));
      own.name("time") += std::to_string(datagram.session_time->time_since_epoch().count());
    }
  }
  return out;
}

bool is_within_limits(std::string_view text) {
  return text.size() <= kMaxDatagramBytes && base::json_extent(text).values <= kMaxDatagramValues;
}

void drop_policy_texts(ResultDatagram& datagram) {
  for (PolicyOutcome& outcome : datagram.outcomes) {
    outcome.policy.strings.clear();
    outcome.policy.mx_hosts.clear();
  }
}

// What is left is far below the limits: eight policies with a name and 128 numbers each.
void drop_failure_texts(ResultDatagram& datagram) {
  for (PolicyOutcome& outcome : datagram.outcomes) {
    outcome.policy.domain = allowed_text(outcome.policy.domain, base::kMaxNameBytes);
    for (FailureDetails& failure : outcome.failures) {
      FailureDetails bare;
      bare.type = failure.type;
      failure = bare;
    }
  }
}

}  // namespace

std::string write_result_datagram(const ResultDatagram& datagram) {
  ResultDatagram told = datagram;
  keep_first(told.outcomes, kMaxDatagramPolicies);
  for (PolicyOutcome& outcome : told.outcomes) {
    keep_first(outcome.policy.strings, kMaxPolicyTexts);
    keep_first(outcome.policy.mx_hosts, kMaxPolicyTexts);
    keep_first(outcome.failures, kMaxFailures);
  }
  std::string text = write(told);
  for (const auto drop : {drop_policy_texts, drop_failure_texts}) {
    if (is_within_limits(text)) break;
    drop(told);
    text = write(told);
  }
  return text;
}

}  // namespace strictmx::tlsrpt
