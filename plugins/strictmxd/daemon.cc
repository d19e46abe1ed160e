// daemon.cc - see daemon.h.
//
// start: sockets bound -> user changed -> store opened -> policies loaded -> accepting, READY=1
// SIGHUP: configuration read again; listeners, store.path and user need a restart
// SIGTERM, SIGINT: no more accepting -> what was read is answered -> store closed -> end
#include "plugins/strictmxd/daemon.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <utility>

#include "common/base/clock.h"
#include "common/base/config_keys.h"
#include "common/base/event_loop.h"
#include "common/base/listen_socket.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/step_clock.h"
#include "common/dane/dane_resolver.h"
#include "common/mta_sts/policy_cache.h"
#include "common/mta_sts/policy_fetch.h"
#include "common/mta_sts/policy_resolver.h"
#include "common/service/admin_http.h"
#include "common/service/control_server.h"
#include "common/service/explain_command.h"
#include "common/service/json_answers.h"
#include "common/service/metrics_text.h"
#include "common/service/override_commands.h"
#include "common/service/policy_commands.h"
#include "common/service/questions.h"
#include "common/service/report_commands.h"
#include "common/service/result_command.h"
#include "common/service/socketmap_server.h"
#include "common/store/sqlite_database.h"
#include "common/verdict/override_book.h"
#include "common/verdict/verdict_resolver.h"
#include "plugins/postfix/postfix_format.h"
#include "plugins/strictmxd/core_metrics.h"
#include "plugins/strictmxd/memory_trim.h"
#include "plugins/strictmxd/network.h"
#include "plugins/strictmxd/reports.h"
#include "plugins/strictmxd/results.h"
#include "plugins/strictmxd/settings.h"

namespace strictmx::daemon {
namespace {

using base::fail;
using base::Failure;
using base::UniqueDescriptor;

constexpr std::uint32_t kQuestionMode = 0666;  // asking changes nothing; restrict by {mode, group}
constexpr std::uint32_t kResultMode = 0666;    // a sender can write, nobody can read
constexpr std::uint32_t kControlMode = 0600;
constexpr std::chrono::seconds kTick{30};
constexpr int kTicksASweep = 120;  // an hour
constexpr std::chrono::milliseconds kShutdownCheck{20};

struct QuestionListener {
  UniqueDescriptor listening;
  service::Access access;
};

struct Listeners {
  std::vector<QuestionListener> socketmap;
  std::vector<UniqueDescriptor> results;
  UniqueDescriptor control;
  UniqueDescriptor admin;
};

Failure<StartError> start_failure(base::ListenError code, std::string detail) {
  return fail(code == base::ListenError::kInUse     ? StartError::kBusy
              : code == base::ListenError::kAddress ? StartError::kConfig
                                                    : StartError::kSystem,
              std::move(detail));
}

base::Result<Listeners, StartError> open_listeners(const base::Config& config) {
  Listeners listeners;
  auto passed = base::PassedSockets::take();
  for (const auto& setting : config.listeners("listen.socketmap")) {
    auto opened = base::open_listener(setting, kQuestionMode, passed);
    if (!opened.ok()) {
      return start_failure(opened.error().code, "listen.socketmap: " + opened.error().detail);
    }
    // Who may record is told by mode and group, which TCP has not.
    const auto access = setting.address.starts_with("unix:") ? service::Access::kAskAndRecord
                                                             : service::Access::kAsk;
    listeners.socketmap.push_back({std::move(opened).value(), access});
  }
  for (const auto& setting : config.listeners("listen.results")) {
    auto opened = base::open_datagram_socket(setting, kResultMode, passed);
    if (!opened.ok()) {
      return start_failure(opened.error().code, "listen.results: " + opened.error().detail);
    }
    listeners.results.push_back(std::move(opened).value());
  }
  auto control = base::open_listener(config.listener("listen.control"), kControlMode, passed);
  if (!control.ok()) {
    return start_failure(control.error().code, "listen.control: " + control.error().detail);
  }
  listeners.control = std::move(control).value();
  if (!config.listener("listen.admin").address.empty()) {
    auto admin = base::open_listener(config.listener("listen.admin"), kControlMode, passed);
    if (!admin.ok()) {
      return start_failure(admin.error().code, "listen.admin: " + admin.error().detail);
    }
    listeners.admin = std::move(admin).value();
  }
  for (const std::string& address : passed.left()) {
    base::log_warning("a socket passed by systemd is in no listen setting", {{"address", address}});
  }
  return listeners;
}

// The user to become, or none when not started as root or told to stay.
base::Result<std::optional<base::UserIds>, StartError> user_to_become(const base::Config& config) {
  const std::string& name = config.text("user");
  if (geteuid() != 0 || name == "root") return std::optional<base::UserIds>();
  auto found = base::find_user(name);
  if (!found.ok() && name == "_strictmx") {
    base::log_warning(
        "no user _strictmx: running as nobody; make one with "
        "'adduser --system --group _strictmx'");
    found = base::find_user("nobody");
  }
  if (!found.ok()) return fail(StartError::kConfig, "user: " + found.error().detail);
  return std::optional<base::UserIds>(std::move(found).value());
}

}  // namespace

class Daemon::Core {
 public:
  explicit Core(Options options) : options_(std::move(options)) {}

