// fake_world.h - the core from Questions down, over a made-up network, store and clock.
//
// Use: publish() policies, ask() questions, pending.deliver() to let answers come.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/event_loop.h"
#include "common/base/netstring.h"
#include "common/base/step_clock.h"
#include "common/mta_sts/policy_cache.h"
#include "common/mta_sts/policy_fetch.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/service/json_answers.h"
#include "common/service/questions.h"
#include "common/verdict/verdict_resolver.h"
#include "plugins/postfix/postfix_format.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_database.h"
#include "tests/fakes/fake_network.h"

namespace strictmx::fakes {

struct FakeWorld {
  FakeWorld() {
    questions.set_default_format("postfix", postfix);
    questions.add_format("postfix-tlsrpt", postfix_tlsrpt, {"postfix-tlsrpt"});
    questions.add_format("QUERY", postfix_dane, {"QUERY"});
    questions.add_format("QUERYwithTLSRPT", postfix_tlsrpt_dane, {"QUERYwithTLSRPT"});
    questions.add_format("json", json, {"json"});
    questions.add_format("route", route, {"route"});
    questions.reserve_names({"sts", "record"});
    steps.set_on_step([this](const base::ClockStep& step) {
      cache.on_clock_step(step);
      questions.forget_all();
    });
    policies.set_on_change([this](const std::string& domain) { questions.forget(domain); });
    overrides.set_on_change([this](const std::string& domain) { questions.forget(domain); });
    dane.set_on_change([this](const dane::NextHop& hop) { questions.forget(hop.domain.text()); });
  }

  void publish(const std::string& domain, const std::string& body, const std::string& id = "1") {
    resolver.set_txt("_mta-sts." + domain, {"v=STSv1; id=" + id + ";"});
    resolver.set_address("mta-sts." + domain);
    client.set_policy(domain, body);
  }

  // The reply without its frame; none while the question waits.
  std::optional<std::string> ask(std::string_view request) {
    auto reply = std::make_shared<std::optional<std::string>>();
    const std::string* ready = questions.find_ready(request, steps.now());
    if (ready != nullptr) return unframed(*ready);
    questions.ask(request,
                  [reply](std::string_view framed) { *reply = std::string(unframed(framed)); });
    pending.deliver();
    return *reply;
  }

  static std::string unframed(std::string_view framed) {
    const auto frame = base::parse_netstring(framed, service::kMaxReplyBytes + 1000);
    if (frame.state != base::NetstringState::kComplete || frame.consumed != framed.size()) {
      return "not one netstring";
    }
    return std::string(frame.payload);
  }

  Pending pending;
  FakeClock clock;
  base::StepClock steps{clock};  // what the daemon's parts ask
  FakeResolver resolver{pending};
  FakeHttpClient client{pending};
  FakeDatabase database{pending};
  std::unique_ptr<base::EventLoop> loop = std::move(base::EventLoop::create()).value();
  mta_sts::PolicyFetcher fetcher{resolver, client};
  mta_sts::PolicyCache cache{database, steps, 1000};
  mta_sts::PolicyResolver policies{cache, resolver, fetcher, steps, {}};
  dane::DaneResolver dane{resolver, steps, 1000};
  verdict::OverrideBook overrides{database, steps};
  verdict::VerdictResolver verdicts{policies, dane, overrides, steps};
  postfix::PostfixFormat postfix{postfix::Attributes::kPlain, postfix::DaneAnswers::kOff};
  postfix::PostfixFormat postfix_tlsrpt{postfix::Attributes::kTlsrpt, postfix::DaneAnswers::kOff};
  postfix::PostfixFormat postfix_dane{postfix::Attributes::kPlain, postfix::DaneAnswers::kOn};
  postfix::PostfixFormat postfix_tlsrpt_dane{postfix::Attributes::kTlsrpt,
                                             postfix::DaneAnswers::kOn};
  service::JsonFormat json;
  service::RouteFormat route;
  service::Questions questions{*loop, steps, verdicts, {}};
};

}  // namespace strictmx::fakes
