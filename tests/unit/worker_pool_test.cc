// worker_pool_test.cc - work on other threads, and the word of it on the loop.
#include "common/base/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace strictmx::base {
namespace {

using namespace std::chrono_literals;

class WorkerPoolTest : public ::testing::Test {
 protected:
  // Until stop(); a test that needs the whole time has failed.
  void run() {
    bool is_late = false;
    Timer end(*loop_, [&] {
      is_late = true;
      loop_->stop();
    });
    end.start(30s);
    loop_->run();
    EXPECT_FALSE(is_late) << "the loop was never stopped";
  }
  // What is posted already runs, and nothing that comes later.
  void run_posted() {
    loop_->stop();
    loop_->run();
  }

  std::unique_ptr<EventLoop> loop_ = std::move(EventLoop::create()).value();
};

TEST_F(WorkerPoolTest, WorkRunsElsewhereAndDoneOnTheLoop) {
  WorkerPool pool(*loop_, 2, 100);
  const auto loop_thread = std::this_thread::get_id();
  std::mutex mutex;
  std::set<std::thread::id> workers;
  int finished = 0;
  constexpr int kWorks = 50;
  for (int i = 0; i < kWorks; ++i) {
    auto has_worked = std::make_shared<bool>(false);
    ASSERT_TRUE(pool.submit(
        [&, has_worked] {
          const std::lock_guard lock(mutex);
          workers.insert(std::this_thread::get_id());
          *has_worked = true;
        },
        [&, has_worked] {
          EXPECT_EQ(std::this_thread::get_id(), loop_thread);
          EXPECT_TRUE(*has_worked);
          if (++finished == kWorks) loop_->stop();
        }));
  }
  EXPECT_EQ(finished, 0) << "done ran inside submit()";
  EXPECT_EQ(pool.pending(), 50U);
  run();
  EXPECT_EQ(finished, kWorks);
  EXPECT_EQ(pool.pending(), 0U);
  EXPECT_FALSE(workers.contains(loop_thread));
  EXPECT_LE(workers.size(), 2U);
  EXPECT_FALSE(pool.is_stopping());
}

TEST_F(WorkerPoolTest, AsManyAtOnceAsThereAreThreads) {
  WorkerPool pool(*loop_, 3, 0);
  std::atomic<int> running = 0;
  std::counting_semaphore<3> all_run(0);
  int finished = 0;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(pool.submit(
        [&] {
          if (++running == 3) all_run.release(3);
          all_run.acquire();  // comes back only where all three run side by side
        },
        [&] {
          if (++finished == 3) loop_->stop();
        }));
  }
  run();
  EXPECT_EQ(finished, 3);
}

TEST_F(WorkerPoolTest, AFullQueueRefusesAndTakesAgainLater) {
  WorkerPool pool(*loop_, 1, 2);
  std::binary_semaphore may_go(0);
  std::vector<int> done;
  const auto note = [&](int number) {
    return [&, number] {
      done.push_back(number);
      if (number == 2) loop_->stop();
    };
  };
  ASSERT_TRUE(pool.submit([&] { may_go.acquire(); }, note(0)));
  ASSERT_TRUE(pool.submit([] {}, note(1)));
  ASSERT_TRUE(pool.submit([] {}, note(2)));
  EXPECT_FALSE(pool.submit([] { ADD_FAILURE() << "refused work ran"; },
                           [] { ADD_FAILURE() << "refused work was done"; }));
  EXPECT_EQ(pool.pending(), 3U);
  may_go.release();
  run();
  EXPECT_EQ(done, (std::vector<int>{0, 1, 2}));  // one thread: in their order
  bool has_run = false;
  ASSERT_TRUE(pool.submit([] {},
                          [&] {
                            has_run = true;
                            loop_->stop();
                          }));
  run();
  EXPECT_TRUE(has_run);
}

TEST_F(WorkerPoolTest, DoneMaySubmit) {
  WorkerPool pool(*loop_, 1, 0);
  int turns = 0;
  std::function<void()> again = [&] {
    if (++turns == 5) return loop_->stop();
    EXPECT_TRUE(pool.submit([] {}, again));
  };
  ASSERT_TRUE(pool.submit([] {}, again));
  run();
  EXPECT_EQ(turns, 5);
}

TEST_F(WorkerPoolTest, WhatThrowsHarmsNobody) {
  WorkerPool pool(*loop_, 1, 5);
  int done = 0;
  ASSERT_TRUE(pool.submit([] { throw std::runtime_error("a test"); }, [&] { ++done; }));
  ASSERT_TRUE(pool.submit([] { throw 7; },
                          [&] {
                            ++done;
                            throw std::runtime_error("a test");
                          }));
  ASSERT_TRUE(pool.submit([] {},
                          [&] {
                            ++done;
                            loop_->stop();
                          }));
  run();
  EXPECT_EQ(done, 3);
  EXPECT_EQ(pool.pending(), 0U);
}

TEST_F(WorkerPoolTest, TheEndWaitsForWhatRunsAndDropsWhatWaits) {
  std::atomic<bool> has_ended = false;
  std::binary_semaphore runs(0);
  {
    WorkerPool pool(*loop_, 1, 5);
    const auto no_done = [] { ADD_FAILURE() << "done came after the end"; };
    ASSERT_TRUE(pool.submit(
        [&] {
          runs.release();
          while (!pool.is_stopping()) std::this_thread::sleep_for(1ms);
          has_ended = true;
        },
        no_done));
    ASSERT_TRUE(pool.submit([] { ADD_FAILURE() << "what waited ran"; }, no_done));
    runs.acquire();
  }
  EXPECT_TRUE(has_ended);
  run_posted();
}

TEST_F(WorkerPoolTest, DoneThatWasPostedIsNotCalledAfterTheEnd) {
  std::binary_semaphore second_runs(0);
  {
    WorkerPool pool(*loop_, 1, 5);
    const auto no_done = [] { ADD_FAILURE() << "done came after the end"; };
    ASSERT_TRUE(pool.submit([] {}, no_done));
    // One thread: when the second runs, the first one's done has been posted.
    ASSERT_TRUE(pool.submit([&] { second_runs.release(); }, no_done));
    second_runs.acquire();
  }
  run_posted();
}

TEST_F(WorkerPoolTest, WhatWorkHeldIsLetGo) {
  const auto held = std::make_shared<int>(1);
  {
    WorkerPool pool(*loop_, 1, 5);
    ASSERT_TRUE(pool.submit([held] {}, [held, this] { loop_->stop(); }));
    run();
    std::binary_semaphore runs(0);
    ASSERT_TRUE(pool.submit(
        [&] {
          runs.release();
          while (!pool.is_stopping()) std::this_thread::sleep_for(1ms);
        },
        [held] {}));
    ASSERT_TRUE(pool.submit([held] {}, [held] {}));  // dropped
    runs.acquire();
  }
  run_posted();
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace strictmx::base
