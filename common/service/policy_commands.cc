// policy_commands.cc - see policy_commands.h.
#include "common/service/policy_commands.h"

#include <jansson.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "common/base/domain_name.h"
#include "common/mta_sts/record.h"
#include "common/tlsrpt/record.h"

namespace strictmx::service {
namespace {

using base::DomainName;
using mta_sts::CachedPolicy;
using verdict::Verdict;

// A domain has a handful of TXT records at these names, a policy at most kMaxMxPatterns; more are a
// flood and are not shown.
constexpr std::size_t kMaxTextsShown = mta_sts::kMaxMxPatterns;

void set(const Json& object, const char* name, Json value) {
  json_object_set_new(object.get(), name, value.release());
}

void set_time(const Json& object, const char* name, base::WallTime time) {
  set(object, name, text_json(base::format_utc(time)));
}

Json texts_json(const std::vector<std::string>& texts) {
  Json list(json_array());
  for (const std::string& text : texts) {
    if (json_array_size(list.get()) >= kMaxTextsShown) break;
    json_array_append_new(list.get(), text_json(text).release());
  }
  return list;
}

Json policy_json(const std::string& domain, const CachedPolicy& policy, base::WallTime now) {
  const mta_sts::Policy parsed = policy.parsed();
  Json object(json_object());
  set(object, "domain", text_json(domain));
  set(object, "mode", text_json(mta_sts::policy_mode_name(policy.mode)));
  set(object, "id", text_json(policy.id));
  set(object, "mx", texts_json(parsed.mx));
  set(object, "max_age", Json(json_integer(parsed.max_age.count())));
  set_time(object, "fetched", policy.fetched);
  set_time(object, "expires", policy.expires);
  set_time(object, "refresh_at", policy.refresh_at);
  set(object, "live", Json(json_boolean(policy.is_live(now))));
  return object;
}

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
  commands.policies.refresh(*domain, [domain = *domain, respond](const mta_sts::PolicyAnswer& now) {
    Json reply = control_ok();
    set(reply, "verdict", verdict_json(verdict::decide(domain, now)));
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
    commands.cache.forget_all(on_done);
    return;
  }
  const auto domain = domain_of(request, respond);
  if (!domain.has_value()) return;
  commands.questions.forget(domain->text());
  commands.cache.forget(domain->text(), on_done);
}

// {"ok", "domain", "record": {"name", "texts", "id"|"error"}, "policy": as policies.show | absent,
//  "mx": {"hosts", "implicit_mx", "null_mx", "error"}, "tlsrpt": {"name", "texts", "rua"|"error"},
//  "verdict", "rule", "answers": {map: reply}, "answers_until"}
class Explanation : public std::enable_shared_from_this<Explanation> {
 public:
  Explanation(const PolicyCommands& commands, QuestionKey key, Respond respond)
      : commands_(commands), key_(std::move(key)), respond_(std::move(respond)) {}

  void start() {
    const auto self = shared_from_this();
    const DomainName& domain = key_.domain;
    commands_.resolver.txt(domain.with_prefix("_mta-sts."), [self](const auto& found) {
      self->add_record(found);
      self->one_done();
    });
    commands_.resolver.txt(domain.with_prefix("_smtp._tls."), [self](const auto& found) {
      self->add_tlsrpt(found);
      self->one_done();
    });
    commands_.resolver.mx(domain.text(), [self](const auto& found) {
      self->mx_ = found;
      self->one_done();
    });
    const auto on_verdict = [self](const Verdict& verdict) {
      self->verdict_ = verdict;
      self->one_done();
    };
    const auto verdict = commands_.verdicts.ask(domain, on_verdict);
    if (verdict.has_value()) on_verdict(*verdict);
  }

 private:
  static Json looked_up(const std::string& name, const dns::DnsResult<std::string>& found) {
    Json object(json_object());
    set(object, "name", text_json(name));
    if (found.ok()) {
      set(object, "texts", texts_json(found.value().records));
    } else {
      set(object, "error", text_json("DNS: " + found.error().detail));
    }
    return object;
  }

