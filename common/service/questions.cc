// questions.cc - see questions.h.
#include "common/service/questions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/base/netstring.h"

namespace strictmx::service {
namespace {

using base::WallTime;

constexpr std::array<std::string_view, 4> kOutcomes = {"ok", "notfound", "temp", "perm"};
constexpr std::string_view kNotFound = "NOTFOUND ";
constexpr std::string_view kRecord = "record ";

bool is_map_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxMapNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

std::string framed(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 8);
  base::append_netstring(out, text);
  return out;
}

}  // namespace

Questions::Questions(base::EventLoop& loop, const base::Clock& clock,
                     verdict::VerdictResolver& verdicts, QuestionSettings settings)
    : clock_(clock),
      verdicts_(verdicts),
      settings_(std::move(settings)),
      deadline_(loop, [this] { on_deadline(); }) {}

Questions::~Questions() { *is_alive_ = false; }

void Questions::add_format(std::string label, const AnswerFormat& format,
                           const std::vector<std::string>& map_names) {
  formats_.push_back(
      std::make_unique<Format>(Format{std::move(label), map_names.front(), &format, {}}));
  for (const std::string& name : map_names) by_map_[name] = formats_.back().get();
}

void Questions::set_default_format(std::string label, const AnswerFormat& format) {
  formats_.push_back(std::make_unique<Format>(Format{label, label, &format, {}}));
  default_format_ = formats_.back().get();
  by_map_[std::move(label)] = default_format_;
}

void Questions::replace_format(std::string_view label, const AnswerFormat& format) {
  for (const auto& one : formats_) {
    if (one->label == label) one->format = &format;
  }
  forget_all();
}

void Questions::set_settings(QuestionSettings settings) {
  settings_ = std::move(settings);
  forget_all();
}

const std::string* Questions::find_ready(std::string_view request, WallTime now) {
  const auto found = ready_.find(request);
  if (found == ready_.end()) return nullptr;
  const Ready& ready = found->second;
  if (now >= ready.valid_until) return nullptr;
  ++ready_hits_;
  ++ready.format->counts[static_cast<std::size_t>(ready.status)];
  return &ready.framed;
}

Questions::Format* Questions::find_format(std::string_view map) {
  const auto found = by_map_.find(map);
  if (found != by_map_.end()) return found->second;
  if (!is_map_name(map) || std::find(reserved_.begin(), reserved_.end(), map) != reserved_.end()) {
    return nullptr;
  }
  return default_format_;
}

bool Questions::is_skipped(const std::string& domain) const {
  return std::any_of(
      settings_.skip_domains.begin(), settings_.skip_domains.end(), [&](const std::string& zone) {
        if (!domain.ends_with(zone)) return false;
        return domain.size() == zone.size() || domain[domain.size() - zone.size() - 1] == '.';
      });
}

void Questions::give(Format& format, Status status, std::string_view text, const Reply& reply) {
  ++format.counts[static_cast<std::size_t>(status)];
  reply(framed(text));
}

void Questions::ask(std::string_view request, const Reply& reply, Access access) {
  if (recorder_ && request.starts_with(kRecord)) {
    const bool is_allowed = access == Access::kAskAndRecord;
    if (!is_allowed) ++bad_requests_;
    reply(framed(is_allowed ? recorder_(request.substr(kRecord.size()))
                            : "PERM results are taken on UNIX sockets alone"));
    return;
  }
  const std::size_t space = request.find(' ');
  Format* format = find_format(request.substr(0, space));
  if (format == nullptr || space == request.npos) {
    ++bad_requests_;
    std::string text = "PERM request is not \"<map> <key>\" with a map that strictmxd has: ";
    base::append_log_value(text, request.substr(0, space), kMaxMapNameBytes);
    reply(framed(text));
    return;
  }
  auto key = read_question_key(request.substr(space + 1));
  if (!key.has_value() || is_skipped(key->domain.text())) {
    give(*format, Status::kNotFound, kNotFound, reply);
    return;
  }
  // MTA-STS knows the domain alone, DANE the port and whether there is an MX lookup. Next hops of
  // the latter kind are few and not kept ready, so that forget() needs the domain alone.
  const bool is_for_domain = format->format->scope() == verdict::Scope::kSts || key->is_plain();
  std::string canonical;
  if (is_for_domain) canonical = format->canonical_map + " " + key->domain.text();
  if (is_for_domain && canonical != request) {
    // The clock is asked before the lookup; a reply only copies, so that nothing is forgotten while
    // `ready` is in use.
    if (const std::string* ready = find_ready(canonical, clock_.now())) {
      reply(*ready);
      return;
    }
  }
  if (waiting_.size() >= kMaxWaiting) {
    ++wait_refused_;
    give(*format, Status::kTemp, "TEMP too many questions wait for DNS and policy hosts", reply);
    return;
  }
  const std::uint64_t number = next_number_;
  const auto verdict = verdicts_.ask(
      *key, format->format->scope(),
      [this, alive = is_alive_, number, format, dialect = format->format, canonical,
       epoch = epoch_](const auto& late) {
        if (!*alive) return;
        const Reply waiting = take_waiting(number);
        if (!waiting) return;  // the deadline has replied
        // Asked before a reload: told in the dialect it was asked for, and not kept.
        answer(*format, *dialect, epoch == epoch_ ? canonical : std::string(), late, waiting);
      });
  if (verdict.has_value()) {
    answer(*format, *format->format, canonical, *verdict, reply);
  } else {
    start_wait(*format, key->domain.text(), reply);
  }
}

