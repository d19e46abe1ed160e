// worker_pool.cc - see worker_pool.h.
#include "common/base/worker_pool.h"

#include <utility>

namespace strictmx::base {

WorkerPool::WorkerPool(EventLoop& loop, std::size_t threads, std::size_t max_queued)
    : loop_(loop), max_pending_(threads + max_queued) {
  try {
    while (threads_.size() < threads) threads_.emplace_back([this] { serve(); });
  } catch (...) {
    stop();  // the system gives no more threads: those that run must end before the pool does
    throw;
  }
}

WorkerPool::~WorkerPool() {
  *is_alive_ = false;
  stop();
}

void WorkerPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkerPool::submit(std::function<void()> work, std::function<void()> done) {
  if (pending_ >= max_pending_) return false;
  ++pending_;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({std::move(work), std::move(done)});
  }
  wake_.notify_one();
  return true;
}

void WorkerPool::serve() {
  while (true) {
    Item item;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
      if (is_stopping_) return;
      item = std::move(queue_.front());
      queue_.pop_front();
    }
    guarded("worker", item.work);
    post_done(std::move(item.done));
  }
}

void WorkerPool::post_done(std::function<void()> done) {
  loop_.post([this, alive = is_alive_, done = std::move(done)] {
    if (!*alive) return;
    --pending_;
    done();
  });
}

}  // namespace strictmx::base
