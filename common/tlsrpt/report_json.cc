// report_json.cc - the reading half of report_json.h, and the words for remarks. The only user of
// jansson here.
#include "common/tlsrpt/report_json.h"

#include <fmt/format.h>
#include <jansson.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/domain_name.h"
#include "common/base/json_extent.h"
#include "common/base/mail_address.h"
#include "common/base/printable.h"
#include "common/tlsrpt/date_time.h"

namespace strictmx::tlsrpt {
namespace {

using base::fail;
using base::Failure;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kMaxFoundBytes = 60;  // of a peer's text in a remark or failure

struct JsonFree {
  void operator()(json_t* value) const { json_decref(value); }
};
using Json = std::unique_ptr<json_t, JsonFree>;

std::string_view text_of(const json_t* value) {
  return {json_string_value(value), json_string_length(value)};
}

std::string found_text(std::string_view text) { return base::shown(text, kMaxFoundBytes); }

// What a value is, in the words of RFC 8259.
std::string_view kind_of(const json_t* value) {
  switch (json_typeof(value)) {
    case JSON_OBJECT:
      return "an object";
    case JSON_ARRAY:
      return "an array";
    case JSON_STRING:
      return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
      return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
      return "true or false";
    case JSON_NULL:
      return "null";
  }
  return "another value";
}

// Walks the tree in the order of §4.4. The first failure stays; what is read after it is of no use.
class ReportReader {
 public:
  explicit ReportReader(ReadReport& out) : out_(out) {}

  void read(const json_t* root) {
    if (!json_is_object(root)) return schema_failure("the text", root, "an object");
    Report& report = out_.report;
    report.organization_name = text(root, "organization-name");
    read_range(object(root, "date-range"));
    report.contact_info = text(root, "contact-info");
    if (!report.contact_info.empty() &&
        !base::domain_of_mail_address(report.contact_info).has_value()) {
      remark(Departure::kNotMailAddress, "contact-info", report.contact_info);
    }
    report.report_id = text(root, "report-id");
    read_policies(json_object_get(root, "policies"));
  }

  void remark(Departure departure, std::string_view member, std::string_view found = {}) {
    if (out_.remarks.size() == kMaxRemarks) {
      ++out_.remarks_left_out;
      return;
    }
    out_.remarks.push_back({departure, place(member), found_text(found)});
  }

  const std::optional<Failure<ReportError>>& failure() const { return failure_; }

 private:
  enum class Need { kRequired, kOptional };

  std::string place(std::string_view member) const { return place_ + std::string(member); }

  void set_failure(ReportError error, std::string detail) {
    if (failure_.has_value()) return;
    failure_ = fail(error, std::move(detail) + " (RFC 8460 §4.4)");
  }
  void schema_failure(std::string_view member, const json_t* found, std::string_view want) {
    set_failure(ReportError::kSchema,
                found == nullptr
                    ? fmt::format("{}: missing, want {}", place(member), want)
                    : fmt::format("{}: {}, want {}", place(member), kind_of(found), want));
  }
  void bound_failure(std::string_view member, std::size_t most, std::string_view what) {
    set_failure(ReportError::kTooLarge, fmt::format("{}: over {} {}", place(member), most, what));
  }

  // The member, or null when it is missing or the JSON null, either of which is remarked unless
  // nothing is said by it.
  const json_t* member(const json_t* parent, const char* name, Need need) {
    const json_t* value = json_object_get(parent, name);
    if (value != nullptr && !json_is_null(value)) return value;
    if (value != nullptr) {
      remark(Departure::kNull, name);
    } else if (need == Need::kRequired) {
      remark(Departure::kMissing, name);
    }
    return nullptr;
  }

  const json_t* object(const json_t* parent, const char* name) {
    const json_t* value = json_object_get(parent, name);
    if (!json_is_object(value)) schema_failure(name, value, "an object");
    return value;
  }

  std::string checked_text(const json_t* value, std::string_view name) {
    if (!json_is_string(value)) {
      schema_failure(name, value, "a string");
      return {};
    }
    if (json_string_length(value) > kMaxReportTextBytes) {
      bound_failure(name, kMaxReportTextBytes, "bytes");
      return {};
    }
    return std::string(text_of(value));
  }

