// event_loop.cc - see event_loop.h. libevent 2.1 underneath; an eventfd (Linux) wakes the loop.
#include "common/base/event_loop.h"

#include <event2/event.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "common/base/log.h"

namespace strictmx::base {
namespace {

timeval to_timeval(std::chrono::milliseconds span) {
  if (span.count() < 0) span = std::chrono::milliseconds(0);
  return timeval{static_cast<time_t>(span.count() / 1000),
                 static_cast<suseconds_t>(span.count() % 1000 * 1000)};
}

event* checked(event* handle) {
  if (handle == nullptr) std::abort();  // out of memory
  return handle;
}

}  // namespace

void guarded(const char* where, const std::function<void()>& callback) noexcept {
  try {
    callback();
  } catch (const std::exception& error) {
    log_error("exception dropped", {{"where", where}, {"error", error.what()}});
  } catch (...) {
    log_error("exception dropped", {{"where", where}});
  }
}

Timer::Timer(EventLoop& loop, std::function<void()> on_time)
    : on_time_(std::move(on_time)),
      event_(checked(event_new(loop.native(), -1, 0, &Timer::fire, this))) {}
Timer::~Timer() = default;
void Timer::EventFree::operator()(event* handle) const { event_free(handle); }

void Timer::start(std::chrono::milliseconds after) {
  const timeval span = to_timeval(after);
  event_add(event_.get(), &span);
}
void Timer::stop() { event_del(event_.get()); }

void Timer::fire(int, short, void* self) noexcept {
  // A copy, because the callback may destroy this Timer.
  const auto callback = static_cast<Timer*>(self)->on_time_;
  guarded("timer", callback);
}

Watch::Watch(EventLoop& loop, int descriptor, Ready ready, std::function<void()> on_ready)
    : on_ready_(std::move(on_ready)),
      event_(checked(event_new(
          loop.native(), descriptor,
          static_cast<short>(ready == Ready::kRead ? EV_READ | EV_PERSIST : EV_WRITE | EV_PERSIST),
          &Watch::fire, this))) {
  start();
}
Watch::~Watch() = default;
void Watch::EventFree::operator()(event* handle) const { event_free(handle); }

void Watch::start() {
  if (is_on_) return;
  event_add(event_.get(), nullptr);
  is_on_ = true;
}
void Watch::stop() {
  if (!is_on_) return;
  event_del(event_.get());
  is_on_ = false;
}

void Watch::fire(int, short, void* self) noexcept {
  // A copy, because the callback may destroy this Watch; callers capture one pointer, so that the
  // copy needs no memory.
  const auto callback = static_cast<Watch*>(self)->on_ready_;
  guarded("descriptor", callback);
}

SignalWatch::SignalWatch(EventLoop& loop, int signal_number, std::function<void()> on_signal)
    : on_signal_(std::move(on_signal)),
      event_(checked(event_new(loop.native(), signal_number, EV_SIGNAL | EV_PERSIST,
                               &SignalWatch::fire, this))) {
  event_add(event_.get(), nullptr);
}
SignalWatch::~SignalWatch() = default;
void SignalWatch::EventFree::operator()(event* handle) const { event_free(handle); }

void SignalWatch::fire(int, short, void* self) noexcept {
  const auto callback = static_cast<SignalWatch*>(self)->on_signal_;
  guarded("signal", callback);
}

Result<std::unique_ptr<EventLoop>, LoopError> EventLoop::create() {
  std::unique_ptr<EventLoop> loop(new EventLoop);
  loop->base_.reset(event_base_new());
  if (loop->base_ == nullptr) return fail(LoopError::kSystem, "event_base_new failed");
  loop->wake_descriptor_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (loop->wake_descriptor_ < 0) {
    return fail(LoopError::kSystem, std::string("eventfd: ") + std::strerror(errno));
  }
  loop->wake_ = std::make_unique<Watch>(*loop, loop->wake_descriptor_, Ready::kRead,
                                        [self = loop.get()] { self->run_posted(); });
  return loop;
}

EventLoop::~EventLoop() {
  wake_.reset();
  if (wake_descriptor_ >= 0) close(wake_descriptor_);
}
void EventLoop::BaseFree::operator()(event_base* base) const { event_base_free(base); }

void EventLoop::run() { event_base_loop(base_.get(), EVLOOP_NO_EXIT_ON_EMPTY); }

void EventLoop::stop() {
  post([this] { event_base_loopbreak(base_.get()); });
}

void EventLoop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
    if (posted_.size() > 1) return;  // the loop is awake already
  }
  const std::uint64_t one = 1;
  // The counter can't overflow; EAGAIN would mean that the loop is awake.
  [[maybe_unused]] const auto written = write(wake_descriptor_, &one, sizeof one);
}

void EventLoop::run_posted() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = read(wake_descriptor_, &count, sizeof count);
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (const auto& item : work) guarded("posted work", item);
}

}  // namespace strictmx::base