  base::Outcome<StartError> start(const base::Config& config) {
    auto settings = read_settings(config);
    if (!settings.ok()) return fail(StartError::kConfig, settings.error().detail);
    auto loop = base::EventLoop::create();
    if (!loop.ok()) return fail(StartError::kSystem, loop.error().detail);
    loop_ = std::move(loop).value();
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file at its limit is an error of the write
    umask(027);
    base::raise_open_files();
    auto listeners = open_listeners(config);
    if (!listeners.ok()) return listeners.error();
    listeners_ = std::move(listeners).value();
    admin_address_ = config.listener("listen.admin").address;
    fixed_settings_ = fixed_settings(config);
    auto became = drop_privileges(config);
    if (!became.ok()) return became;
    auto opened = open_store(config.text("store.path"));
    if (!opened.ok()) return opened;
    return make_parts(settings.value());
  }

  void run() {
    SignalWatchers signals(*this);
    cache_->load([](const base::Outcome<store::StoreError>& loaded) {
      if (!loaded.ok()) {
        base::log_error("stored policies can't be read", {{"reason", loaded.error().detail}});
      }
    });
    overrides_->load([this](const base::Outcome<store::StoreError>& loaded) {
      if (!loaded.ok()) {
        base::log_error("stored overrides can't be read", {{"reason", loaded.error().detail}});
      }
      serve();  // the policies came before
    });
    loop_->run();
    base::log_info("strictmxd has ended");
  }

 private:
  struct SignalWatchers {
    explicit SignalWatchers(Core& core)
        : hangup(*core.loop_, SIGHUP, [&core] { core.reload(); }),
          terminate(*core.loop_, SIGTERM, [&core] { core.shut_down(); }),
          interrupt(*core.loop_, SIGINT, [&core] { core.shut_down(); }) {}
    base::SignalWatch hangup;
    base::SignalWatch terminate;
    base::SignalWatch interrupt;
  };

  // What only a restart can change, for a word in the log when it was edited.
  static std::string fixed_settings(const base::Config& config) {
    std::string text = config.text("user") + '\n' + config.text("store.path") + '\n' +
                       config.listener("listen.control").address + '\n' +
                       config.listener("listen.admin").address;
    text += '\n' + std::to_string(config.integer("results.max_spool_bytes"));
    for (const char* key : {"listen.socketmap", "listen.results"}) {
      for (const auto& setting : config.listeners(key)) {
        text += fmt::format("\n{} {:o} {}", setting.address, setting.mode, setting.group);
      }
    }
    return text;
  }

