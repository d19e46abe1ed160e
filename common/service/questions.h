// questions.h - answers socketmap questions: "<map> <key>" in, one reply out.
//
// Use: add_format() for each dialect at start. Per request: find_ready() first (one hash lookup),
// else ask().
// Ownership: borrows the verdict resolver, clock and loop.
// Threads: the loop's thread. The reply callback may run inside ask(). forget_all() may come inside
// any look at the clock (base/step_clock.h): a Ready or a pointer to one is not held over one.
// Errors: a reply is always given: OK, NOTFOUND, TEMP with the reason in words, or PERM for a
// request that can't be understood.
// The map `record` is no question: its key is a result of a TLS session (tlsrpt/result_datagram.h),
// taken from askers that may record, by the recorder that was set.
// Limits: kMaxRequestBytes a request; max_ready replies kept ready; kMaxWaiting questions wait at
// once (then TEMP); each waits at most answer.wait (then TEMP, while the work goes on).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/service/answer_format.h"
#include "common/service/histogram.h"
#include "common/service/metrics_text.h"
#include "common/service/question_key.h"
#include "common/verdict/verdict_resolver.h"

namespace strictmx::service {

inline constexpr std::size_t kMaxRequestBytes = 10000;  // what Postfix sends at most
inline constexpr std::size_t kMaxWaiting = 20000;       // about 10 MB of waiting questions
inline constexpr std::size_t kMaxMapNameBytes = 32;
// Replies kept ready may have this size on the average; a policy of 64 KiB makes one of 100,000.
inline constexpr std::size_t kMeanReadyBytes = 512;

// What the listener that an asker came by lets it do.
enum class Access { kAsk, kAskAndRecord };

struct QuestionSettings {
  std::chrono::milliseconds wait{20000};    // answer.wait
  std::vector<std::string> skip_domains{};  // answer.skip_domains, lower-case A-labels
  std::size_t max_ready = 400000;           // twice cache.max_entries
};

class Questions {
 public:
  // The whole reply as a netstring, ready to send; valid inside the call.
  using Reply = std::function<void(std::string_view framed)>;
  // Takes a result; gives the reply, unframed.
  using Recorder = std::function<std::string(std::string_view result)>;
  // Sees each verdict that is told with its MX hosts, before the reply goes.
  using OnHostsTold = std::function<void(const verdict::Verdict&)>;

  Questions(base::EventLoop& loop, const base::Clock& clock, verdict::VerdictResolver& verdicts,
            QuestionSettings settings);
  ~Questions();
  Questions(const Questions&) = delete;
  Questions& operator=(const Questions&) = delete;

  // `label` names it in /metrics.
  void add_format(std::string label, const AnswerFormat& format,
                  const std::vector<std::string>& map_names);
  // Answers maps of any other valid name.
  void set_default_format(std::string label, const AnswerFormat& format);
  // Another format under the same names; ready replies are made anew.
  void replace_format(std::string_view label, const AnswerFormat& format);
  // Names that no zone may take: maps of later versions.
  void reserve_names(std::vector<std::string> names) { reserved_ = std::move(names); }
  // Serves the map `record`.
  void set_recorder(Recorder recorder) { recorder_ = std::move(recorder); }
  void set_on_hosts_told(OnHostsTold on_told) { on_hosts_told_ = std::move(on_told); }

  // A reply that is ready for exactly these request bytes, or null.
  const std::string* find_ready(std::string_view request, base::WallTime now);
  void ask(std::string_view request, const Reply& reply, Access access = Access::kAsk);

  // The domain's answers must be made anew (policy changed, purged, overridden).
  void forget(const std::string& domain);
  void forget_all();
  void sweep();
  void set_settings(QuestionSettings settings);

  // Time that answering took, for `count` questions of one read.
  void note_latency(std::chrono::microseconds each, std::uint64_t count) {
    ready_latency_.add(each, count);
  }
  std::size_t waiting() const { return waiting_.size(); }
  std::size_t ready() const { return ready_.size(); }
  void write_metrics(MetricsText& out) const;

 private:
  struct Format {
    std::string label;
    std::string canonical_map;
    const AnswerFormat* format;
    std::array<std::uint64_t, 4> counts{};  // by Status
  };
  struct Ready {
    std::string framed;
    base::WallTime valid_until{};
    Format* format;
    Status status;
  };
  struct Waiting {
    Reply reply;
    Format* format;
    base::SteadyTime asked;
    base::SteadyTime deadline;
    std::string domain;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  Format* find_format(std::string_view map);
  bool is_skipped(const std::string& domain) const;
  void give(Format& format, Status status, std::string_view text, const Reply& reply);
  void answer(Format& format, const AnswerFormat& dialect, const std::string& ready_key,
              const verdict::Verdict& verdict, const Reply& reply);
  void drop(const std::string& request);
  void keep_ready(const std::string& ready_key, Ready ready);
  // Makes the callback that ends a wait: the first of it and the deadline replies.
  void start_wait(Format& format, const std::string& domain, const Reply& reply);
  Reply take_waiting(std::uint64_t number);
  void on_deadline();

  const base::Clock& clock_;
  verdict::VerdictResolver& verdicts_;
  QuestionSettings settings_;
  std::vector<std::unique_ptr<Format>> formats_;
  std::unordered_map<std::string, Format*, Hash, std::equal_to<>> by_map_;
  Format* default_format_ = nullptr;
  std::vector<std::string> reserved_;
  Recorder recorder_;
  OnHostsTold on_hosts_told_;
  std::unordered_map<std::string, Ready, Hash, std::equal_to<>> ready_;
  std::map<std::uint64_t, Waiting> waiting_;  // numbers grow, so the oldest comes first
  std::uint64_t next_number_ = 1;
  std::uint64_t epoch_ = 0;  // of forget_all(): what was asked before is not kept ready
  base::Timer deadline_;
  std::size_t ready_bytes_ = 0;  // of the replies
  std::size_t drop_cursor_ = 0;  // bucket of ready_ that lost an entry last
  std::uint64_t ready_hits_ = 0;
  std::uint64_t ready_dropped_ = 0;  // max_ready was reached
  std::uint64_t wait_refused_ = 0;   // kMaxWaiting was reached
  std::uint64_t wait_timeouts_ = 0;
  std::uint64_t bad_requests_ = 0;
  Histogram ready_latency_;
  Histogram wait_latency_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace strictmx::service
