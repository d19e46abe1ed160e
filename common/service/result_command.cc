// result_command.cc - see result_command.h.
#include "common/service/result_command.h"

#include <jansson.h>

#include <utility>

#include "common/reporting/day.h"
#include "common/service/reply_json.h"
#include "common/service/report_arguments.h"

namespace strictmx::service {
namespace {

using reporting::DomainResults;
using reporting::ResultQuery;
using reporting::StoredPolicy;

Json failure_json(const reporting::StoredFailure& failure) {
  Json object(json_object());
  set(object, "result-type", text_json(tlsrpt::result_type_name(failure.details.type)));
  set_text_if_any(object, "sending-mta-ip", failure.details.sending_mta_ip);
  set_text_if_any(object, "receiving-mx-hostname", failure.details.receiving_mx_hostname);
  set_text_if_any(object, "receiving-mx-helo", failure.details.receiving_mx_helo);
  set_text_if_any(object, "receiving-ip", failure.details.receiving_ip);
  set_number(object, "failed-session-count", failure.sessions);
  set_text_if_any(object, "additional-information", failure.details.additional_information);
  set_text_if_any(object, "failure-reason-code", failure.details.reason_code);
  return object;
}

Json policy_json(const StoredPolicy& stored) {
  Json policy(json_object());
  set(policy, "policy-type", text_json(tlsrpt::policy_type_name(stored.policy.type)));
  set(policy, "policy-string", texts_json(stored.policy.strings, stored.policy.strings.size()));
  set(policy, "policy-domain", text_json(stored.policy.domain));
  set(policy, "mx-host", texts_json(stored.policy.mx_hosts, stored.policy.mx_hosts.size()));
  Json summary(json_object());
  set_number(summary, "total-successful-session-count", stored.sessions.succeeded);
  set_number(summary, "total-failure-session-count", stored.sessions.failed);
  Json failures(json_array());
  for (const auto& failure : stored.failures) {
    json_array_append_new(failures.get(), failure_json(failure).release());
  }
  Json object(json_object());
  set(object, "policy", std::move(policy));
  set(object, "summary", std::move(summary));
  set(object, "failure-details", std::move(failures));
  return object;
}

Json place_json(const DomainResults& results) {
  Json object(json_object());
  set(object, "day", text_json(reporting::day_text(results.day)));
  set(object, "domain", text_json(results.domain));
  return object;
}

Json results_json(const DomainResults& results) {
  Json policies(json_array());
  for (const StoredPolicy& policy : results.policies) {
    json_array_append_new(policies.get(), policy_json(policy).release());
  }
  Json object = place_json(results);
  set(object, "policies", std::move(policies));
  return object;
}

// The query, or what is wrong with the request.
base::Result<ResultQuery, std::monostate> read_query(const ControlRequest& request) {
  ResultQuery query;
  const auto day = day_argument(request);
  if (!day.ok()) return day.error();
  query.day = day.value();
  const auto domain = domain_argument(request);
  if (!domain.ok()) return domain.error();
  if (domain.value().has_value()) query.domain = domain.value()->text();
  if (const json_t* after = json_object_get(request.arguments.get(), "after"); after != nullptr) {
    const json_t* last_day = json_object_get(after, "day");
    const json_t* last_domain = json_object_get(after, "domain");
    const auto number = json_is_string(last_day) ? reporting::read_day(json_string_value(last_day))
                                                 : std::optional<reporting::DayNumber>();
    if (!number.has_value() || !json_is_string(last_domain)) {
      return base::fail(std::monostate{}, "after: not {\"day\", \"domain\"}");
    }
    query.after.emplace(*number, json_string_value(last_domain));
  }
  query.limit = limit_argument(request, kMaxResultDomainsAPage);
  return query;
}

void results_command(const reporting::ResultStore& results, const ControlRequest& request,
                     const Respond& respond) {
  const auto query = read_query(request);
  if (!query.ok()) {
    respond(control_error("usage", query.error().detail));
    return;
  }
  results.list(query.value(), [respond](const auto& page) {
    if (!page.ok()) {
      respond(control_error("failed", "store: " + page.error().detail));
      return;
    }
    Json list(json_array());
    for (const DomainResults& one : page.value().results) {
      json_array_append_new(list.get(), results_json(one).release());
    }
    Json reply = control_ok();
    set(reply, "results", std::move(list));
    const bool has_more = page.value().has_more && !page.value().results.empty();
    if (has_more) set(reply, "next", place_json(page.value().results.back()));
    respond(std::move(reply));
  });
}

}  // namespace

void add_result_command(ControlServer& server, const reporting::ResultStore& results) {
  server.add_command("report.results", Effect::kReads,
                     [&results](const ControlRequest& request, const Respond& respond) {
                       results_command(results, request, respond);
                     });
}

}  // namespace strictmx::service
