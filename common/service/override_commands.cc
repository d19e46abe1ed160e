// override_commands.cc - see override_commands.h.
#include "common/service/override_commands.h"

#include <jansson.h>

#include <string>
#include <utility>
#include <vector>

#include "common/base/domain_name.h"
#include "common/service/reply_json.h"

namespace strictmx::service {
namespace {

using verdict::Override;
using verdict::OverrideBookError;
using verdict::OverrideRow;
using verdict::OverrideText;

Json row_json(const OverrideRow& row, base::WallTime now) {
  Json object = override_json(row.set);
  set(object, "domain", text_json(row.set.domain));
  set(object, "source", text_json(row.is_in_file ? "file" : "command"));
  if (!row.is_in_file) {
    set_time(object, "set-at", row.set_at);
    set(object, "set-by", Json(json_integer(row.set_by)));
  }
  set(object, "holds", Json(json_boolean(row.set.holds_at(now))));
  return object;
}

std::string_view error_code(OverrideBookError error) {
  switch (error) {
    case OverrideBookError::kInFile:
    case OverrideBookError::kFull:
      return "usage";
    case OverrideBookError::kMissing:
      return "not-found";
    case OverrideBookError::kStore:
      return "failed";
  }
  return "failed";
}

void respond_outcome(const base::Outcome<OverrideBookError>& outcome, const Respond& respond,
                     Json reply) {
  if (outcome.ok()) {
    respond(std::move(reply));
  } else {
    respond(control_error(error_code(outcome.error().code), outcome.error().detail));
  }
}

void list_command(const OverrideCommands& commands, const ControlRequest&, const Respond& respond) {
  Json list(json_array());
  for (const OverrideRow& row : commands.overrides.list()) {
    json_array_append_new(list.get(), row_json(row, commands.clock.now()).release());
  }
  Json reply = control_ok();
  set(reply, "overrides", std::move(list));
  respond(std::move(reply));
}

std::vector<std::string> texts_of(const ControlRequest& request, const char* name) {
  std::vector<std::string> texts;
  std::size_t index = 0;
  json_t* one = nullptr;
  json_array_foreach(json_object_get(request.arguments.get(), name), index, one) {
    // Another type makes a pattern that is none, which read_override() refuses.
    texts.emplace_back(json_is_string(one) ? json_string_value(one) : "");
  }
  return texts;
}

void keep(const OverrideCommands& commands, const Override& wanted, uid_t uid,
          const Respond& respond) {
  commands.overrides.set(wanted, uid, [wanted, respond](const auto& outcome) {
    Json reply = control_ok();
    set(reply, "override", override_json(wanted));
    respond_outcome(outcome, respond, std::move(reply));
  });
}

void set_command(const OverrideCommands& commands, const ControlRequest& request,
                 const Respond& respond) {
  const auto wanted = verdict::read_override(
      OverrideText{request.text("domain").value_or(""), request.text("mode").value_or(""),
                   texts_of(request, "mx"), request.text("until").value_or(""),
                   request.text("note").value_or("")});
  if (!wanted.ok()) {
    respond(control_error("usage", wanted.error().detail));
    return;
  }
  const Override& set_now = wanted.value();
  if (!set_now.holds_at(commands.clock.now())) {
    respond(control_error("usage", "until: is past"));
    return;
  }
  if (set_now.mode != mta_sts::PolicyMode::kEnforce || !set_now.mx.empty()) {
    keep(commands, set_now, request.uid, respond);
    return;
  }
  const auto on_policy = [&commands, set_now, uid = request.uid,
                          respond](const mta_sts::PolicyAnswer& answer) {
    if (answer.policy == nullptr || answer.policy->parsed().mx.empty()) {
      respond(control_error("usage", "mode enforce without mx: " + set_now.domain +
                                         " publishes no policy with mx patterns now; say which "
                                         "hosts are right with --mx"));
      return;
    }
    keep(commands, set_now, uid, respond);
  };
  const auto domain = base::DomainName::parse(set_now.domain);
  const auto answer = commands.policies.ask(domain.value(), on_policy);
  if (answer.has_value()) on_policy(*answer);
}

void remove_command(const OverrideCommands& commands, const ControlRequest& request,
                    const Respond& respond) {
  const auto domain = base::DomainName::parse(request.text("domain").value_or(""));
  if (!domain.ok()) {
    respond(control_error("usage", "domain: " + domain.error().detail));
    return;
  }
  commands.overrides.remove(domain.value().text(), [respond](const auto& outcome) {
    respond_outcome(outcome, respond, control_ok());
  });
}

}  // namespace

void add_override_commands(ControlServer& server, const OverrideCommands& commands) {
  constexpr ControlCommand<OverrideCommands> kTable[] = {
      {"override.list", Effect::kReads, list_command},
      {"override.set", Effect::kChanges, set_command},
      {"override.remove", Effect::kChanges, remove_command},
  };
  server.add_commands(kTable, commands);
}

}  // namespace strictmx::service
