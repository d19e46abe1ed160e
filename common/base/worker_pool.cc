// worker_pool.cc - see worker_pool.h.
#include "common/base/worker_pool.h"

#include <system_error>
#include <utility>

#include "common/base/log.h"

namespace strictmx::base {

WorkerPool::WorkerPool(EventLoop& loop, std::size_t threads, std::size_t max_queued)
    : loop_(loop), max_threads_(threads), max_pending_(threads + max_queued) {}

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
  if (pending_ >= max_pending_ || !has_thread_for_one_more()) return false;
  ++pending_;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({std::move(work), std::move(done)});
  }
  wake_.notify_one();
  return true;
}

bool WorkerPool::has_thread_for_one_more() {
  if (threads_.size() == max_threads_ || threads_.size() > pending_) return true;
  try {
    threads_.emplace_back([this] { serve(); });
  } catch (const std::system_error& error) {
    log_error("the system gives no more threads", {{"reason", error.what()}});
  }
  return !threads_.empty();
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
