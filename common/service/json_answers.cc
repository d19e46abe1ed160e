// json_answers.cc - see json_answers.h.
#include "common/service/json_answers.h"

#include <jansson.h>

#include <cstdlib>

#include "common/base/log.h"

namespace strictmx::service {
namespace {

using verdict::PolicyType;
using verdict::Source;
using verdict::Verdict;

// MX hosts told when a domain has so many that the reply would be too long.
constexpr std::size_t kMaxHostsWhenLong = 100;

void set(const Json& object, const char* name, Json value) {
  json_object_set_new(object.get(), name, value.release());
}

void set_time(const Json& object, const char* name, base::WallTime time) {
  set(object, name, text_json(base::format_utc(time)));
}

Status reply_json(const Json& object, std::string& out) {
  out += "OK ";
  out += dump_json(object.get());
  return Status::kOk;
}

}  // namespace

void JsonFree::operator()(json_t* value) const { json_decref(value); }

Json text_json(std::string_view text) {
  json_t* value = json_stringn(text.data(), text.size());
  if (value == nullptr) {  // not UTF-8
    std::string escaped;
    base::append_log_value(escaped, text);
    value = json_stringn(escaped.data(), escaped.size());
  }
  return Json(value);
}

std::string dump_json(const json_t* value) {
  const std::unique_ptr<char, void (*)(void*)> text(json_dumps(value, JSON_COMPACT), std::free);
  return text == nullptr ? "{}" : std::string(text.get());
}

Json verdict_json(const Verdict& verdict) {
  Json object(json_object());
  set(object, "version", Json(json_integer(1)));
  set(object, "domain", text_json(verdict.domain));
  set(object, "policy", text_json(verdict.policy == PolicyType::kSts ? "sts" : "none"));
  set(object, "mode", text_json(mta_sts::policy_mode_name(verdict.mode)));
  if (verdict.policy == PolicyType::kSts) {
    set(object, "id", text_json(verdict.id));
    Json patterns(json_array());
    for (const std::string& pattern : verdict.mx) {
      json_array_append_new(patterns.get(), text_json(pattern).release());
    }
    set(object, "mx", std::move(patterns));
    set(object, "max_age", Json(json_integer(verdict.max_age.count())));
    set_time(object, "fetched", verdict.fetched);
    set_time(object, "expires", verdict.expires);
  }
  set(object, "source", text_json(verdict.source == Source::kNetwork ? "network" : "cache"));
  if (verdict.trouble.has_value()) {
    Json failure(json_object());
    if (verdict.trouble->type.has_value()) {
      set(failure, "result-type", text_json(tlsrpt::result_type_name(*verdict.trouble->type)));
    }
    set(failure, "reason", text_json(verdict.trouble->reason));
    set_time(failure, "since", verdict.trouble->since);
    set_time(failure, "retry-at", verdict.trouble->retry_at);
    set(object, "failure", std::move(failure));
  }
  return object;
}

Json mx_json(const MxList& mx) {
  Json hosts(json_array());
  for (const MxHost& host : mx.hosts) {
    Json one(json_object());
    set(one, "host", text_json(host.name));
    set(one, "preference", Json(json_integer(host.preference)));
    set(one, "allowed", Json(json_boolean(host.is_allowed)));
    set(one, "why", text_json(host.why));
    // Filled from delivery results once the daemon records them.
    set(one, "failed_until", Json(json_null()));
    json_array_append_new(hosts.get(), one.release());
  }
  return hosts;
}

Status JsonFormat::format(const Verdict& verdict, const MxList*, std::string& out) const {
  const std::size_t start = out.size();
  const Json object = verdict_json(verdict);
  const Status status = reply_json(object, out);
  if (out.size() - start <= kMaxReplyBytes) return status;
  out.resize(start);
  json_object_del(object.get(), "mx");
  return reply_json(object, out);
}

Status RouteFormat::format(const Verdict& verdict, const MxList* mx, std::string& out) const {
  const std::size_t start = out.size();
  const Json object = verdict_json(verdict);
  MxList list = *mx;
  const auto add_hosts = [&] {
    set(object, "hosts", mx_json(list));
    set(object, "implicit_mx", Json(json_boolean(list.is_implicit)));
    set(object, "null_mx", Json(json_boolean(list.is_null)));
    if (!list.error.empty()) set(object, "mx_error", text_json(list.error));
  };
  add_hosts();
  Status status = reply_json(object, out);
  if (out.size() - start <= kMaxReplyBytes) return status;
  json_object_del(object.get(), "mx");
  if (list.hosts.size() > kMaxHostsWhenLong) list.hosts.resize(kMaxHostsWhenLong);
  add_hosts();
  out.resize(start);
  return reply_json(object, out);
}

}  // namespace strictmx::service
