// result_datagram.cc - see result_datagram.h.
#include "common/tlsrpt/result_datagram.h"

#include <fmt/format.h>
#include <jansson.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "common/base/json_extent.h"
#include "common/base/printable.h"
#include "common/tlsrpt/datagram_codes.h"

namespace strictmx::tlsrpt {
namespace {

using base::fail;
using base::Failure;
using base::Result;

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

struct JsonFree {
  void operator()(json_t* value) const { json_decref(value); }
};

Failure<DatagramError> wrong_shape(const char* member, const char* want) {
  return fail(DatagramError::kShape, fmt::format("member {}: is not {}", member, want));
}

// Empty where all of the text is UTF-8, which is the rule.
std::string made_utf8(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; })) return {};
  std::string out;
  bool is_changed = false;
  while (!text.empty()) {
    const std::size_t bytes = base::first_code_point(text).bytes;
    is_changed = is_changed || bytes == 0;
    out += bytes == 0 ? kReplacement : text.substr(0, bytes);
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return is_changed ? out : std::string();
}

// Cut before the code point that does not fit.
std::string cut_text(std::string_view text) {
  if (text.size() <= kMaxTextBytes) return std::string(text);
  std::size_t end = kMaxTextBytes;
  while (end > 0 && (text[end] & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

// A member that may be missing; present, it is a text.
Result<std::string, DatagramError> optional_text(const json_t* object, const char* name) {
  const json_t* value = json_object_get(object, name);
  if (value == nullptr) return std::string();
  if (!json_is_string(value)) return wrong_shape(name, "a text");
  return cut_text({json_string_value(value), json_string_length(value)});
}

Result<std::vector<std::string>, DatagramError> optional_texts(const json_t* object,
                                                               const char* name) {
  std::vector<std::string> texts;
  const json_t* list = json_object_get(object, name);
  if (list == nullptr) return texts;
  if (!json_is_array(list)) return wrong_shape(name, "a list of texts");
  if (json_array_size(list) > kMaxPolicyTexts) {
    return fail(DatagramError::kBounds,
                fmt::format("member {}: more than {} texts", name, kMaxPolicyTexts));
  }
  for (std::size_t i = 0; i < json_array_size(list); ++i) {
    const json_t* value = json_array_get(list, i);
    if (!json_is_string(value)) return wrong_shape(name, "a list of texts");
    texts.push_back(cut_text({json_string_value(value), json_string_length(value)}));
  }
  return texts;
}

Result<FailureDetails, DatagramError> read_failure(const json_t* object) {
  if (!json_is_object(object)) return wrong_shape("failure-details", "a list of objects");
  const json_t* code = json_object_get(object, "c");
  if (!json_is_integer(code)) return wrong_shape("c", "a number");
  FailureDetails failure;
  const std::pair<const char*, std::string*> members[] = {
      {"s", &failure.sending_mta_ip},         {"n", &failure.receiving_mx_hostname},
      {"h", &failure.receiving_mx_helo},      {"r", &failure.receiving_ip},
      {"a", &failure.additional_information}, {"f", &failure.reason_code},
  };
  for (const auto& [name, target] : members) {
    auto text = optional_text(object, name);
    if (!text.ok()) return text.error();
    *target = std::move(text).value();
  }
  const auto type = value_of_code(kResultCodes, json_integer_value(code));
  failure.type = type.value_or(ResultType::kValidationFailure);
  if (!type.has_value() && failure.reason_code.empty()) {
    failure.reason_code = fmt::format("unknown-code-{}", json_integer_value(code));
  }
  return failure;
}

Result<PolicyOutcome, DatagramError> read_outcome(const json_t* object) {
  if (!json_is_object(object)) return wrong_shape("policies", "a list of objects");
  PolicyOutcome outcome;
  const json_t* type = json_object_get(object, "policy-type");
  const auto known =
      json_is_integer(type) ? value_of_code(kPolicyCodes, json_integer_value(type)) : std::nullopt;
  if (!known.has_value()) return wrong_shape("policy-type", "1, 2 or 9");
  outcome.policy.type = *known;
  auto domain = optional_text(object, "policy-domain");
  if (!domain.ok()) return domain.error();
  const auto folded = base::DomainName::parse(domain.value());
  outcome.policy.domain = folded.ok() ? folded.value().text() : std::move(domain).value();
  auto strings = optional_texts(object, "policy-string");
  if (!strings.ok()) return strings.error();
  outcome.policy.strings = std::move(strings).value();
  auto hosts = optional_texts(object, "mx-host");
  if (!hosts.ok()) return hosts.error();
  outcome.policy.mx_hosts = std::move(hosts).value();
  const json_t* final_result = json_object_get(object, "f");
  const json_int_t is_failed =
      json_is_integer(final_result) ? json_integer_value(final_result) : -1;
  if (is_failed != 0 && is_failed != 1) return wrong_shape("f", "0 or 1");
  outcome.is_failed = is_failed == 1;
  const json_t* failures = json_object_get(object, "failure-details");
  if (failures != nullptr && !json_is_array(failures)) {
    return wrong_shape("failure-details", "a list of objects");
  }
  if (json_array_size(failures) > kMaxFailures) {
    return fail(DatagramError::kBounds,
                fmt::format("member failure-details: more than {}", kMaxFailures));
  }
  for (std::size_t i = 0; i < json_array_size(failures); ++i) {
    auto failure = read_failure(json_array_get(failures, i));
    if (!failure.ok()) return failure.error();
    outcome.failures.push_back(std::move(failure).value());
  }
  return outcome;
}

Result<std::optional<base::WallTime>, DatagramError> read_session_time(const json_t* object) {
  const json_t* own = json_object_get(object, "strictmx");
  if (own == nullptr) return std::optional<base::WallTime>();
  if (!json_is_object(own)) return wrong_shape("strictmx", "an object");
  const json_t* time = json_object_get(own, "time");
  if (time == nullptr) return std::optional<base::WallTime>();
  if (!json_is_integer(time)) return wrong_shape("time", "a number");
  return std::optional(base::WallTime(std::chrono::seconds(json_integer_value(time))));
}

Result<ResultDatagram, DatagramError> read_object(const json_t* object) {
  if (!json_is_object(object)) return wrong_shape("(the whole)", "an object");
  const json_t* name = json_object_get(object, "d");
  if (!json_is_string(name)) return wrong_shape("d", "a text");
  auto domain = base::DomainName::parse({json_string_value(name), json_string_length(name)});
  if (!domain.ok()) return fail(DatagramError::kDomain, "member d: " + domain.error().detail);
  ResultDatagram datagram{std::move(domain).value(), {}, {}, {}, false};
  const json_t* version = json_object_get(object, "dpv");
  datagram.is_other_version =
      version != nullptr &&
      (!json_is_string(version) || std::string_view(json_string_value(version)) != "1");
  auto record = optional_text(object, "pr");
  if (!record.ok()) return record.error();
  datagram.record = std::move(record).value();
  auto session_time = read_session_time(object);
  if (!session_time.ok()) return session_time.error();
  datagram.session_time = session_time.value();
  const json_t* policies = json_object_get(object, "policies");
  if (json_array_size(policies) == 0) return wrong_shape("policies", "a list with a policy");
  if (json_array_size(policies) > kMaxDatagramPolicies) {
    return fail(DatagramError::kBounds,
                fmt::format("member policies: more than {}", kMaxDatagramPolicies));
  }
  for (std::size_t i = 0; i < json_array_size(policies); ++i) {
    auto outcome = read_outcome(json_array_get(policies, i));
    if (!outcome.ok()) return outcome.error();
    datagram.outcomes.push_back(std::move(outcome).value());
  }
  return datagram;
}

}  // namespace

std::string_view datagram_error_name(DatagramError error) {
  switch (error) {
    using enum DatagramError;
    case kSize:
      return "size";
    case kSyntax:
      return "syntax";
    case kBounds:
      return "bounds";
    case kShape:
      return "shape";
    case kDomain:
      return "domain";
  }
  return "syntax";
}

Result<ResultDatagram, DatagramError> read_result_datagram(std::string_view text) {
  if (text.empty()) return fail(DatagramError::kSize, "is empty");
  if (text.size() > kMaxDatagramBytes) {
    return fail(DatagramError::kSize, fmt::format("is over {} bytes", kMaxDatagramBytes));
  }
  const base::JsonExtent extent = base::json_extent(text);
  if (extent.depth > kMaxDatagramDepth) {
    return fail(DatagramError::kBounds, fmt::format("nests over {} levels", kMaxDatagramDepth));
  }
  if (extent.values > kMaxDatagramValues) {
    return fail(DatagramError::kBounds, fmt::format("has over {} values", kMaxDatagramValues));
  }
  const std::string changed = made_utf8(text);
  const std::string_view utf8 = changed.empty() ? text : std::string_view(changed);
  json_error_t error;
  const std::unique_ptr<json_t, JsonFree> object(json_loadb(utf8.data(), utf8.size(), 0, &error));
  if (object == nullptr) {
    return fail(DatagramError::kSyntax,
                fmt::format("is not JSON: byte {}: {}", error.position, error.text));
  }
  return read_object(object.get());
}

}  // namespace strictmx::tlsrpt