  std::string text(const json_t* parent, const char* name, Need need = Need::kRequired) {
    const json_t* value = member(parent, name, need);
    return value == nullptr ? std::string() : checked_text(value, name);
  }

  std::vector<std::string> texts(const json_t* parent, const char* name, Need need) {
    std::vector<std::string> out;
    const json_t* value = member(parent, name, need);
    if (value == nullptr) return out;
    if (json_is_string(value)) {
      remark(Departure::kTextForList, name, text_of(value));
      out.push_back(checked_text(value, name));
    } else if (!json_is_array(value)) {
      schema_failure(name, value, "an array of strings");
    } else if (json_array_size(value) > kMaxReportListItems) {
      bound_failure(name, kMaxReportListItems, "items");
    } else {
      out.reserve(json_array_size(value));
      for (std::size_t i = 0; i < json_array_size(value) && !failure_.has_value(); ++i) {
        out.push_back(checked_text(json_array_get(value, i), fmt::format("{}[{}]", name, i)));
      }
    }
    return out;
  }

  // §4.4 wants an array; a single object is read as an array of one.
  std::vector<const json_t*> objects(const json_t* value, const char* name, std::size_t most) {
    std::vector<const json_t*> out;
    if (json_is_object(value)) {
      remark(Departure::kObjectForList, name);
      out.push_back(value);
    } else if (!json_is_array(value)) {
      schema_failure(name, value, "an array of objects");
    } else if (json_array_size(value) > most) {
      bound_failure(name, most, "items");
    } else {
      for (std::size_t i = 0; i < json_array_size(value); ++i) {
        out.push_back(json_array_get(value, i));
        if (!json_is_object(out.back())) {
          schema_failure(fmt::format("{}[{}]", name, i), out.back(), "an object");
        }
      }
    }
    return out;
  }

  // As lower-case A-labels (§4.4); what is no name is kept as it stands.
  std::string name_text(std::string text, std::string_view member) {
    if (text.empty()) return text;
    const auto name = base::DomainName::parse(text);
    if (!name.ok() || !base::is_ascii(text)) remark(Departure::kNotALabels, member, text);
    return name.ok() ? name.value().text() : text;
  }

  std::string pattern_text(std::string text, std::string_view member) {
    while (base::ascii_lower(std::string_view(text).substr(0, 3)) == "mx:") {
      remark(Departure::kMxPrefix, member, text);
      text.erase(0, std::min(text.find_first_not_of(" \t", 3), text.size()));
    }
    if (!text.starts_with("*.")) return name_text(std::move(text), member);
    return "*." + name_text(text.substr(2), member);
  }

  std::optional<base::IpAddress> address(const json_t* parent, const char* name) {
    const std::string value = text(parent, name, Need::kOptional);
    if (value.empty()) return std::nullopt;
    auto address = base::IpAddress::parse(value);
    if (!address.has_value()) remark(Departure::kNotIpAddress, name, value);
    return address;
  }

  std::uint64_t count(const json_t* parent, const char* name) {
    const json_t* value = member(parent, name, Need::kRequired);
    if (value == nullptr) return 0;
    double number = -1;
    if (json_is_integer(value)) {
      const json_int_t integer = json_integer_value(value);
      if (integer >= 0 && static_cast<std::uint64_t>(integer) <= kMaxCount) {
        return static_cast<std::uint64_t>(integer);
      }
    } else if (json_is_real(value)) {
      number = json_real_value(value);
    } else if (json_is_string(value)) {
      number = digits(text_of(value));
    }
    if (number >= 0 && number <= static_cast<double>(kMaxCount) && std::floor(number) == number) {
      remark(Departure::kCountForm, name);
      return static_cast<std::uint64_t>(number);
    }
    schema_failure(name, value, fmt::format("an integer from 0 to {}", kMaxCount));
    return 0;
  }

  static double digits(std::string_view text) {
    constexpr std::size_t kMaxDigits = 15;  // all of them below 2^53
    if (text.empty() || text.size() > kMaxDigits) return -1;
    double number = 0;
    for (const char c : text) {
      if (c < '0' || c > '9') return -1;
      number = number * 10 + (c - '0');
    }
    return number;
  }