  base::Outcome<StartError> drop_privileges(const base::Config& config) {
    auto user = user_to_become(config);
    if (!user.ok()) return user.error();
    if (!user.value().has_value()) {
      // An ordinary user, or told to stay root: the folder must still exist.
      const base::UserIds self{"", geteuid(), getegid()};
      auto given = base::give_store(config.text("store.path"), self);
      if (!given.ok()) return fail(StartError::kSystem, "store.path: " + given.error().detail);
      return base::done();
    }
    auto given = base::give_store(config.text("store.path"), *user.value());
    if (!given.ok()) return fail(StartError::kSystem, "store.path: " + given.error().detail);
    auto became = base::become_user(*user.value());
    if (!became.ok()) return fail(StartError::kSystem, "user: " + became.error().detail);
    return base::done();
  }

  base::Outcome<StartError> open_store(const std::string& path) {
    auto opened = store::SqliteDatabase::open(*loop_, path, [this] {
      cache_->save_all();
      overrides_->save_all();
    });
    if (!opened.ok()) {
      switch (opened.error().code) {
        case store::StoreError::kBusy:
          return fail(StartError::kBusy, opened.error().detail);
        case store::StoreError::kNewer:
          return fail(StartError::kConfig, opened.error().detail);
        case store::StoreError::kFull:
        case store::StoreError::kCorrupt:
        case store::StoreError::kSystem:
          return fail(StartError::kSystem,
                      "store.path: " + opened.error().detail +
                          " (the folder must be writable for the user that strictmxd runs as)");
      }
    }
    database_ = std::move(opened).value();
    return base::done();
  }

  base::Outcome<StartError> make_parts(const Settings& settings) {
    auto resolver = dns::UnboundResolver::create(*loop_, settings.dns);
    if (!resolver.ok()) return fail(StartError::kConfig, resolver.error().detail);
    auto client = http::HttpsClient::create(*loop_, settings.https);
    if (!client.ok()) return fail(StartError::kConfig, client.error().detail);
    resolver_ = std::make_unique<CurrentResolver>(std::move(resolver).value());
    client_ = std::make_unique<CurrentClient>(std::move(client).value());
    cache_ = std::make_unique<mta_sts::PolicyCache>(*database_, clock_, settings.max_entries,
                                                    settings.max_stored);
    fetcher_ = std::make_unique<mta_sts::PolicyFetcher>(*resolver_, *client_);
    policies_ = std::make_unique<mta_sts::PolicyResolver>(*cache_, *resolver_, *fetcher_, clock_,
                                                          settings.refresh);
    dane_ = std::make_unique<dane::DaneResolver>(*resolver_, clock_, settings.max_entries);
    overrides_ = std::make_unique<verdict::OverrideBook>(*database_, clock_);
    overrides_->set_configured(settings.overrides);
    verdicts_ = std::make_unique<verdict::VerdictResolver>(*policies_, *dane_, *overrides_, clock_);
    questions_ =
        std::make_unique<service::Questions>(*loop_, clock_, *verdicts_, settings.questions);
    add_formats(settings.has_dane_answers);
    trim_.emplace(*loop_, *policies_);
    const auto forget = [this](const std::string& domain) { questions_->forget(domain); };
    policies_->set_on_change([this](const std::string& domain) {
      questions_->forget(domain);
      trim_->note_resolution();
    });
    overrides_->set_on_change(forget);
    dane_->set_on_change([forget](const dane::NextHop& hop) { forget(hop.domain.text()); });
    resolver_->set_on_validating([this] {
      dane_->forget_all();
      questions_->forget_all();
    });
    socketmap_ = std::make_unique<service::SocketmapServer>(*loop_, clock_, *questions_,
                                                            settings.max_connections);
    control_ = std::make_unique<service::ControlServer>(*loop_, settings.control_users);
    add_commands();
    // Threads of their own look at the time: not at the StepClock, which is the loop's.
    results_ = std::make_unique<Results>(*loop_, *database_, system_clock_, settings.results);
    reports_ = std::make_unique<Reports>(*loop_, *database_, clock_, *resolver_, settings.reports);
    results_->set_on_caught_up([this] { reports_->start(); });
    reports_->reporter().set_completeness([this] { return results_->complete_until(); });
    report_commands_ = std::make_unique<service::ReportCommands>(
        service::ReportCommands{reports_->reporter(), reports_->mail_author(), clock_});
    service::add_report_commands(*control_, *report_commands_);
    service::add_result_command(*control_, results_->store());
    questions_->set_recorder([this](std::string_view text) { return results_->record(text); });
    policies_->set_on_fetch_failed([this](const mta_sts::FetchFailure& failure) {
      results_->own().note_fetch_failure(failure);
    });
    questions_->set_on_hosts_told(
        [this](const verdict::Verdict& verdict) { results_->own().note_mx_hosts(verdict); });
    dns_settings_ = settings.dns;
    clock_.set_on_step([this](const base::ClockStep& step) { on_clock_step(step); });
    return base::done();
  }

