// policy_commands.cc - see policy_commands.h.
#include "common/service/policy_commands.h"

#include <jansson.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/domain_name.h"
#include "common/service/policy_json.h"
#include "common/service/reply_json.h"

namespace strictmx::service {
namespace {

using base::DomainName;

// The domain that a command names, or the error reply.
std::optional<DomainName> domain_of(const ControlRequest& request, const Respond& respond) {
  const auto text = request.text("domain");
  if (!text.has_value()) {
    respond(control_error("usage", "no domain was named"));
    return std::nullopt;
  }
  const auto key = read_question_key(*text);
  if (!key.has_value()) {
    respond(control_error("usage", "not the name of a mail domain"));
    return std::nullopt;
  }
  return key->domain;
}

void list_command(const PolicyCommands& commands, const ControlRequest& request,
                  const Respond& respond) {
  const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(
      request.number("limit").value_or(100), 1, static_cast<std::int64_t>(kMaxPoliciesAPage)));
  commands.cache.list(
      request.text("after").value_or(""), limit, [&commands, limit, respond](const auto& rows) {
        if (!rows.ok()) {
          respond(control_error("failed", "store: " + rows.error().detail));
          return;
        }
        Json list(json_array());
        for (const mta_sts::PolicyRow& row : rows.value()) {
          json_array_append_new(
              list.get(), policy_json(row.domain, row.policy, commands.clock.now()).release());
        }
        Json reply = control_ok();
        if (rows.value().size() == limit) set(reply, "next", text_json(rows.value().back().domain));
        set(reply, "policies", std::move(list));
        respond(std::move(reply));
      });
}

void show_command(const PolicyCommands& commands, const ControlRequest& request,
                  const Respond& respond) {
  const auto domain = domain_of(request, respond);
  if (!domain.has_value()) return;
  const auto show = [&commands, name = domain->text(), respond](bool) {
    const mta_sts::Entry* entry = commands.cache.find(name);
    if (entry == nullptr || entry->policy == nullptr) {
      respond(control_error("not-found", "no policy of " + name + " is cached"));
      return;
    }
    Json reply = control_ok();
    Json policy = policy_json(name, *entry->policy, commands.clock.now());
    set(policy, "lines", texts_json(entry->policy->parsed().lines));
    set(reply, "policy", std::move(policy));
    respond(std::move(reply));
  };
  if (commands.cache.may_be_in_store(domain->text())) {
    commands.cache.load_one(domain->text(), show);
  } else {
    show(true);
  }
}

void refresh_command(const PolicyCommands& commands, const ControlRequest& request,
                     const Respond& respond) {
  const auto domain = domain_of(request, respond);
  if (!domain.has_value()) return;
  commands.dane.forget(domain->text());
  commands.policies.refresh(*domain, [&commands, domain = *domain,
                                      respond](const mta_sts::PolicyAnswer& now) {
    Json reply = control_ok();
    const verdict::Evidence evidence{verdict::StsState::of(now), {}, nullptr};
    set(reply, "verdict", verdict_json(verdict::decide(domain, evidence, commands.clock.now())));
    respond(std::move(reply));
  });
}

void purge_command(const PolicyCommands& commands, const ControlRequest& request,
                   const Respond& respond) {
  const auto on_done = [respond](const base::Outcome<store::StoreError>& result) {
    respond(result.ok() ? control_ok()
                        : control_error("failed", "removed from memory, not from the store: " +
                                                      result.error().detail));
  };
  if (!request.text("domain").has_value()) {
    commands.questions.forget_all();
    commands.dane.forget_all();
    commands.cache.forget_all(on_done);
    return;
  }
  const auto domain = domain_of(request, respond);
  if (!domain.has_value()) return;
  commands.questions.forget(domain->text());
  commands.dane.forget(domain->text());
  commands.cache.forget(domain->text(), on_done);
}

}  // namespace

void add_policy_commands(ControlServer& server, const PolicyCommands& commands) {
  constexpr ControlCommand<PolicyCommands> kTable[] = {
      {"policies.list", Effect::kReads, list_command},
      {"policies.show", Effect::kReads, show_command},
      {"policies.refresh", Effect::kChanges, refresh_command},
      {"policies.purge", Effect::kChanges, purge_command},
  };
  server.add_commands(kTable, commands);
}

}  // namespace strictmx::service
