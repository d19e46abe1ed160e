// event_loop.h - the one loop of a process: descriptors, timers, signals, work from other threads.
//
// Use: create(), hand it to whoever needs it, run() until stop().
// Ownership: Timer and Watch are RAII handles; destroying one ends its callbacks, also from inside
// its own callback. The loop outlives all of them.
// Threads: everything on the loop's thread, except post() and stop(), which any thread may call.
// Callbacks: must not block; what they throw is caught, logged and dropped at the C boundary.
// Limits: post() is unbounded; its callers bound what they have under way.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "common/base/result.h"

struct event;
struct event_base;

namespace strictmx::base {

enum class LoopError { kSystem };

class EventLoop;

// Fires once after start(), unless stopped or started anew before.
class Timer {
 public:
  Timer(EventLoop& loop, std::function<void()> on_time);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void start(std::chrono::milliseconds after);
  void stop();

 private:
  static void fire(int, short, void* self) noexcept;
  struct EventFree {
    void operator()(event* handle) const;
  };
  std::function<void()> on_time_;
  std::unique_ptr<event, EventFree> event_;
};

enum class Ready { kRead, kWrite };

// Level-triggered; on from construction until stop() or destruction. Does not own the descriptor.
class Watch {
 public:
  Watch(EventLoop& loop, int descriptor, Ready ready, std::function<void()> on_ready);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void start();
  void stop();

 private:
  static void fire(int, short, void* self) noexcept;
  struct EventFree {
    void operator()(event* handle) const;
  };
  std::function<void()> on_ready_;
  std::unique_ptr<event, EventFree> event_;
  bool is_on_ = false;
};

class SignalWatch {
 public:
  SignalWatch(EventLoop& loop, int signal_number, std::function<void()> on_signal);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  static void fire(int, short, void* self) noexcept;
  struct EventFree {
    void operator()(event* handle) const;
  };
  std::function<void()> on_signal_;
  std::unique_ptr<event, EventFree> event_;
};

class EventLoop {
 public:
  static Result<std::unique_ptr<EventLoop>, LoopError> create();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void run();
  void stop();
  // Runs the work on the loop's thread, soon, in the order posted.
  void post(std::function<void()> work);

  // For libraries that live inside a libevent loop.
  event_base* native() { return base_.get(); }

 private:
  EventLoop() = default;
  void run_posted();

  struct BaseFree {
    void operator()(event_base* base) const;
  };
  std::unique_ptr<event_base, BaseFree> base_;
  int wake_descriptor_ = -1;
  std::unique_ptr<Watch> wake_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
};

// Runs what C code or a thread called; catches and logs whatever it throws.
void guarded(const char* where, const std::function<void()>& callback) noexcept;

}  // namespace strictmx::base
