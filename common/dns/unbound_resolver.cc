// unbound_resolver.cc - see unbound_resolver.h. The only user of libunbound.
//
// Order of events of one question:
//   ask -> [queued while the self-test runs or too many are open] -> ub_resolve_event
//       -> answered | deadline (ub_cancel; libunbound drops the rest by itself) -> callback
// Self-test (dns.dnssec = "auto"): the SOA of the trust anchor's zone is asked for with validation.
//   secure: validate from now on. Anything else: warn, and test again after kFirstRetest, then
//   after twice as long each time, up to kLongestRetest; validate all the same if it has worked
//   before.
#include "common/dns/unbound_resolver.h"

#include <unbound-event.h>
#include <unbound.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <optional>
#include <span>
#include <sstream>
#include <unordered_set>
#include <utility>

#include "common/base/log.h"
#include "common/dns/message.h"

namespace strictmx::dns {
namespace {

using base::fail;

constexpr int kClassIn = 1;
constexpr int kNoError = 0;  // rcodes, RFC 1035 §4.1.1
constexpr int kNxDomain = 3;
constexpr const char* kResolvConf = "/etc/resolv.conf";
constexpr const char* kAbsent = "absent";
// A changed resolv.conf is noticed within this time.
constexpr std::chrono::seconds kResolvConfCheck{5};
// A resolv.conf is some hundred bytes.
constexpr std::size_t kMaxResolvConf = 64 * 1024;
// Questions are held back this long at most while the first self-test runs.
constexpr std::chrono::seconds kSelfTestTimeout{3};
// A network that is down at start comes up within seconds, and until then DANE protects nobody;
// name servers that strip signatures are seldom mended.
constexpr std::chrono::seconds kFirstRetest{10};
constexpr std::chrono::seconds kLongestRetest{300};
// Longest name as text without the final dot (RFC 1035 §2.3.4).
constexpr std::size_t kMaxQuestionName = 253;

// Option names and values of unbound.conf(5).
constexpr std::pair<const char*, const char*> kOptions[] = {
    {"do-not-query-localhost:", "no"},    // the usual resolver is 127.0.0.1
    {"infra-keep-probing:", "yes"},       // a dead forwarder must not stay dead for 15 minutes
    {"outgoing-range:", "1024"},          // more wait in line inside libunbound
    {"num-queries-per-thread:", "4096"},  // above kMaxOpenQuestions: we do the queueing
    {"msg-cache-size:", "512k"},         {"msg-cache-slabs:", "1"},
    {"rrset-cache-size:", "1m"},         {"rrset-cache-slabs:", "1"},
    {"key-cache-size:", "256k"},         {"key-cache-slabs:", "1"},
    {"neg-cache-size:", "128k"},         {"infra-cache-slabs:", "1"},
    {"infra-cache-numhosts:", "2000"},   {"cache-max-ttl:", "3600"},
    {"cache-max-negative-ttl:", "3600"}, {"edns-buffer-size:", "1232"},
};

struct ContextFree {
  void operator()(ub_ctx* context) const { ub_ctx_delete(context); }
};

// One libunbound context. It can't change its settings after the first question, so a change of
// resolv.conf makes a new one; the old one goes when its last question is answered.
struct Context {
  std::unique_ptr<ub_ctx, ContextFree> handle;
};

// The owner name of the first record in a trust anchor file.
std::string anchor_zone(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string owner;
    if (words >> owner && owner.front() != ';') return owner;
  }
  return ".";
}

// What the file says: DHCP clients write the same text again and again.
std::string resolv_conf_stamp() {
  std::ifstream file(kResolvConf);
  if (!file) return kAbsent;
  std::string text(kMaxResolvConf, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

struct WireAnswer {
  Message message;
  bool is_secure = false;
};
using WireResult = base::Result<WireAnswer, DnsError>;
using WireCallback = std::function<void(WireResult)>;

template <class R>
DnsResult<R> typed(WireResult wire, std::vector<R> Message::*records) {
  if (!wire.ok()) return wire.error();
  WireAnswer& answer = wire.value();
  return DnsAnswer<R>{std::move(answer.message.*records), std::chrono::seconds(answer.message.ttl),
                      answer.message.rcode != kNxDomain, answer.is_secure,
                      std::move(answer.message.alias_target)};
}

}  // namespace

const char* dns_error_name(DnsError error) {
  switch (error) {
    case DnsError::kTimeout:
      return "timeout";
    case DnsError::kServerFailure:
      return "server-failure";
    case DnsError::kBogus:
      return "bogus";
    case DnsError::kMalformed:
      return "malformed";
    case DnsError::kName:
      return "name";
  }
  return "unknown";
}

class UnboundResolver::Core {
 public:
  Core(base::EventLoop& loop, ResolverSettings settings)
      : loop_(loop), settings_(std::move(settings)), retest_(loop, [this] { retest(); }) {}

  ~Core() {
    *is_alive_ = false;
    // The contexts first: should one still call back, its questions must be there.
    for (Question* question : open_) question->context.reset();
    validating_.reset();
    plain_.reset();
    old_contexts_.clear();
    for (Question* question : open_) delete question;
  }

  base::Outcome<SetupError> start() {
    stamp_ = resolv_conf_stamp();
    return make_contexts();
  }

  void ask(const std::string& name, RecordType type, WireCallback callback) {
    follow_resolv_conf();
    auto question = std::make_unique<Question>(*this, name, type, std::move(callback));
    if (name.empty() || name.size() > kMaxQuestionName) {
      finish_soon(std::move(question), fail(DnsError::kName, "name can't be asked for"));
      return;
    }
    if (!is_held_ && open_.size() < kMaxOpenQuestions) {
      send(std::move(question));
      return;
    }
    if (queue_.size() >= kMaxQueuedQuestions) {
      ++counters_.queue_refused;
      finish_soon(std::move(question),
                  fail(DnsError::kServerFailure, "too many DNS questions wait"));
      return;
    }
    ++counters_.queue_waits;
    question->has_deadline = true;
    question->deadline.start(settings_.timeout);
    queue_.push_back(std::move(question));
  }

  const ResolverCounters& counters() const { return counters_; }
  std::size_t open_questions() const { return open_.size() + queue_.size() + posted_; }
  bool is_validating() const { return validates_; }
  void set_on_validating(std::function<void()> on_validating) {
    on_validating_ = std::move(on_validating);
  }
  const std::shared_ptr<bool>& is_alive() const { return is_alive_; }
  base::EventLoop& loop() { return loop_; }

 private:
  struct Question {
    Question(Core& owner, std::string asked, RecordType asked_type, WireCallback on_done)
        : core(owner),
          name(std::move(asked)),
          type(asked_type),
          callback(std::move(on_done)),
          deadline(owner.loop_, [this] { core.give_up(this); }) {}
    Core& core;
    std::string name;
    RecordType type;
    WireCallback callback;
    base::Timer deadline;
    bool has_deadline = false;  // its time began in the queue
    std::shared_ptr<Context> context;
    int id = 0;
    // Set while inside ub_resolve_event, which may call back at once.
    bool* finished_in_send = nullptr;
  };

  base::Result<std::shared_ptr<Context>, SetupError> make_context(bool validates) {
    auto context = std::make_shared<Context>();
    context->handle.reset(ub_ctx_create_event(loop_.native()));
    ub_ctx* handle = context->handle.get();
    if (handle == nullptr) return fail(SetupError::kSetting, "libunbound can't start");
    for (const auto& [option, value] : kOptions) {
      const int code = ub_ctx_set_option(handle, option, value);
      if (code != 0) return setting_failure(option, code);
    }
    int code =
        ub_ctx_set_option(handle, "module-config:", validates ? "validator iterator" : "iterator");
    if (code != 0) return setting_failure("module-config", code);
    if (validates) {
      code = ub_ctx_add_ta_file(handle, settings_.trust_anchor_file.c_str());
      if (code != 0) return setting_failure(settings_.trust_anchor_file, code);
    }
    if (settings_.mode == ResolverMode::kSystem) {
      // Without the file, the C library's resolver asks this host; so do we (resolv.conf(5)).
      code = stamp_ == kAbsent ? ub_ctx_set_fwd(handle, "127.0.0.1")
                               : ub_ctx_resolvconf(handle, kResolvConf);
      if (code != 0) return setting_failure(kResolvConf, code);
    }
    if (settings_.mode == ResolverMode::kForward) {
      for (const std::string& server : settings_.resolvers) {
        const std::string target = server + "@" + std::to_string(settings_.port);
        code = ub_ctx_set_fwd(handle, target.c_str());
        if (code != 0) return setting_failure("dns.resolvers: " + server, code);
      }
    }
    // libunbound would answer NXDOMAIN for test. by itself (RFC 6761 leaves that to the site).
    code = ub_ctx_zone_add(handle, "test.", "nodefault");
    if (code != 0) return setting_failure("test.", code);
    return context;
  }

  static base::Failure<SetupError> setting_failure(const std::string& what, int code) {
    return fail(SetupError::kSetting, what + ": " + ub_strerror(code));
  }

  // Whatever fails here leaves the contexts that there are as they are.
  base::Outcome<SetupError> make_contexts() {
    std::shared_ptr<Context> validating;
    std::shared_ptr<Context> plain;
    if (settings_.dnssec != DnssecMode::kOff) {
      const bool has_anchor = std::ifstream(settings_.trust_anchor_file).good();
      if (!has_anchor && settings_.dnssec == DnssecMode::kRequire) {
        return fail(SetupError::kSetting, "dns.dnssec = \"require\" needs a readable " +
                                              settings_.trust_anchor_file +
                                              " (Debian package dns-root-data)");
      }
      if (!has_anchor) {
        base::log_warning("DNSSEC is not validated: no trust anchor",
                          {{"file", settings_.trust_anchor_file}});
      } else {
        auto made = make_context(true);
        if (!made.ok()) return made.error();
        validating = std::move(made).value();
      }
    }
    if (settings_.dnssec != DnssecMode::kRequire) {
      auto made = make_context(false);
      if (!made.ok()) return made.error();
      plain = std::move(made).value();
    }
    retire(std::exchange(validating_, std::move(validating)));
    retire(std::exchange(plain_, std::move(plain)));
    has_validated_ = std::exchange(settings_.has_validated, false);
    has_validated_ = has_validated_ && validating_ != nullptr;
    validates_ = settings_.dnssec == DnssecMode::kRequire || has_validated_;
    is_held_ = validating_ != nullptr && !validates_;
    retest_.stop();
    next_retest_ = kFirstRetest;
    if (settings_.dnssec == DnssecMode::kAuto) start_self_test();
    return base::done();
  }

  // ub_ctx_delete must not run inside a callback of the same context.
  void retire(std::shared_ptr<Context> context) {
    if (context == nullptr) return;
    old_contexts_.push_back(std::move(context));
    drop_old_contexts_soon();
  }

  void drop_old_contexts_soon() {
    loop_.post([this, alive = is_alive_] {
      if (*alive)
        std::erase_if(old_contexts_, [](const auto& old) { return old.use_count() == 1; });
    });
  }

  void follow_resolv_conf() {
    if (settings_.mode != ResolverMode::kSystem) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - stamp_checked_ < kResolvConfCheck) return;
    stamp_checked_ = now;
    std::string stamp = resolv_conf_stamp();
    if (stamp == stamp_) return;
    stamp_ = std::move(stamp);
    base::log_info("resolv.conf has changed, it is read again");
    auto made = make_contexts();
    if (!made.ok()) {
      base::log_error("name servers can't be set", {{"reason", made.error().detail}});
    }
  }

  // What a context has learned of name servers that were down, and of keys that did not come, it
  // believes for a minute and more: each retest begins with a new one. Nobody else uses it.
  void retest() {
    if (validating_ == nullptr) return;
    auto made = make_context(true);
    if (made.ok()) retire(std::exchange(validating_, std::move(made).value()));
    start_self_test();
  }

  void start_self_test() {
    if (validating_ == nullptr) return;
    const std::string zone = anchor_zone(settings_.trust_anchor_file);
    auto question = std::make_unique<Question>(
        *this, zone, RecordType::kSoa,
        [this, zone, tested = validating_.get()](const WireResult& result) {
          // Of other name servers than those in use now: says nothing.
          if (tested == validating_.get()) end_self_test(zone, result);
        });
    question->context = validating_;
    send(std::move(question), kSelfTestTimeout);
  }

  void end_self_test(const std::string& zone, const WireResult& result) {
    const bool works = result.ok() && result.value().is_secure;
    has_validated_ = has_validated_ || works;
    if (!works) {
      base::log_warning(
          has_validated_ ? "the name servers give no validatable answer any more: DNS answers are "
                           "errors until "
                           "they do"
                         : "DNSSEC is not validated: the name servers give no validatable answer; "
                           "it is tested "
                           "again",
          {{"zone", zone},
           {"reason", result.ok() ? "the answer is not signed" : result.error().detail}});
      retest_.start(next_retest_);
      next_retest_ = std::min(next_retest_ * 2, kLongestRetest);
    } else if (!validates_) {
      base::log_info("DNSSEC is validated", {{"trust_anchor", zone}});
    }
    // What has worked is not given up because somebody keeps a test from passing.
    validates_ = has_validated_;
    is_held_ = false;
    const bool has_answered_without = std::exchange(answers_without_, !validates_);
    if (works && has_answered_without && on_validating_) on_validating_();
    drain_queue();
  }

  void send(std::unique_ptr<Question> owned) { send(std::move(owned), settings_.timeout); }

  void send(std::unique_ptr<Question> owned, std::chrono::milliseconds timeout) {
    Question* question = owned.release();
    open_.insert(question);
    if (question->context == nullptr) question->context = validates_ ? validating_ : plain_;
    bool is_finished = false;
    question->finished_in_send = &is_finished;
    if (question->context == nullptr) {
      finish_open(question, fail(DnsError::kServerFailure, "no name servers are set"));
      return;
    }
    if (!question->has_deadline) question->deadline.start(timeout);
    const int code = ub_resolve_event(question->context->handle.get(), question->name.c_str(),
                                      static_cast<int>(question->type), kClassIn, question,
                                      &on_answer, &question->id);
    if (is_finished) return;
    if (code != 0) {
      finish_open(question, fail(DnsError::kServerFailure, ub_strerror(code)));
      return;
    }
    question->finished_in_send = nullptr;
  }

  static void on_answer(void* data, int rcode, void* packet, int length, int security,
                        char* why_bogus, int) noexcept {
    auto* question = static_cast<Question*>(data);
    if (!*question->core.is_alive_) return;
    base::guarded("DNS answer", [&] {
      WireResult result = read(question->type, rcode,
                               {static_cast<const std::uint8_t*>(packet), size(packet, length)},
                               security, why_bogus);
      question->core.finish_open(question, std::move(result));
    });
  }

  static std::size_t size(const void* packet, int length) {
    return packet == nullptr || length < 0 ? 0 : static_cast<std::size_t>(length);
  }

  static bool is_answer(int rcode) { return rcode == kNoError || rcode == kNxDomain; }
  static WireResult server_failure(int rcode) {
    return fail(DnsError::kServerFailure,
                rcode == 2 ? "SERVFAIL" : "rcode " + std::to_string(rcode));
  }

  static WireResult read(RecordType type, int rcode, std::span<const std::uint8_t> packet,
                         int security, const char* why_bogus) {
    if (security == 1) {
      return fail(DnsError::kBogus, why_bogus != nullptr ? why_bogus : "DNSSEC validation failure");
    }
    if (!is_answer(rcode)) return server_failure(rcode);
    auto message = read_message(packet, type);
    if (!message.has_value()) return fail(DnsError::kMalformed, "answer can't be read");
    // A failure that libunbound remembers (for 5 s) comes as rcode 0, and only the message tells.
    if (!is_answer(message->rcode)) return server_failure(message->rcode);
    return WireAnswer{std::move(*message), security == 2};
  }

  void give_up(Question* question) {
    const auto failure = fail(DnsError::kTimeout, "no answer from the name servers in time");
    if (!open_.contains(question)) {
      const auto at = std::find_if(queue_.begin(), queue_.end(),
                                   [=](const auto& one) { return one.get() == question; });
      std::unique_ptr<Question> owned = std::move(*at);
      queue_.erase(at);
      ++counters_.timeouts;
      finish_soon(std::move(owned), failure);
      return;
    }
    ub_cancel(question->context->handle.get(), question->id);
    finish_open(question, failure);
  }

  // Ends a question that is open. Its callback runs from the loop, never inside ask().
  void finish_open(Question* question, WireResult result) {
    open_.erase(question);
    std::unique_ptr<Question> owned(question);
    owned->deadline.stop();
    owned->context.reset();
    if (!old_contexts_.empty()) drop_old_contexts_soon();
    count(result);
    if (owned->finished_in_send != nullptr) {
      // Whoever sent it goes on with the queue: one answer must not nest into the next.
      *owned->finished_in_send = true;
      finish_soon(std::move(owned), std::move(result));
      return;
    }
    owned->callback(std::move(result));
    drain_queue();
  }

  void finish_soon(std::unique_ptr<Question> question, WireResult result) {
    question->deadline.stop();
    ++posted_;
    loop_.post([this, alive = is_alive_, callback = std::move(question->callback),
                result = std::move(result)]() mutable {
      if (!*alive) return;
      --posted_;
      callback(std::move(result));
    });
  }

  void drain_queue() {
    while (!is_held_ && !queue_.empty() && open_.size() < kMaxOpenQuestions) {
      auto next = std::move(queue_.front());
      queue_.pop_front();
      send(std::move(next));
    }
  }

  void count(const WireResult& result) {
    if (result.ok()) {
      ++(result.value().message.has_records() ? counters_.answered : counters_.absent);
      return;
    }
    switch (result.error().code) {
      case DnsError::kTimeout:
        ++counters_.timeouts;
        return;
      case DnsError::kServerFailure:
        ++counters_.server_failures;
        return;
      case DnsError::kBogus:
        ++counters_.bogus;
        return;
      case DnsError::kMalformed:
      case DnsError::kName:
        ++counters_.malformed;
        return;
    }
  }

  base::EventLoop& loop_;
  ResolverSettings settings_;
  ResolverCounters counters_;
  std::shared_ptr<Context> validating_;
  std::shared_ptr<Context> plain_;
  std::vector<std::shared_ptr<Context>> old_contexts_;
  bool validates_ = false;
  bool is_held_ = false;          // the first self-test runs
  bool has_validated_ = false;    // with these name servers, or those of a resolver before
  bool answers_without_ = false;  // the last self-test failed: answers are not validated
  std::unordered_set<Question*> open_;
  std::deque<std::unique_ptr<Question>> queue_;
  std::size_t posted_ = 0;  // callbacks on their way
  std::string stamp_;
  std::chrono::steady_clock::time_point stamp_checked_;
  base::Timer retest_;
  std::chrono::seconds next_retest_{kFirstRetest};
  std::function<void()> on_validating_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

UnboundResolver::UnboundResolver(std::unique_ptr<Core> core) : core_(std::move(core)) {}
UnboundResolver::~UnboundResolver() = default;

base::Result<std::unique_ptr<UnboundResolver>, SetupError> UnboundResolver::create(
    base::EventLoop& loop, const ResolverSettings& settings) {
  if (settings.mode == ResolverMode::kForward && settings.resolvers.empty()) {
    return fail(SetupError::kSetting, "dns.mode = \"forward\" needs dns.resolvers");
  }
  for (const std::string& server : settings.resolvers) {
    if (!base::IpAddress::parse(server).has_value()) {
      return fail(SetupError::kSetting, "dns.resolvers: " + server + " is no IP address");
    }
  }
  auto core = std::make_unique<Core>(loop, settings);
  auto started = core->start();
  if (!started.ok()) return started.error();
  return std::unique_ptr<UnboundResolver>(new UnboundResolver(std::move(core)));
}

void UnboundResolver::txt(const std::string& name, DnsCallback<std::string> callback) {
  core_->ask(name, RecordType::kTxt, [callback = std::move(callback)](WireResult wire) {
    callback(typed(std::move(wire), &Message::texts));
  });
}

void UnboundResolver::mx(const std::string& name, DnsCallback<MxRecord> callback) {
  core_->ask(name, RecordType::kMx, [callback = std::move(callback)](WireResult wire) {
    callback(typed(std::move(wire), &Message::mx));
  });
}

void UnboundResolver::tlsa(const std::string& name, DnsCallback<TlsaRecord> callback) {
  core_->ask(name, RecordType::kTlsa, [callback = std::move(callback)](WireResult wire) {
    callback(typed(std::move(wire), &Message::tlsa));
  });
}

void UnboundResolver::cname(const std::string& name, DnsCallback<std::string> callback) {
  core_->ask(name, RecordType::kCname, [callback = std::move(callback)](WireResult wire) {
    callback(typed(std::move(wire), &Message::cnames));
  });
}

void UnboundResolver::family(const std::string& name, AddressFamily family,
                             DnsCallback<base::IpAddress> callback) {
  core_->ask(name, family == AddressFamily::kIpv4 ? RecordType::kA : RecordType::kAaaa,
             [callback = std::move(callback)](WireResult wire) {
               callback(typed(std::move(wire), &Message::addresses));
             });
}

void UnboundResolver::addresses(const std::string& name, DnsCallback<base::IpAddress> callback) {
  // Both families at once; the second to come calls back.
  struct Both {
    std::optional<DnsResult<base::IpAddress>> first;
    DnsCallback<base::IpAddress> callback;
  };
  auto both = std::make_shared<Both>();
  both->callback = std::move(callback);
  const auto on_one = [both](WireResult wire) {
    auto one = typed(std::move(wire), &Message::addresses);
    if (!both->first.has_value()) {
      both->first = std::move(one);
      return;
    }
    auto& other = *both->first;
    // A failure beside an empty answer is a failure: the addresses may be what did not come.
    const auto has_records = [](const auto& result) {
      return result.ok() && !result.value().records.empty();
    };
    if (!one.ok() || !other.ok()) {
      const bool takes_one = has_records(one) || (!one.ok() && !has_records(other));
      return both->callback(std::move(takes_one ? one : other));
    }
    auto& merged = one.value();
    merged.ttl = std::min(merged.ttl, other.value().ttl);
    merged.is_secure = merged.is_secure && other.value().is_secure;
    merged.name_exists = merged.name_exists || other.value().name_exists;
    if (merged.alias_target.empty()) merged.alias_target = other.value().alias_target;
    auto& more = other.value().records;
    merged.records.insert(merged.records.end(), more.begin(), more.end());
    both->callback(std::move(one));
  };
  core_->ask(name, RecordType::kAaaa, on_one);
  core_->ask(name, RecordType::kA, on_one);
}

const ResolverCounters& UnboundResolver::counters() const { return core_->counters(); }
std::size_t UnboundResolver::open_questions() const { return core_->open_questions(); }
bool UnboundResolver::is_validating() const { return core_->is_validating(); }
void UnboundResolver::set_on_validating(std::function<void()> on_validating) {
  core_->set_on_validating(std::move(on_validating));
}

}  // namespace strictmx::dns