// `ready_key` is empty for a reply that is not kept.
void Questions::answer(Format& format, const AnswerFormat& dialect, const std::string& ready_key,
                       const verdict::Verdict& verdict, const Reply& reply) {
  if (on_hosts_told_ && dialect.scope() == verdict::Scope::kHosts) on_hosts_told_(verdict);
  std::string text;
  const Status status = append_answer(dialect, verdict, text);
  Ready ready{framed(text), verdict.valid_until, &format, status};
  ++format.counts[static_cast<std::size_t>(status)];
  reply(ready.framed);
  if (!ready_key.empty() && dialect.is_cacheable()) keep_ready(ready_key, std::move(ready));
}

void Questions::keep_ready(const std::string& ready_key, Ready ready) {
  drop(ready_key);
  // What is ready can be made again from the policy cache: anything may go.
  while (!ready_.empty() && (ready_.size() >= settings_.max_ready ||
                             ready_bytes_ > settings_.max_ready * kMeanReadyBytes)) {
    ++ready_dropped_;
    do {
      drop_cursor_ = (drop_cursor_ + 1) % ready_.bucket_count();
    } while (ready_.bucket_size(drop_cursor_) == 0);
    drop(ready_.begin(drop_cursor_)->first);
  }
  ready.framed.shrink_to_fit();
  ready_bytes_ += ready.framed.size();
  ready_.emplace(ready_key, std::move(ready));
}

void Questions::drop(const std::string& request) {
  const auto found = ready_.find(request);
  if (found == ready_.end()) return;
  ready_bytes_ -= found->second.framed.size();
  ready_.erase(found);
}

void Questions::start_wait(Format& format, const std::string& domain, const Reply& reply) {
  const std::uint64_t number = next_number_++;
  const base::SteadyTime now = clock_.steady();
  if (waiting_.empty()) deadline_.start(settings_.wait);
  waiting_.emplace(number, Waiting{reply, &format, now, now + settings_.wait, domain});
}

Questions::Reply Questions::take_waiting(std::uint64_t number) {
  const auto found = waiting_.find(number);
  if (found == waiting_.end()) return {};
  wait_latency_.add(
      std::chrono::duration_cast<std::chrono::microseconds>(clock_.steady() - found->second.asked));
  Reply reply = std::move(found->second.reply);
  waiting_.erase(found);
  return reply;
}

void Questions::on_deadline() {
  const base::SteadyTime now = clock_.steady();
  while (!waiting_.empty() && waiting_.begin()->second.deadline <= now) {
    const std::uint64_t number = waiting_.begin()->first;
    Format& format = *waiting_.begin()->second.format;
    const std::string domain = waiting_.begin()->second.domain;
    const Reply reply = take_waiting(number);
    ++wait_timeouts_;
    base::log_warning("question is answered TEMP, the resolution goes on",
                      {{"policy_domain", domain}, {"map", format.label}});
    give(format, Status::kTemp,
         fmt::format("TEMP policy of {} is not known yet: its DNS or policy host is slow; try "
                     "again later",
                     domain),
         reply);
  }
  if (waiting_.empty()) return;
  deadline_.start(
      std::chrono::ceil<std::chrono::milliseconds>(waiting_.begin()->second.deadline - now));
}

void Questions::forget(const std::string& domain) {
  for (const auto& format : formats_) drop(format->canonical_map + " " + domain);
}

void Questions::forget_all() {
  ++epoch_;
  ready_.clear();
  ready_bytes_ = 0;
}

void Questions::sweep() {
  const WallTime now = clock_.now();  // before the walk: it may empty what is walked
  std::erase_if(ready_, [this, now](const auto& item) {
    if (item.second.valid_until > now) return false;
    ready_bytes_ -= item.second.framed.size();
    return true;
  });
}

void Questions::write_metrics(MetricsText& out) const {
  for (const auto& format : formats_) {
    for (std::size_t i = 0; i < kOutcomes.size(); ++i) {
      out.counter("questions_total", "Socketmap questions answered",
                  fmt::format(R"(map="{}",outcome="{}")", format->label, kOutcomes[i]),
                  format->counts[i]);
    }
  }
  out.counter("questions_bad_total", "Requests that were no question", "", bad_requests_);
  out.counter("questions_ready_total", "Questions answered from a reply kept ready", "",
              ready_hits_);
  out.gauge("questions_waiting", "Questions that wait for a resolution", "", waiting_.size());
  out.gauge("replies_ready", "Replies kept ready in memory", "", ready_.size());
  out.counter("bound_hits_total", "Times that a limit was reached", "bound=\"replies_ready\"",
              ready_dropped_);
  out.counter("bound_hits_total", "Times that a limit was reached", "bound=\"questions_waiting\"",
              wait_refused_);
  out.counter("bound_hits_total", "Times that a limit was reached", "bound=\"answer_wait\"",
              wait_timeouts_);
  out.histogram("answer_seconds", "Time until the reply", "kind=\"at_once\"", ready_latency_);
  out.histogram("answer_seconds", "Time until the reply", "kind=\"waited\"", wait_latency_);
}

}  // namespace strictmx::service
