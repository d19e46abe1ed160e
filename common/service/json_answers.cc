// json_answers.cc - see json_answers.h.
#include "common/service/json_answers.h"

#include <jansson.h>

#include <cstdlib>

#include "common/base/log.h"
#include "common/service/reply_json.h"

namespace strictmx::service {
namespace {

using verdict::MxList;
using verdict::PolicyType;
using verdict::Source;
using verdict::Verdict;

// MX hosts told when a domain has so many that the reply would be too long.
constexpr std::size_t kMaxHostsWhenLong = 100;

std::string_view policy_name(PolicyType type) {
  switch (type) {
    case PolicyType::kSts:
      return "sts";
    case PolicyType::kTlsa:
      return "tlsa";
    case PolicyType::kNone:
      return "none";
  }
  return "";
}

std::string_view source_name(Source source) {
  switch (source) {
    case Source::kCache:
      return "cache";
    case Source::kNetwork:
      return "network";
    case Source::kOverride:
      return "override";
  }
  return "";
}

// The reply, shorter and shorter until it fits.
Status reply_json(const Json& object, std::string& out) {
  using Shorten = void (*)(json_t*);
  constexpr Shorten kSteps[] = {
      [](json_t*) {},
      [](json_t* whole) { json_object_del(whole, "mx"); },
      [](json_t* whole) {
        const char* host = nullptr;
        json_t* state = nullptr;
        json_object_foreach(json_object_get(whole, "dane"), host, state) {
          json_object_del(state, "tlsa");
        }
      },
      [](json_t* whole) { json_object_del(whole, "dane"); },
      [](json_t* whole) {
        json_t* hosts = json_object_get(whole, "hosts");
        while (json_array_size(hosts) > kMaxHostsWhenLong) {
          json_array_remove(hosts, json_array_size(hosts) - 1);
        }
      },
  };
  std::string text;
  for (const Shorten shorten : kSteps) {
    shorten(object.get());
    text = dump_json(object.get());
    if (text.size() + 3 <= kMaxReplyBytes) break;
  }
  out += "OK " + text;
  return Status::kOk;
}

Json dane_json(const dane::DaneAnswer& answer) {
  Json hosts(json_object());
  for (const dane::MxHost& host : answer.hosts) {
    Json one(json_object());
    set(one, "state", text_json(dane::host_state_name(host.dane->state)));
    if (!host.dane->base_domain.empty()) {
      set(one, "base-domain", text_json(host.dane->base_domain));
    }
    if (!host.dane->records.empty()) set(one, "tlsa", texts_json(host.dane->records));
    if (!host.dane->reason.empty()) set(one, "reason", text_json(host.dane->reason));
    set(hosts, host.name.c_str(), std::move(one));
  }
  return hosts;
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

Json override_json(const verdict::Override& set_by_operator) {
  Json object(json_object());
  set(object, "mode", text_json(mta_sts::policy_mode_name(set_by_operator.mode)));
  if (!set_by_operator.mx.empty()) set(object, "mx", texts_json(set_by_operator.mx));
  if (set_by_operator.until.has_value()) set_time(object, "until", *set_by_operator.until);
  if (!set_by_operator.note.empty()) set(object, "note", text_json(set_by_operator.note));
  return object;
}

Json verdict_json(const Verdict& verdict) {
  Json object(json_object());
  set(object, "version", Json(json_integer(1)));
  set(object, "domain", text_json(verdict.domain));
  set(object, "policy", text_json(policy_name(verdict.policy)));
  set(object, "mode", text_json(mta_sts::policy_mode_name(verdict.mode)));
  if (!verdict.mx.empty()) set(object, "mx", texts_json(verdict.mx));
  if (verdict.has_policy()) {
    set(object, "id", text_json(verdict.id));
    set(object, "max_age", Json(json_integer(verdict.max_age.count())));
    set_time(object, "fetched", verdict.fetched);
    set_time(object, "expires", verdict.expires);
  }
  set(object, "source", text_json(source_name(verdict.source)));
  if (verdict.dane != nullptr) {
    set(object, "mx-dnssec", text_json(dane::mx_state_name(verdict.dane->mx_state)));
    set(object, "dane", dane_json(*verdict.dane));
  }
  if (verdict.override_in_force.has_value()) {
    set(object, "override", override_json(*verdict.override_in_force));
  }
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
  for (const verdict::MxListHost& host : mx.hosts) {
    Json one(json_object());
    set(one, "host", text_json(host.name));
    set(one, "preference", Json(json_integer(host.preference)));
    set(one, "allowed", Json(json_boolean(host.decision.is_allowed)));
    set(one, "require", text_json(verdict::requirement_name(host.decision.requirement)));
    set(one, "why", text_json(host.decision.why));
    // Filled from delivery results once the daemon records them.
    set(one, "failed_until", Json(json_null()));
    json_array_append_new(hosts.get(), one.release());
  }
  return hosts;
}

Status JsonFormat::format(const Verdict& verdict, std::string& out) const {
  return reply_json(verdict_json(verdict), out);
}

Status RouteFormat::format(const Verdict& verdict, std::string& out) const {
  const Json object = verdict_json(verdict);
  const MxList list = verdict::mx_list(verdict);
  set(object, "hosts", mx_json(list));
  set(object, "implicit_mx", Json(json_boolean(list.is_implicit)));
  set(object, "null_mx", Json(json_boolean(list.is_null)));
  if (!list.error.empty()) set(object, "mx_error", text_json(list.error));
  return reply_json(object, out);
}

}  // namespace strictmx::service