  void add_record(const dns::DnsResult<std::string>& found) {
    Json object = looked_up(key_.domain.with_prefix("_mta-sts."), found);
    if (found.ok()) {
      const auto record = mta_sts::find_record(found.value().records);
      if (!record.ok()) {
        set(object, "error", text_json(record.error().detail));
      } else if (record.value().has_value()) {
        set(object, "id", text_json(record.value()->id));
      }
    }
    set(reply_, "record", std::move(object));
  }

  void add_tlsrpt(const dns::DnsResult<std::string>& found) {
    Json object = looked_up(key_.domain.with_prefix("_smtp._tls."), found);
    if (found.ok()) {
      const auto record = tlsrpt::find_record(found.value().records);
      if (!record.ok()) {
        set(object, "error", text_json(record.error().detail));
      } else if (record.value().has_value()) {
        set(object, "rua", texts_json(record.value()->rua));
      }
    }
    set(reply_, "tlsrpt", std::move(object));
  }

  void one_done() {
    if (--missing_ > 0) return;
    add_mx();
    add_answers();
    respond_(std::move(reply_));
  }

  void add_mx() {
    MxList list = mx_list(*verdict_, key_, *mx_);
    Json object(json_object());
    set(object, "hosts", mx_json(list));
    set(object, "implicit_mx", Json(json_boolean(list.is_implicit)));
    set(object, "null_mx", Json(json_boolean(list.is_null)));
    if (!list.error.empty()) set(object, "error", text_json(list.error));
    set(reply_, "mx", std::move(object));
  }

  void add_answers() {
    const std::string& name = key_.domain.text();
    set(reply_, "domain", text_json(name));
    const mta_sts::Entry* entry = commands_.cache.find(name);
    if (entry != nullptr && entry->policy != nullptr) {
      Json policy = policy_json(name, *entry->policy, commands_.clock.now());
      set(policy, "lines", texts_json(entry->policy->parsed().lines));
      set(reply_, "policy", std::move(policy));
    }
    set(reply_, "verdict", verdict_json(*verdict_));
    set(reply_, "rule", text_json(verdict::rule_sentence(verdict_->rule)));
    Json answers(json_object());
    for (const auto& [map, format] : commands_.dialects) {
      std::string text;
      format->format(*verdict_, nullptr, text);
      set(answers, map.c_str(), text_json(text));
    }
    set(reply_, "answers", std::move(answers));
    set_time(reply_, "answers_until", verdict_->valid_until);
  }

  const PolicyCommands& commands_;
  const QuestionKey key_;
  Respond respond_;
  Json reply_ = control_ok();
  std::optional<Verdict> verdict_;
  std::optional<dns::DnsResult<dns::MxRecord>> mx_;
  int missing_ = 4;
};

void explain_command(const PolicyCommands& commands, const ControlRequest& request,
                     const Respond& respond) {
  const auto text = request.text("domain");
  const auto key = text.has_value() ? read_question_key(*text) : std::nullopt;
  if (!key.has_value()) {
    respond(control_error("usage", "not the name of a mail domain"));
    return;
  }
  std::make_shared<Explanation>(commands, *key, respond)->start();
}

}  // namespace

void add_policy_commands(ControlServer& server, const PolicyCommands& commands) {
  using Function = void (*)(const PolicyCommands&, const ControlRequest&, const Respond&);
  struct Row {
    const char* name;
    Effect effect;
    Function function;
  };
  constexpr Row kRows[] = {
      {"policies.list", Effect::kReads, list_command},
      {"policies.show", Effect::kReads, show_command},
      {"policies.refresh", Effect::kChanges, refresh_command},
      {"policies.purge", Effect::kChanges, purge_command},
      {"explain", Effect::kReads, explain_command},
  };
  for (const Row& row : kRows) {
    server.add_command(row.name, row.effect,
                       [&commands, function = row.function](const ControlRequest& request,
                                                            const Respond& respond) {
                         function(commands, request, respond);
                       });
  }
}

}  // namespace strictmx::service