  base::WallTime time(const json_t* parent, const char* name) {
    const json_t* value = json_object_get(parent, name);
    if (!json_is_string(value)) {
      schema_failure(name, value, "a date-time");
      return {};
    }
    const auto read = read_date_time(text_of(value));
    if (!read.has_value()) {
      set_failure(ReportError::kSchema,
                  fmt::format("{}: found \"{}\", want a date-time of RFC 3339 §5.6", place(name),
                              found_text(text_of(value))));
      return {};
    }
    if (!read->has_zone) remark(Departure::kNoZone, name, text_of(value));
    return read->time;
  }

  void read_range(const json_t* range) {
    if (failure_.has_value()) return;
    place_ = "date-range.";
    out_.report.start = time(range, "start-datetime");
    out_.report.end = time(range, "end-datetime");
    place_.clear();
    if (!failure_.has_value() && !is_one_day(out_.report)) {
      remark(Departure::kNotOneDay, "date-range", range_text(out_.report));
    }
  }

  void read_policies(const json_t* value) {
    if (failure_.has_value()) return;
    const auto policies = objects(value, "policies", kMaxReportPolicies);
    if (policies.empty() && !failure_.has_value()) remark(Departure::kNoPolicies, "policies");
    for (std::size_t i = 0; i < policies.size() && !failure_.has_value(); ++i) {
      place_ = fmt::format("policies[{}].", i);
      out_.report.policies.push_back(read_result(policies[i]));
      place_.clear();
    }
  }

  PolicyResult read_result(const json_t* value) {
    PolicyResult result;
    const std::string here = place_;
    const json_t* policy = object(value, "policy");
    if (failure_.has_value()) return result;
    place_ = here + "policy.";
    result.policy = read_policy(policy);
    place_ = here;

    if (const json_t* summary = member(value, "summary", Need::kRequired); summary != nullptr) {
      if (!json_is_object(summary)) schema_failure("summary", summary, "an object");
      place_ = here + "summary.";
      result.successful = count(summary, "total-successful-session-count");
      result.failed = count(summary, "total-failure-session-count");
      place_ = here;
    }
    const json_t* details = member(value, "failure-details", Need::kOptional);
    if (details != nullptr && !failure_.has_value()) read_details(details, result);
    place_ = here;
    return result;
  }

  ReportedPolicy read_policy(const json_t* value) {
    ReportedPolicy policy;
    const json_t* type = json_object_get(value, "policy-type");
    std::string type_name = checked_text(type, "policy-type");
    const auto known = policy_type_from_name(type_name);
    if (known.has_value()) {
      policy.type = *known;
    } else {
      remark(Departure::kUnknownPolicyType, "policy-type", type_name);
      policy.type = std::move(type_name);
    }
    const auto need_if = [](bool holds) { return holds ? Need::kRequired : Need::kOptional; };
    const bool is_sts = known == PolicyType::kSts;
    policy.policy_strings =
        texts(value, "policy-string", need_if(is_sts || known == PolicyType::kTlsa));
    policy.policy_domain = name_text(text(value, "policy-domain"), "policy-domain");
    policy.mx_hosts = texts(value, "mx-host", need_if(is_sts));
    for (std::string& host : policy.mx_hosts) host = pattern_text(std::move(host), "mx-host");
    return policy;
  }

  void read_details(const json_t* value, PolicyResult& result) {
    const std::string here = place_;
    const auto details = objects(value, "failure-details", kMaxReportDetails - details_);
    details_ += details.size();
    result.failure_details.reserve(details.size());
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < details.size() && !failure_.has_value(); ++i) {
      place_ = fmt::format("{}failure-details[{}].", here, i);
      result.failure_details.push_back(read_detail(details[i]));
      // Without the bound, details of kMaxCount would wrap.
      sum = std::min(sum + result.failure_details.back().failed_session_count, kMaxCount);
    }
    place_ = here;
    if (sum > result.failed) {
      remark(Departure::kDetailsAboveTotal, "failure-details",
             fmt::format("{} above {}", sum, result.failed));
    }
  }

