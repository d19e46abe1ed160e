// results.h - results of TLS sessions in the daemon: sockets -> spool -> store; the map `record`;
// the daemon's own.
//
// Use: start() once the store is open, tick() now and then, stop_receiving() at the end.
// Ownership: borrows loop, database and clock, which any thread may ask (no StepClock).
// Threads: the loop's thread.
// Errors: trouble here never keeps questions from being answered: it is logged, shown by trouble(),
// and tried again at each tick(). Meanwhile results wait in the kernel.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/unique_descriptor.h"
#include "common/reporting/own_results.h"
#include "common/reporting/result_store.h"
#include "common/reporting/spool.h"
#include "common/service/metrics_text.h"
#include "common/service/result_socket.h"
#include "common/store/database.h"

namespace strictmx::daemon {

struct ResultSettings {
  // Spool and broken results are beside the store and have its name, because its lock is theirs
  // too.
  std::string store_path;
  std::chrono::days keep{30};
  std::uint64_t max_spool_bytes = 0;
};

class Results {
 public:
  Results(base::EventLoop& loop, store::Database& database, const base::Clock& clock,
          ResultSettings settings);
  ~Results();
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;

  void start(std::vector<base::UniqueDescriptor> sockets);
  void tick();
  // Called once, when what an earlier run left in the spool is in the store.
  void set_on_caught_up(std::function<void()> callback) {
    store_.set_on_caught_up(std::move(callback));
  }
  void set_keep(std::chrono::days keep) { store_.set_keep(keep); }
  // See ResultStore; has it look for more.
  base::WallTime complete_until() {
    store_.apply_soon();
    return store_.complete_until();
  }
  // Takes what waits at the sockets, then no more.
  void stop_receiving();
  // All that was taken is in the store, or can't be put there now.
  bool is_idle() const { return store_.is_idle() || store_.is_failing(); }

  // The reply to a request of the map `record`.
  std::string record(std::string_view text);

  // What the daemon itself has to tell. It never waits: what the spool has no room for is lost, and
  // counted.
  reporting::OwnResults& own() { return own_; }

  const reporting::ResultStore& store() const { return store_; }
  // Empty: all is well.
  std::string trouble() const;
  void write_metrics(service::MetricsText& out) const;

 private:
  void open_spool();
  void take_own(std::string datagram);
  void take_held();

  base::EventLoop& loop_;
  const base::Clock& clock_;
  const ResultSettings settings_;
  reporting::ResultStore store_;
  std::vector<base::UniqueDescriptor> sockets_;  // until they are served
  std::shared_ptr<reporting::Spool> spool_;
  std::unique_ptr<service::ResultSocket> receiver_;
  bool is_opening_ = false;
  bool is_ending_ = false;
  std::string open_error_;
  base::SteadyTime last_drop_{};
  std::array<std::uint64_t, tlsrpt::kDatagramErrors> record_refused_{};
  std::uint64_t record_full_ = 0;
  reporting::OwnResults own_;
  std::vector<std::string> held_;  // our own, until the spool is open
  std::uint64_t own_lost_ = 0;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace strictmx::daemon