  // Runs inside clock_.now(), wherever that was called: values change in place, nothing moves but
  // the ready replies, which nobody holds over a look at the clock (questions.h).
  void on_clock_step(const base::ClockStep& step) {
    cache_->on_clock_step(step);
    questions_->forget_all();
    if (reports_ != nullptr) reports_->reporter().on_clock_step();
    // libunbound's cache has times of its own, and can't be emptied: a new one begins with none.
    loop_->post([this] {
      auto resolver = dns::UnboundResolver::create(*loop_, as_validated(dns_settings_));
      if (resolver.ok()) {
        resolver_->drop_retired();
        resolver_->replace(std::move(resolver).value());
      } else {
        base::log_error("DNS goes on with what it has cached",
                        {{"reason", resolver.error().detail}});
      }
    });
  }

  // Validation that has worked with the same name servers is not given up by starting anew.
  dns::ResolverSettings as_validated(dns::ResolverSettings wanted) const {
    wanted.has_validated = wanted.is_same_as(dns_settings_) && resolver_->current().is_validating();
    return wanted;
  }

  void add_commands() {
    policy_commands_ = std::make_unique<service::PolicyCommands>(
        service::PolicyCommands{*cache_, *policies_, *dane_, *questions_, clock_});
    service::add_policy_commands(*control_, *policy_commands_);
    override_commands_ = std::make_unique<service::OverrideCommands>(
        service::OverrideCommands{*overrides_, *policies_, clock_});
    service::add_override_commands(*control_, *override_commands_);
    explain_ = std::make_unique<service::ExplainParts>(
        service::ExplainParts{*cache_, *verdicts_, *resolver_, clock_, dialects()});
    service::add_explain_command(*control_, *explain_);
  }

  const service::AnswerFormat& plain_format() const {
    return has_dane_answers_ ? postfix_dane_ : postfix_;
  }
  const service::AnswerFormat& tlsrpt_format() const {
    return has_dane_answers_ ? postfix_tlsrpt_dane_ : postfix_tlsrpt_;
  }

  // What explain shows.
  std::vector<std::pair<std::string, const service::AnswerFormat*>> dialects() const {
    return {{"postfix", &plain_format()},
            {"postfix-tlsrpt", &tlsrpt_format()},
            {"QUERY", &postfix_dane_}};
  }

  void add_formats(bool has_dane_answers) {
    has_dane_answers_ = has_dane_answers;
    questions_->set_default_format("postfix", plain_format());
    questions_->add_format("postfix-tlsrpt", tlsrpt_format(), {"postfix-tlsrpt"});
    // Drop-in names of postfix-tlspol, which takes them in any letter case; these are as
    // documented.
    questions_->add_format("QUERY", postfix_dane_, {"QUERY", "query"});
    questions_->add_format("QUERYwithTLSRPT", postfix_tlsrpt_dane_,
                           {"QUERYwithTLSRPT", "QUERYWITHTLSRPT", "querywithtlsrpt"});
    questions_->add_format("json", json_, {"json"});
    questions_->add_format("route", route_, {"route"});
    questions_->reserve_names({"sts", "certificate", "record", "sendmail-event"});
  }

