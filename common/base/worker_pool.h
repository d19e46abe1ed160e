// worker_pool.h - a few threads for work that must not run on the loop.
//
// Use: submit() work that blocks or computes; `done` then runs on the loop. Work that can last asks
// is_stopping() from time to time, or hands it to what it calls.
// Ownership: borrows the loop. What `work` borrows must live until `done`, or until the destructor
// has returned, which waits for what runs and drops what waits.
// Threads: the loop's thread, except is_stopping() and `work`. What `work` and `done` hold may be
// destroyed on either thread.
// Callbacks: `done` comes after `work` has returned, never inside submit(), and never once the pool
// is being destroyed; it may call submit(), but must not destroy the pool. What `work` throws is
// caught and logged, `done` still runs.
// Limits: as many threads as told, each begun when there is work for it, and max_queued pieces of
// work beyond those that run.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/event_loop.h"

namespace strictmx::base {

class WorkerPool {
 public:
  WorkerPool(EventLoop& loop, std::size_t threads, std::size_t max_queued);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False when the queue is full or the system gives no thread: neither of the two will be called.
  bool submit(std::function<void()> work, std::function<void()> done);

  // Accepted, and `done` has not been called yet.
  std::size_t pending() const { return pending_; }

  // True once the pool is being destroyed. Lives as long as the pool.
  const std::atomic<bool>& is_stopping() const { return is_stopping_; }

 private:
  struct Item {
    std::function<void()> work;
    std::function<void()> done;
  };

  bool has_thread_for_one_more();
  void serve();
  void stop();
  void post_done(std::function<void()> done);

  EventLoop& loop_;
  const std::size_t max_threads_;
  const std::size_t max_pending_;
  std::size_t pending_ = 0;                                        // the loop's thread
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);  // the loop's thread
  std::atomic<bool> is_stopping_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;            // under mutex_
  std::vector<std::thread> threads_;  // the loop's thread
};

}  // namespace strictmx::base
