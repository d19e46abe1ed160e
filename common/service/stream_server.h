// stream_server.h - listens, accepts within a bound, and closes who stays idle.
//
// Use: derive a connection handler per accepted descriptor through Accept; socketmap_server.h and
// control_server.h do.
// Ownership: owns the listening descriptors; the callback owns accepted ones.
// Threads: the loop's thread. Errors: accept failures are logged once a minute at most; when
// descriptors run out, accepting pauses for a second.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/unique_descriptor.h"

namespace strictmx::service {

class StreamListener {
 public:
  using Accept = std::function<void(base::UniqueDescriptor)>;

  StreamListener(base::EventLoop& loop, base::UniqueDescriptor listening, Accept accept);

  void stop();  // no further connections; the descriptor is closed

 private:
  void on_ready();

  base::EventLoop& loop_;
  base::UniqueDescriptor listening_;
  Accept accept_;
  base::Timer pause_;
  std::unique_ptr<base::Watch> watch_;
  base::SteadyTime last_log_{};
};

}  // namespace strictmx::service
