// json_answers.h - the verdict as JSON: maps `json` and `route`, and the control socket's explain.
//
// Use: register the formats with Questions; verdict_json() for other JSON that holds a verdict.
// Format (readers ignore unknown members):
//   {"version": 1, "domain", "policy": "sts"|"none", "mode": "enforce"|"testing"|"none", "id",
//    "mx": [patterns], "max_age", "fetched", "expires", "source": "cache"|"network",
//    "failure": {"result-type", "reason"}}
//   route adds "hosts": [{"host", "preference", "allowed", "why", "failed_until"}],
//   "implicit_mx", "null_mx", and "mx_error" where the hosts can't be told.
// Times are RFC 3339 in UTC; members without a value are left out.
// Threads: stateless. Limits: a reply over kMaxReplyBytes loses "mx" (and then "hosts" beyond 100).
#pragma once

#include <memory>
#include <string>

#include "common/service/answer_format.h"
#include "common/verdict/verdict.h"

struct json_t;  // jansson

namespace strictmx::service {

struct JsonFree {
  void operator()(json_t* value) const;
};
using Json = std::unique_ptr<json_t, JsonFree>;

Json verdict_json(const verdict::Verdict& verdict);
Json mx_json(const MxList& mx);
// A string member; hostile bytes that are not UTF-8 are shown escaped.
Json text_json(std::string_view text);
std::string dump_json(const json_t* value);

class JsonFormat : public AnswerFormat {
 public:
  Status format(const verdict::Verdict& verdict, const MxList* mx, std::string& out) const override;
};

class RouteFormat : public AnswerFormat {
 public:
  Status format(const verdict::Verdict& verdict, const MxList* mx, std::string& out) const override;
  bool needs_mx() const override { return true; }
  bool is_cacheable() const override { return false; }
};

}  // namespace strictmx::service
