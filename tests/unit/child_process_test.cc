// child_process_test.cc - programs run to their end: what they get, what they give, how they end.
#include "common/base/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/unique_descriptor.h"

namespace strictmx::base {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const std::atomic<bool> kGoesOn = false;
const std::string kBytes("a\r\n\0\xFF", 5);

class ChildProcess : public ::testing::Test {
 protected:
  ChildProcess() {
    std::signal(SIGPIPE, SIG_IGN);
    char name[] = "/tmp/strictmx-child-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~ChildProcess() override {
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // nobody is left to be reaped
    EXPECT_EQ(errno, ECHILD);
    fs::remove_all(folder_);
  }

  static ChildCommand shell(const std::string& script, std::string input = {}) {
    return {{"/bin/sh", "-c", script}, std::move(input), 30s};
  }

  // A pipe in the file system; whoever has it open for writing can be seen to be there.
  UniqueDescriptor open_fifo(const std::string& name) const {
    EXPECT_EQ(mkfifo((folder_ / name).c_str(), 0600), 0);
    return UniqueDescriptor(open((folder_ / name).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  }
  static bool has_hung_up(const UniqueDescriptor& fifo, int milliseconds) {
    pollfd waiting{fifo.get(), 0, 0};
    return poll(&waiting, 1, milliseconds) == 1 && (waiting.revents & POLLHUP) != 0;
  }

  fs::path folder_;
};

TEST_F(ChildProcess, StatusAndOutputsComeBack) {
  struct Case {
    const char* name;
    std::string script;
    std::string input;
    int status;
    std::string output;
    std::string errors;
  };
  const std::vector<Case> cases = {
      {"nothing", "", "", 0, "", ""},
      {"status", "exit 75", "", 75, "", ""},
      {"highest status", "exit 255", "", 255, "", ""},
      {"outputs apart", "echo out; echo err >&2; exit 1", "", 1, "out\n", "err\n"},
      {"input", "cat", kBytes, 0, kBytes, ""},
      {"input not read", "exit 3", std::string(1 << 20, 'x'), 3, "", ""},
      {"input closed early", "exec 0<&-; sleep 0.1; echo end", std::string(1 << 20, 'x'), 0,
       "end\n", ""},
      {"outputs closed early", "exec 1>&- 2>&-; cat >/dev/null; exit 4", "x", 4, "", ""},
      {"no input is its end", "cat; echo end", "", 0, "end\n", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto end = run_child(shell(c.script, c.input), kGoesOn);
    ASSERT_TRUE(end.ok()) << end.error().detail;
    EXPECT_EQ(end.value().status, c.status);
    EXPECT_EQ(end.value().output, c.output);
    EXPECT_EQ(end.value().errors, c.errors);
  }
}

TEST_F(ChildProcess, LargeInputArrivesWhole) {
  std::string input;
  while (input.size() < 3'000'000) input += std::to_string(input.size()) + "\n";
  const auto file = (folder_ / "input").string();
  const auto end = run_child(shell("cat >" + file, input), kGoesOn);
  ASSERT_TRUE(end.ok()) << end.error().detail;
  const auto compared = run_child({{"/usr/bin/cmp", "-", file}, input, 30s}, kGoesOn);
  ASSERT_TRUE(compared.ok());
  EXPECT_EQ(compared.value().status, 0) << compared.value().output;
}

TEST_F(ChildProcess, FloodsAreReadAndCut) {
  const auto end = run_child(
      shell("head -c 300000 /dev/zero | tr '\\0' o; head -c 300000 /dev/zero | tr '\\0' e >&2"),
      kGoesOn);
  ASSERT_TRUE(end.ok()) << end.error().detail;
  EXPECT_EQ(end.value().status, 0);
  EXPECT_EQ(end.value().output, std::string(kMaxOutputBytes, 'o'));
  EXPECT_EQ(end.value().errors, std::string(kMaxOutputBytes, 'e'));
}

TEST_F(ChildProcess, ArgumentsAreNoShellText) {
  const auto end =
      run_child({{"/usr/bin/printf", "%s|", "$(id)", "a b", "`id`", "", "\";'"}, "", 30s}, kGoesOn);
  ASSERT_TRUE(end.ok()) << end.error().detail;
  EXPECT_EQ(end.value().output, "$(id)|a b|`id`||\";'|");
}

TEST_F(ChildProcess, NothingOfOursIsInherited) {
  ASSERT_EQ(setenv("STRICTMX_SECRET", "x", 1), 0);
  auto end = run_child({{"/usr/bin/env"}, "", 30s}, kGoesOn);
  unsetenv("STRICTMX_SECRET");
  ASSERT_TRUE(end.ok()) << end.error().detail;
  EXPECT_EQ(end.value().output, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C\n");

  end = run_child({{"/bin/pwd"}, "", 30s}, kGoesOn);
  ASSERT_TRUE(end.ok()) << end.error().detail;
  EXPECT_EQ(end.value().output, "/\n");

  const UniqueDescriptor without_cloexec(open("/dev/null", O_RDONLY));
  const UniqueDescriptor high(fcntl(without_cloexec.get(), F_DUPFD, 90));
  ASSERT_EQ(high.get(), 90);
  end = run_child(shell("i=0; while [ $i -lt 120 ]; do [ -e /proc/$$/fd/$i ] && echo $i;"
                        "i=$((i+1)); done"),
                  kGoesOn);
  ASSERT_TRUE(end.ok()) << end.error().detail;
  EXPECT_EQ(end.value().output, "0\n1\n2\n");
}

TEST_F(ChildProcess, SignalsAreAtTheirDefaults) {
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto end =
      run_child({{"/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"}, "", 30s}, kGoesOn);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  std::signal(SIGXFSZ, old);
  ASSERT_TRUE(end.ok()) << end.error().detail;
  unsigned long long is_blocked = 1;
  unsigned long long is_ignored = 1;
  ASSERT_EQ(std::sscanf(end.value().output.c_str(), "SigBlk:\t%llx\nSigIgn:\t%llx\n", &is_blocked,
                        &is_ignored),
            2)
      << end.value().output;
  // 32 and 33 are glibc's own, which its posix_spawn() has ignored.
  constexpr unsigned long long kInternal = 3ULL << 31;
  EXPECT_EQ(is_blocked, 0U) << end.value().output;
  EXPECT_EQ(is_ignored & ~kInternal, 0U) << end.value().output;
}

TEST_F(ChildProcess, StandardDescriptorsOfOursMayBeClosed) {
  const UniqueDescriptor kept(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10));
  close(STDIN_FILENO);
  const auto end = run_child(shell("cat; echo err >&2", "text"), kGoesOn);
  if (kept) dup2(kept.get(), STDIN_FILENO);
  ASSERT_TRUE(end.ok()) << end.error().detail;
  EXPECT_EQ(end.value().output, "text");
  EXPECT_EQ(end.value().errors, "err\n");
}

TEST_F(ChildProcess, WhatCantBeRunIsTold) {
  const auto file = (folder_ / "file").string();
  ASSERT_EQ(run_child(shell("echo >" + file), kGoesOn).value().status, 0);
  struct Case {
    const char* name;
    std::vector<std::string> argv;
    std::string want;
  };
  const std::vector<Case> cases = {
      {"no argv", {}, "no program to run"},
      {"missing", {"/nonexistent/sendmail"}, "/nonexistent/sendmail: No such file or directory"},
      {"no executable", {file}, file + ": Permission denied"},
      {"folder", {"/tmp"}, "/tmp: Permission denied"},
      {"not looked for in PATH", {"true"}, "true: No such file or directory"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto end = run_child({c.argv, "input", 30s}, kGoesOn);
    ASSERT_FALSE(end.ok());
    EXPECT_EQ(end.error().code, ChildError::kStart);
    EXPECT_EQ(end.error().detail, c.want);
  }
}

TEST_F(ChildProcess, ASignalThatIsNotOursIsTold) {
  const auto end = run_child(shell("kill -9 $$"), kGoesOn);
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, ChildError::kSignal);
  EXPECT_EQ(end.error().detail, "/bin/sh: ended by signal 9");
}

TEST_F(ChildProcess, TheDeadlineEndsTheWholeGroup) {
  for (const char* trap : {"", "trap '' TERM; "}) {
    SCOPED_TRACE(trap);
    const std::string name = *trap == '\0' ? "heeds" : "deaf";
    const UniqueDescriptor fifo = open_fifo(name);
    const std::string path = (folder_ / name).string();
    // Its child has the pipe open as well.
    ChildCommand command = shell(trap + ("exec 3>" + path) + "; sleep 1000 & wait; sleep 1000");
    command.timeout = 500ms;
    const auto end = run_child(command, kGoesOn);
    ASSERT_FALSE(end.ok());
    EXPECT_EQ(end.error().code, ChildError::kTimeout);
    EXPECT_EQ(end.error().detail, "/bin/sh: no end within 500 ms, ended it");
    EXPECT_TRUE(has_hung_up(fifo, 20000));
  }
}

TEST_F(ChildProcess, AProgramThatNeverReadsOrAlwaysWritesMeetsTheDeadline) {
  for (const char* script : {"sleep 1000", "exec yes", "exec yes >&2"}) {
    SCOPED_TRACE(script);
    ChildCommand command = shell(script, std::string(1 << 20, 'x'));
    command.timeout = 300ms;
    const auto end = run_child(command, kGoesOn);
    ASSERT_FALSE(end.ok());
    EXPECT_EQ(end.error().code, ChildError::kTimeout);
  }
}

TEST_F(ChildProcess, TheWordToStopEndsIt) {
  std::atomic<bool> is_stopping = true;
  auto end = run_child(shell("sleep 1000"), is_stopping);
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, ChildError::kStopped);

  is_stopping = false;
  const fs::path begun = folder_ / "begun";
  std::thread stopper([&] {
    while (!fs::exists(begun)) std::this_thread::sleep_for(1ms);
    is_stopping = true;
  });
  end = run_child(shell("echo >" + begun.string() + "; sleep 1000"), is_stopping);
  stopper.join();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, ChildError::kStopped);
  EXPECT_EQ(end.error().detail, "/bin/sh: told to stop, ended it");
}

TEST_F(ChildProcess, WhatItLeavesInTheBackgroundLives) {
  // A mail server's delivery after the answer, with our pipes still open.
  const UniqueDescriptor fifo = open_fifo("background");
  const std::string path = (folder_ / "background").string();
  const auto end = run_child(shell("exec 3>" + path + "; sleep 1000 & echo $!"), kGoesOn);
  ASSERT_TRUE(end.ok()) << end.error().detail;
  EXPECT_EQ(end.value().status, 0);
  EXPECT_FALSE(has_hung_up(fifo, 50));
  const int background = std::stoi(end.value().output);
  ASSERT_GT(background, 1);
  kill(background, SIGKILL);
}

TEST_F(ChildProcess, ManyAtOnceFromManyThreads) {
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::atomic<int> right = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&right, i] {
      for (int j = 0; j < 10; ++j) {
        const std::string text = std::to_string(i * 10 + j);
        const auto end = run_child(shell("cat; exit " + text, text), kGoesOn);
        if (end.ok() && end.value().status == i * 10 + j && end.value().output == text) ++right;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 40);
}

}  // namespace
}  // namespace strictmx::base