  FailureDetail read_detail(const json_t* value) {
    FailureDetail detail;
    std::string type_name = checked_text(json_object_get(value, "result-type"), "result-type");
    if (const auto known = result_type_from_name(type_name); known.has_value()) {
      detail.result_type = *known;
    } else {
      remark(Departure::kUnknownResultType, "result-type", type_name);
      detail.result_type = std::move(type_name);
    }
    detail.sending_mta_ip = address(value, "sending-mta-ip");
    detail.receiving_mx_hostname =
        name_text(text(value, "receiving-mx-hostname", Need::kOptional), "receiving-mx-hostname");
    detail.receiving_mx_helo = text(value, "receiving-mx-helo", Need::kOptional);
    detail.receiving_ip = address(value, "receiving-ip");
    detail.failed_session_count = count(value, "failed-session-count");
    detail.additional_information = text(value, "additional-information", Need::kOptional);
    detail.failure_reason_code = text(value, "failure-reason-code", Need::kOptional);
    return detail;
  }

  ReadReport& out_;
  std::string place_;  // of the object being read, with the dot that follows it
  std::size_t details_ = 0;
  std::optional<Failure<ReportError>> failure_;
};

std::string_view departure_words(Departure departure) {
  switch (departure) {
    case Departure::kByteOrderMark:
      return "a byte order mark before the JSON (RFC 8259 §8.1)";
    case Departure::kMissing:
      return "missing";
    case Departure::kNull:
      return "null, taken as missing";
    case Departure::kTextForList:
      return "one string where an array belongs";
    case Departure::kObjectForList:
      return "one object where an array belongs";
    case Departure::kMxPrefix:
      return "\"mx:\" before a pattern";
    case Departure::kNoZone:
      return "no zone, taken as UTC (RFC 3339 §5.6)";
    case Departure::kNotOneDay:
      return "not one full UTC day";
    case Departure::kCountForm:
      return "not written as an integer";
    case Departure::kNotMailAddress:
      return "no plain mail address";
    case Departure::kNotIpAddress:
      return "no IP address, left out";
    case Departure::kNotALabels:
      return "no name in A-labels";
    case Departure::kUnknownPolicyType:
      return "a policy type that is not known here";
    case Departure::kUnknownResultType:
      return "a result type that is not known here (§4.3)";
    case Departure::kNoPolicies:
      return "no policy, hence no result";
    case Departure::kDetailsAboveTotal:
      return "more failed sessions than the summary has";
  }
  return "unusual";
}

}  // namespace

std::string remark_text(const Remark& remark) {
  std::string out = fmt::format("{}: {}", remark.place, departure_words(remark.departure));
  if (!remark.found.empty()) out += fmt::format(", found \"{}\"", remark.found);
  return out;
}

base::Result<ReadReport, ReportError> read_report_json(std::string_view text) {
  if (text.size() > kMaxReportBytes) {
    return fail(ReportError::kTooLarge,
                fmt::format("over {} bytes (RFC 8460 §5.2, §7)", kMaxReportBytes));
  }
  ReadReport out;
  ReportReader reader(out);
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
    reader.remark(Departure::kByteOrderMark, "the text");
  }
  const base::JsonExtent extent = base::json_extent(text);
  if (extent.depth > kMaxReportDepth) {
    return fail(ReportError::kTooDeep,
                fmt::format("nests over {} levels (RFC 8460 §4.4)", kMaxReportDepth));
  }
  if (extent.values > kMaxReportValues) {
    return fail(ReportError::kTooLarge,
                fmt::format("over {} values (RFC 8460 §7)", kMaxReportValues));
  }
  json_error_t error;
  // RFC 7493 §2.3: a member that is there twice is read differently by everybody.
  const Json root(json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES, &error));
  if (root == nullptr) {
    return fail(ReportError::kSyntax,
                fmt::format("line {}, column {}: no I-JSON: {} (RFC 8460 §4.4)", error.line,
                            error.column, base::shown(error.text)));
  }
  reader.read(root.get());
  if (reader.failure().has_value()) return *reader.failure();
  return out;
}

}  // namespace strictmx::tlsrpt
