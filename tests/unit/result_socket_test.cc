// result_socket_test.cc - a socket for results that fails for a while.
#include "common/service/result_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "common/base/log.h"
#include "tests/fakes/fake_clock.h"

namespace strictmx::service {
namespace {

using base::UniqueDescriptor;

// Within a few seconds.
template <class Condition>
bool comes_true(Condition condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST(ResultSocketThatFails, IsTriedAgainAndKeepsNobodyWaiting) {
  char name[] = "/tmp/strictmx-result-socket-XXXXXX";
  const std::string folder = mkdtemp(name);
  [[maybe_unused]] const auto logs = base::log_open("test", "error", "stderr");
  fakes::FakeClock clock;
  auto opened = reporting::Spool::open({folder + "/spool"}, clock, {});
  ASSERT_TRUE(opened.ok()) << opened.error().detail;
  const std::shared_ptr<reporting::Spool> spool = std::move(opened).value();
  int good[2];
  int later[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, good), 0);
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, later), 0);
  const UniqueDescriptor good_sender(good[0]);
  const UniqueDescriptor later_sender(later[0]);
  const UniqueDescriptor later_receiver(later[1]);
  // Readable, and recvmsg() fails.
  const int failing = open("/dev/null", O_RDWR | O_CLOEXEC);
  std::vector<UniqueDescriptor> sockets;
  sockets.emplace_back(failing);
  sockets.emplace_back(good[1]);
  auto loop = std::move(base::EventLoop::create()).value();
  {
    ResultSocket receiver(*loop, spool, std::move(sockets), [] {});
    EXPECT_TRUE(comes_true([&] { return receiver.is_failing(); }));
    ASSERT_EQ(send(good_sender.get(), "one", 3, 0), 3);
    EXPECT_TRUE(comes_true([&] { return spool->counters().taken == 1; }));
    EXPECT_TRUE(receiver.is_failing());
    ASSERT_EQ(send(later_sender.get(), "two", 3, 0), 3);
    ASSERT_EQ(dup2(later_receiver.get(), failing), failing);
    EXPECT_TRUE(comes_true([&] { return spool->counters().taken == 2; }));
    EXPECT_TRUE(comes_true([&] { return !receiver.is_failing(); }));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace strictmx::service
