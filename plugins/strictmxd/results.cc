// results.cc - see results.h.
//
// start: read from the store how far the spool is applied -> open the spool behind that -> receive.
#include "plugins/strictmxd/results.h"

#include <fmt/format.h>

#include <utility>

#include "common/base/log.h"

namespace strictmx::daemon {
namespace {

// Also from the start to the first time: until then a machine without a clock of its own has asked
// for the time.
constexpr std::chrono::hours kDropInterval{1};
// Of our own, while the spool can't be opened: the moment after the start, or the time until
// somebody has repaired the disk.
constexpr std::size_t kMaxHeld = 1000;

}  // namespace

Results::Results(base::EventLoop& loop, store::Database& database, const base::Clock& clock,
                 ResultSettings settings)
    : loop_(loop),
      clock_(clock),
      settings_(std::move(settings)),
      store_(loop, database, clock, {settings_.keep, settings_.store_path + ".broken-results"}),
      own_(clock, [this](std::string datagram) { take_own(std::move(datagram)); }) {}

Results::~Results() { *is_alive_ = false; }

void Results::start(std::vector<base::UniqueDescriptor> sockets) {
  sockets_ = std::move(sockets);
  last_drop_ = clock_.steady();
  tick();
}

void Results::tick() {
  if (spool_ == nullptr && !is_opening_ && !is_ending_) {
    is_opening_ = true;
    open_spool();
  }
  // A map `record` that was refused for a full spool tells nobody when there is room again.
  if (spool_ != nullptr && spool_->counters().is_full) store_.apply_soon();
  if (clock_.steady() - last_drop_ <= kDropInterval) return;
  last_drop_ = clock_.steady();
  store_.drop_old();
}

void Results::open_spool() {
  store_.load([this, alive = is_alive_](const auto& position) {
    if (!*alive || is_ending_) return;
    is_opening_ = false;
    if (!position.ok()) {
      open_error_ = "store: " + position.error().detail;
    } else {
      auto opened = reporting::Spool::open(
          {settings_.store_path + ".spool", settings_.max_spool_bytes}, clock_, position.value());
      open_error_ = opened.ok() ? "" : opened.error().detail;
      if (opened.ok()) spool_ = std::move(opened).value();
    }
    if (spool_ == nullptr) {
      base::log_error("results are not taken yet", {{"reason", open_error_}});
      return;
    }
    store_.start(spool_);
    take_held();
    if (sockets_.empty()) return;
    receiver_ = std::make_unique<service::ResultSocket>(loop_, spool_, std::move(sockets_),
                                                        [this] { store_.apply_soon(); });
  });
}

void Results::stop_receiving() {
  is_ending_ = true;
  receiver_.reset();
  store_.apply_soon();
}

std::string Results::record(std::string_view text) {
  const auto result = tlsrpt::read_result_datagram(text);
  if (!result.ok()) {
    ++record_refused_[static_cast<std::size_t>(result.error().code)];
    std::string reply = "PERM not a result: ";
    base::append_log_value(reply, result.error().detail);
    return reply;
  }
  if (spool_ == nullptr) return "TEMP results are not taken yet";
  const auto appended = spool_->append(text);
  if (!appended.ok()) {
    ++record_full_;
    return "TEMP " + appended.error().detail;
  }
  store_.apply_soon();
  return "OK accepted";
}

void Results::take_own(std::string datagram) {
  if (spool_ == nullptr && held_.size() < kMaxHeld) {
    held_.push_back(std::move(datagram));
    return;
  }
  if (spool_ == nullptr || !spool_->append(datagram).ok()) {
    ++own_lost_;
    return;
  }
  store_.apply_soon();
}

void Results::take_held() {
  for (std::string& datagram : std::exchange(held_, {})) take_own(std::move(datagram));
}

std::string Results::trouble() const {
  if (!open_error_.empty()) return "results are not taken: " + open_error_;
  if (spool_ != nullptr && spool_->counters().is_full) {
    return "spool of results is full: results wait";
  }
  if (receiver_ != nullptr && receiver_->is_failing()) return "a socket for results can't be read";
  if (store_.is_failing()) return "results can't be stored, they stay in the spool";
  return {};
}

void Results::write_metrics(service::MetricsText& out) const {
  const reporting::SpoolCounters spool =
      spool_ == nullptr ? reporting::SpoolCounters{} : spool_->counters();
  const reporting::ResultCounters& stored = store_.counters();
  out.counter("results_taken_total", "Results taken into the spool", "", spool.taken);
  out.counter("results_stored_total", "Results counted in the store", "", stored.batches.results);
  out.counter("results_parsed_total", "Different texts among them in a commit", "",
              stored.batches.parsed);
  constexpr std::string_view kRefused = "Results refused by reason";
  for (std::size_t i = 0; i < tlsrpt::kDatagramErrors; ++i) {
    const auto error = static_cast<tlsrpt::DatagramError>(i);
    std::uint64_t count = stored.batches.broken[i] + record_refused_[i];
    if (error == tlsrpt::DatagramError::kSize) count += spool.refused;
    out.counter("results_refused_total", kRefused,
                fmt::format("reason=\"{}\"", tlsrpt::datagram_error_name(error)), count);
  }
  const reporting::OwnResultCounters& own = own_.counters();
  const std::pair<tlsrpt::ResultType, std::uint64_t> own_counts[] = {
      {tlsrpt::ResultType::kStsPolicyFetchError, own.fetch_errors},
      {tlsrpt::ResultType::kStsPolicyInvalid, own.policies_invalid},
      {tlsrpt::ResultType::kStsWebpkiInvalid, own.webpki_invalid},
      {tlsrpt::ResultType::kValidationFailure, own.mx_mismatches},
  };
  for (const auto& [type, count] : own_counts) {
    out.counter("results_own_total", "Failed sessions that strictmxd itself tells of",
                fmt::format("type=\"{}\"", tlsrpt::result_type_name(type)), count);
  }
  out.counter("results_own_lost_total", "Results of its own for which the spool had no room", "",
              own_lost_);
  out.counter("results_other_version_total", "Results of another protocol version, read anyway", "",
              stored.batches.other_version);
  out.counter("results_recovered_total", "Results found in the spool after a kill", "",
              stored.recovered);
  out.counter("results_corrupt_total", "Damaged records of the spool", "", stored.corrupt);
  out.counter("results_failures_total", "Commits of results that failed", "", stored.failures);
  out.gauge("spool_bytes", "Size of the spool of results", "", spool.bytes);
  constexpr std::string_view kBounds = "Times that a limit was reached";
  out.counter("bound_hits_total", kBounds, "bound=\"spool\"", spool.full + record_full_);
  out.counter("bound_hits_total", kBounds, "bound=\"result_rows\"", stored.folded);
  out.counter("bound_hits_total", kBounds, "bound=\"own_results\"", own.too_many);
  out.counter("bound_hits_total", kBounds, "bound=\"own_result_hosts\"", own.hosts_full);
}

}  // namespace strictmx::daemon
