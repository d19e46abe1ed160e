// json_answers.h - the verdict as JSON: maps `json` and `route`, and the control socket's explain.
//
// Use: register the formats with Questions; verdict_json() for other JSON that holds a verdict.
// Format (readers ignore unknown members):
//   {"version": 1, "domain", "policy": "sts"|"tlsa"|"none", "mode": "enforce"|"testing"|"none",
//    "id", "mx": [patterns], "max_age", "fetched", "expires",
//    "source": "cache"|"network"|"override",
//    "mx-dnssec": "secure"|"insecure"|"configured"|"bogus"|"failed",
//    "dane": {MX host: {"state": "usable"|"unusable"|"absent"|"insecure"|"bogus"|"failed"|
//             "no-address", "base-domain", "tlsa": [records], "reason"}},
//    "override": {"mode", "mx", "until", "note"},
//    "failure": {"result-type", "reason", "since", "retry-at"}}
//   "mode" and "mx" are of the MTA-STS policy in force, also where "policy" is "tlsa".
//   route adds "hosts": [{"host", "preference", "allowed", "require":
//   "none"|"encrypt"|"sts"|"dane", "why", "failed_until"}], "implicit_mx", "null_mx", and
//   "mx_error" where the hosts can't be told.
// TEMP instead of JSON: mail must wait.
// Times are RFC 3339 in UTC; members without a value are left out.
// Threads: stateless. Limits: a reply over kMaxReplyBytes loses "mx", then the TLSA records, then
// hosts.
#pragma once

#include <memory>
#include <string>

#include "common/service/answer_format.h"
#include "common/verdict/mx_list.h"
#include "common/verdict/verdict.h"

struct json_t;  // jansson

namespace strictmx::service {

struct JsonFree {
  void operator()(json_t* value) const;
};
using Json = std::unique_ptr<json_t, JsonFree>;

Json verdict_json(const verdict::Verdict& verdict);
Json mx_json(const verdict::MxList& mx);
Json override_json(const verdict::Override& set);
// A string member; hostile bytes that are not UTF-8 are shown escaped.
Json text_json(std::string_view text);
std::string dump_json(const json_t* value);

class JsonFormat : public AnswerFormat {
 public:
  Status format(const verdict::Verdict& verdict, std::string& out) const override;
  verdict::Scope scope() const override { return verdict::Scope::kHosts; }
};

class RouteFormat : public AnswerFormat {
 public:
  Status format(const verdict::Verdict& verdict, std::string& out) const override;
  verdict::Scope scope() const override { return verdict::Scope::kHosts; }
  bool is_cacheable() const override { return false; }
};

}  // namespace strictmx::service
