// explain_command.cc - see explain_command.h.
#include "common/service/explain_command.h"

#include <jansson.h>

#include <memory>
#include <optional>
#include <utility>

#include "common/mta_sts/record.h"
#include "common/service/policy_json.h"
#include "common/service/question_key.h"
#include "common/service/reply_json.h"
#include "common/tlsrpt/record.h"
#include "common/verdict/changes.h"
#include "common/verdict/mx_list.h"

namespace strictmx::service {
namespace {

using dane::NextHop;
using verdict::Scope;
using verdict::Verdict;

class Explanation : public std::enable_shared_from_this<Explanation> {
 public:
  Explanation(const ExplainParts& parts, NextHop next_hop, Respond respond)
      : parts_(parts), next_hop_(std::move(next_hop)), respond_(std::move(respond)) {}

  void start() {
    const auto self = shared_from_this();
    const base::DomainName& domain = next_hop_.domain;
    parts_.resolver.txt(domain.with_prefix("_mta-sts."), [self](const auto& found) {
      self->add_record(found);
      self->one_done();
    });
    parts_.resolver.txt(domain.with_prefix("_smtp._tls."), [self](const auto& found) {
      self->add_tlsrpt(found);
      self->one_done();
    });
    ask(Scope::kSts, without_dane_);
    ask(Scope::kHosts, verdict_);
    parts_.verdicts.ask_without_override(next_hop_, [self](const Verdict& verdict) {
      self->without_override_ = verdict;
      self->one_done();
    });
  }

 private:
  void ask(Scope scope, std::optional<Verdict>& target) {
    const auto on_verdict = [self = shared_from_this(), &target](const Verdict& verdict) {
      target = verdict;
      self->one_done();
    };
    const auto verdict = parts_.verdicts.ask(next_hop_, scope, on_verdict);
    if (verdict.has_value()) on_verdict(*verdict);
  }

  static Json looked_up(const std::string& name, const dns::DnsResult<std::string>& found) {
    Json object(json_object());
    set(object, "name", text_json(name));
    if (found.ok()) {
      set(object, "texts", texts_json(found.value().records));
      set(object, "dnssec", text_json(found.value().is_secure ? "secure" : "insecure"));
    } else {
      set(object, "error", text_json("DNS: " + found.error().detail));
      set(object, "dnssec",
          text_json(found.error().code == dns::DnsError::kBogus ? "bogus" : "failed"));
    }
    return object;
  }

  void add_record(const dns::DnsResult<std::string>& found) {
    Json object = looked_up(next_hop_.domain.with_prefix("_mta-sts."), found);
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
    Json object = looked_up(next_hop_.domain.with_prefix("_smtp._tls."), found);
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
    add_decision();
    add_answers();
    respond_(std::move(reply_));
  }

  void add_mx() {
    const verdict::MxList list = verdict::mx_list(*verdict_);
    Json object(json_object());
    set(object, "hosts", mx_json(list));
    set(object, "dnssec", text_json(dane::mx_state_name(verdict_->dane->mx_state)));
    set(object, "implicit_mx", Json(json_boolean(list.is_implicit)));
    set(object, "null_mx", Json(json_boolean(list.is_null)));
    if (!list.error.empty()) set(object, "error", text_json(list.error));
    set(reply_, "mx", std::move(object));
  }

  void add_decision() {
    const std::string& name = next_hop_.domain.text();
    set(reply_, "domain", text_json(next_hop_.text()));
    const mta_sts::Entry* entry = parts_.cache.find(name);
    if (entry != nullptr && entry->policy != nullptr) {
      Json policy = policy_json(name, *entry->policy, parts_.clock.now());
      set(policy, "lines", texts_json(entry->policy->parsed().lines));
      set(reply_, "policy", std::move(policy));
    }
    set(reply_, "verdict", verdict_json(*verdict_));
    set(reply_, "rule", text_json(verdict::rule_sentence(verdict_->rule)));
    if (without_dane_->rule != verdict_->rule) {
      set(reply_, "rule_without_dane", text_json(verdict::rule_sentence(without_dane_->rule)));
    }
    if (verdict_->override_in_force.has_value()) {
      Json other(json_object());
      set(other, "verdict", verdict_json(*without_override_));
      set(other, "rule", text_json(verdict::rule_sentence(without_override_->rule)));
      set(reply_, "without_override", std::move(other));
    }
    set(reply_, "changes", texts_json(verdict::what_would_change(*verdict_)));
  }

  void add_answers() {
    Json answers(json_object());
    for (const auto& [map, format] : parts_.dialects) {
      std::string text;
      append_answer(*format, format->scope() == Scope::kSts ? *without_dane_ : *verdict_, text);
      set(answers, map.c_str(), text_json(text));
    }
    set(reply_, "answers", std::move(answers));
    set_time(reply_, "answers_until", verdict_->valid_until);
  }

  const ExplainParts& parts_;
  const NextHop next_hop_;
  Respond respond_;
  Json reply_ = control_ok();
  std::optional<Verdict> verdict_;
  std::optional<Verdict> without_dane_;
  std::optional<Verdict> without_override_;
  int missing_ = 5;
};

}  // namespace

void add_explain_command(ControlServer& server, const ExplainParts& parts) {
  server.add_command("explain", Effect::kReads,
                     [&parts](const ControlRequest& request, const Respond& respond) {
                       const auto text = request.text("domain");
                       auto key = text.has_value() ? read_question_key(*text) : std::nullopt;
                       if (!key.has_value()) {
                         respond(control_error("usage", "not the name of a mail domain"));
                         return;
                       }
                       std::make_shared<Explanation>(parts, *key, respond)->start();
                     });
}

}  // namespace strictmx::service