  void serve() {
    for (auto& [listening, access] : listeners_.socketmap) {
      socketmap_->add_listener(std::move(listening), access);
    }
    results_->start(std::move(listeners_.results));
    control_->add_listener(std::move(listeners_.control));
    if (listeners_.admin) {
      admin_ = std::make_unique<service::AdminHttp>(
          *loop_, std::move(listeners_.admin), admin_address_, [this] { return metrics(); },
          [this] { return health(); });
    }
    tick_.emplace(*loop_, [this] { tick(); });
    tick_->start(kTick);
    base::notify_systemd("READY=1");
    base::log_info("strictmxd is ready", {{"policies", std::to_string(cache_->size())},
                                          {"uid", std::to_string(geteuid())}});
  }

  void tick() {
    resolver_->drop_retired();
    client_->drop_retired();
    cache_->retry_store();
    overrides_->end_due();
    policies_->refresh_due();
    results_->tick();
    reports_->tick();
    if (++ticks_ % kTicksASweep == 0) {
      policies_->sweep();
      dane_->sweep();
      questions_->sweep();
    }
    tick_->start(kTick);
  }

  void reload() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    base::notify_systemd(
        fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1000000LL + now.tv_nsec / 1000));
    auto outcome = apply_reload();
    if (outcome.ok()) {
      base::log_info("configuration was read again");
    } else {
      base::log_error("configuration was not taken over, the old one stays",
                      {{"reason", outcome.error().detail}});
    }
    base::notify_systemd("READY=1");
  }

  base::Outcome<StartError> apply_reload() {
    auto config = base::Config::load(base::config_keys(), options_.config_path, options_.sets);
    if (!config.ok()) return fail(StartError::kConfig, config.error().detail);
    auto settings = read_settings(config.value());
    if (!settings.ok()) return fail(StartError::kConfig, settings.error().detail);
    auto resolver = dns::UnboundResolver::create(*loop_, as_validated(settings.value().dns));
    if (!resolver.ok()) return fail(StartError::kConfig, resolver.error().detail);
    auto client = http::HttpsClient::create(*loop_, settings.value().https);
    if (!client.ok()) return fail(StartError::kConfig, client.error().detail);
    auto logging = base::log_open("strictmxd", config.value().text("log.level"),
                                  config.value().text("log.target"));
    if (!logging.ok()) return fail(StartError::kConfig, logging.error().detail);
    auto reports = reports_->apply(settings.value().reports);
    if (!reports.ok()) return fail(StartError::kConfig, reports.error().detail);
    resolver_->replace(std::move(resolver).value());
    dns_settings_ = settings.value().dns;
    client_->replace(std::move(client).value());
    cache_->set_max_entries(settings.value().max_entries);
    cache_->set_max_stored(settings.value().max_stored);
    dane_->set_max_entries(settings.value().max_entries);
    overrides_->set_configured(settings.value().overrides);
    has_dane_answers_ = settings.value().has_dane_answers;
    questions_->replace_format("postfix", plain_format());
    questions_->replace_format("postfix-tlsrpt", tlsrpt_format());
    explain_->dialects = dialects();
    policies_->set_settings(settings.value().refresh);
    questions_->set_settings(settings.value().questions);
    socketmap_->set_max_connections(settings.value().max_connections);
    control_->set_allowed(settings.value().control_users);
    results_->set_keep(settings.value().results.keep);
    if (fixed_settings(config.value()) != fixed_settings_) {
      base::log_warning(
          "listen, store.path, results.max_spool_bytes and user take effect with a restart");
    }
    return base::done();
  }

  void shut_down() {
    if (shutdown_.has_value()) return;
    base::notify_systemd("STOPPING=1");
    base::log_info("strictmxd ends: no more connections are taken");
    socketmap_->stop_accepting();
    control_->stop_accepting();
    results_->stop_receiving();
    reports_->stop();
    shutdown_deadline_ = clock_.steady() + kShutdownWait;
    shutdown_.emplace(*loop_, [this] { end_when_idle(); });
    end_when_idle();
  }

  void end_when_idle() {
    const bool is_idle = socketmap_->is_idle() && results_->is_idle() && reports_->is_idle();
    if (is_idle || clock_.steady() >= shutdown_deadline_) {
      loop_->stop();
      return;
    }
    shutdown_->start(kShutdownCheck);
  }

  service::Health health() const {
    service::Health health;
    if (cache_->is_store_failing()) {
      health.is_well = false;
      health.text =
          fmt::format("store can't be written, {} policies are in memory only", cache_->unsaved());
      return health;
    }
    health.text = results_->trouble();
    health.is_well = health.text.empty();
    if (!health.is_well) return health;
    health.text = "ok";
    return health;
  }

  std::string metrics() const {
    service::MetricsText out;
    questions_->write_metrics(out);
    socketmap_->write_metrics(out);
    control_->write_metrics(out);
    write_policy_metrics(out, policies_->counters(), policies_->jobs(), *cache_, clock_.steps());
    write_dane_metrics(out, *dane_, overrides_->size());
    write_network_metrics(out, resolver_->current(), client_->current().counters());
    write_store_metrics(out, *database_, cache_->unsaved());
    results_->write_metrics(out);
    reports_->write_metrics(out);
    return out.text();
  }

  const Options options_;
  const base::SystemClock system_clock_;
  base::StepClock clock_{system_clock_};
  const postfix::PostfixFormat postfix_{postfix::Attributes::kPlain, postfix::DaneAnswers::kOff};
  const postfix::PostfixFormat postfix_dane_{postfix::Attributes::kPlain,
                                             postfix::DaneAnswers::kOn};
  const postfix::PostfixFormat postfix_tlsrpt_{postfix::Attributes::kTlsrpt,
                                               postfix::DaneAnswers::kOff};
  const postfix::PostfixFormat postfix_tlsrpt_dane_{postfix::Attributes::kTlsrpt,
                                                    postfix::DaneAnswers::kOn};
  const service::JsonFormat json_;
  const service::RouteFormat route_;
  // In the order of dependency: what is below borrows from what is above.
  std::unique_ptr<base::EventLoop> loop_;
  Listeners listeners_;
  std::string admin_address_;
  std::string fixed_settings_;
  dns::ResolverSettings dns_settings_;
  std::unique_ptr<store::SqliteDatabase> database_;
  std::unique_ptr<CurrentResolver> resolver_;
  std::unique_ptr<CurrentClient> client_;
  std::unique_ptr<mta_sts::PolicyCache> cache_;
  std::unique_ptr<mta_sts::PolicyFetcher> fetcher_;
  std::unique_ptr<mta_sts::PolicyResolver> policies_;
  std::unique_ptr<dane::DaneResolver> dane_;
  std::unique_ptr<verdict::OverrideBook> overrides_;
  std::unique_ptr<verdict::VerdictResolver> verdicts_;
  std::unique_ptr<service::Questions> questions_;
  std::unique_ptr<service::SocketmapServer> socketmap_;
  std::unique_ptr<service::PolicyCommands> policy_commands_;
  std::unique_ptr<service::OverrideCommands> override_commands_;
  std::unique_ptr<service::ExplainParts> explain_;
  std::unique_ptr<service::ControlServer> control_;
  std::unique_ptr<Results> results_;
  std::unique_ptr<Reports> reports_;
  std::unique_ptr<service::ReportCommands> report_commands_;
  std::unique_ptr<service::AdminHttp> admin_;
  std::optional<MemoryTrim> trim_;
  std::optional<base::Timer> tick_;
  std::optional<base::Timer> shutdown_;
  base::SteadyTime shutdown_deadline_{};
  bool has_dane_answers_ = false;  // postfix.dane
  int ticks_ = 0;
};

Daemon::Daemon(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Daemon::~Daemon() = default;

base::Result<std::unique_ptr<Daemon>, StartError> Daemon::create(const Options& options,
                                                                 const base::Config& config) {
  auto core = std::make_unique<Core>(options);
  auto started = core->start(config);
  if (!started.ok()) return started.error();
  return std::unique_ptr<Daemon>(new Daemon(std::move(core)));
}

void Daemon::run() { core_->run(); }

}  // namespace strictmx::daemon
