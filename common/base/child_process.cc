// child_process.cc - see child_process.h. posix_spawn, which is safe in a process with threads; its
// functions with _np are those of glibc 2.34 and later.
#include "common/base/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/unique_descriptor.h"

namespace strictmx::base {
namespace {

using Clock = std::chrono::steady_clock;

// How long an end, a deadline or the word to stop may go unnoticed.
constexpr std::chrono::milliseconds kSlice{10};
constexpr int kFirstFreeDescriptor = STDERR_FILENO + 1;
constexpr std::size_t kPieceBytes = 16 * 1024;

std::string error_text(int error) { return std::strerror(error); }

struct Pipe {
  UniqueDescriptor ours;
  UniqueDescriptor childs;
};

// Above 0, 1 and 2, so that none of them is overwritten before it has been copied to its place.
UniqueDescriptor above_standard(int descriptor) {
  UniqueDescriptor low(descriptor);
  if (descriptor >= kFirstFreeDescriptor) return low;
  return UniqueDescriptor(fcntl(descriptor, F_DUPFD_CLOEXEC, kFirstFreeDescriptor));
}

enum class Direction { kToChild, kFromChild };

// Our end does not block. Invalid descriptors with errno where the system refuses.
Pipe open_pipe(Direction direction) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  const bool is_to_child = direction == Direction::kToChild;
  Pipe made;
  made.ours = above_standard(ends[is_to_child ? 1 : 0]);
  made.childs = above_standard(ends[is_to_child ? 0 : 1]);
  if (made.ours && fcntl(made.ours.get(), F_SETFL, O_NONBLOCK) != 0) made.ours.reset();
  return made;
}

class Actions {
 public:
  Actions() { error_ = posix_spawn_file_actions_init(&actions_); }
  ~Actions() { posix_spawn_file_actions_destroy(&actions_); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;

  void copy(const UniqueDescriptor& from, int to) {
    note(posix_spawn_file_actions_adddup2(&actions_, from.get(), to));
  }
  void close_others() {
    note(posix_spawn_file_actions_addclosefrom_np(&actions_, kFirstFreeDescriptor));
  }
  void change_folder(const char* path) {
    note(posix_spawn_file_actions_addchdir_np(&actions_, path));
  }
  int error() const { return error_; }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  void note(int error) {
    if (error_ == 0) error_ = error;
  }
  posix_spawn_file_actions_t actions_{};
  int error_ = 0;
};

class Attributes {
 public:
  Attributes() {
    error_ = posix_spawnattr_init(&attributes_);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  int error() const { return error_; }
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
  int error_ = 0;
};

// posix_spawn() takes pointers to what it does not change.
std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

const std::vector<std::string>& environment() {
  static const std::vector<std::string> made = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C"};
  return made;
}

// One run, from start() to the end of run().
class Run {
 public:
  Run(const ChildCommand& command, const std::atomic<bool>& is_stopping)
      : command_(command),
        is_stopping_(is_stopping),
        deadline_(Clock::now() + command.timeout),
        unsent_(command.input) {}

  std::optional<Failure<ChildError>> start() {
    Pipe input = open_pipe(Direction::kToChild);
    Pipe output = open_pipe(Direction::kFromChild);
    Pipe errors = open_pipe(Direction::kFromChild);
    for (const Pipe* pipe : {&input, &output, &errors}) {
      if (!pipe->ours || !pipe->childs) return failure(ChildError::kSystem, error_text(errno));
    }
    Actions actions;
    actions.copy(input.childs, STDIN_FILENO);
    actions.copy(output.childs, STDOUT_FILENO);
    actions.copy(errors.childs, STDERR_FILENO);
    actions.close_others();
    actions.change_folder("/");
    const Attributes attributes;
    int error = actions.error() != 0 ? actions.error() : attributes.error();
    if (error != 0) return failure(ChildError::kSystem, error_text(error));
    error = posix_spawn(&pid_, command_.argv[0].c_str(), actions.get(), attributes.get(),
                        pointers_to(command_.argv).data(), pointers_to(environment()).data());
    if (error != 0) {
      const bool is_ours = error == EAGAIN || error == ENOMEM || error == EMFILE;
      return failure(is_ours ? ChildError::kSystem : ChildError::kStart, error_text(error));
    }
    input_ = std::move(input.ours);
    output_ = std::move(output.ours);
    errors_ = std::move(errors.ours);
    return std::nullopt;
  }

  Result<ChildEnd, ChildError> run() {
    while (!has_ended()) {
      if (is_stopping_) return ended_by_us(ChildError::kStopped, "told to stop");
      if (Clock::now() >= deadline_) {
        return ended_by_us(ChildError::kTimeout,
                           fmt::format("no end within {} ms", command_.timeout.count()));
      }
      exchange(kSlice);
    }
    exchange(std::chrono::milliseconds(0));  // what it wrote last
    const int status = reap();
    if (status < 0) return failure(ChildError::kSystem, error_text(errno));
    if (WIFSIGNALED(status)) {
      return failure(ChildError::kSignal, fmt::format("ended by signal {}", WTERMSIG(status)));
    }
    end_.status = WEXITSTATUS(status);
    return std::move(end_);
  }

 private:
  Failure<ChildError> failure(ChildError code, const std::string& why) const {
    return fail(code, command_.argv[0] + ": " + why);
  }

  // It stays to be reaped, so that its id, also that of its group, can't become another's.
  bool has_ended() const {
    siginfo_t found{};
    const int result = waitid(P_PID, static_cast<id_t>(pid_), &found, WEXITED | WNOHANG | WNOWAIT);
    return result != 0 || found.si_pid != 0;
  }

  int reap() const {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0) {
      if (errno != EINTR) return -1;
    }
    return status;
  }

  // The group gets SIGKILL also where its leader heeded SIGTERM: its children may not have.
  Failure<ChildError> ended_by_us(ChildError code, const std::string& why) {
    kill(-pid_, SIGTERM);
    const auto patience = Clock::now() + kTermGrace;
    while (!has_ended() && Clock::now() < patience) exchange(kSlice);
    kill(-pid_, SIGKILL);
    // Whoever waits for us to read or write waits no longer.
    input_.reset();
    output_.reset();
    errors_.reset();
    reap();
    return failure(code, why + ", ended it");
  }

  // Waits for the pipes at most that long, and moves what can be moved.
  void exchange(std::chrono::milliseconds at_most) {
    if (unsent_.empty()) input_.reset();
    // A negative descriptor is not looked at.
    std::array<pollfd, 3> waiting = {pollfd{input_.get(), POLLOUT, 0},
                                     pollfd{output_.get(), POLLIN, 0},
                                     pollfd{errors_.get(), POLLIN, 0}};
    if (poll(waiting.data(), waiting.size(), static_cast<int>(at_most.count())) <= 0) return;
    if (waiting[0].revents != 0) send_input();
    if (waiting[1].revents != 0) receive(output_, end_.output);
    if (waiting[2].revents != 0) receive(errors_, end_.errors);
  }

  void send_input() {
    const ssize_t sent = write(input_.get(), unsent_.data(), std::min(unsent_.size(), kPieceBytes));
    if (sent > 0) {
      unsent_.remove_prefix(static_cast<std::size_t>(sent));
    } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
      input_.reset();  // it reads no more
    }
  }

  static void receive(UniqueDescriptor& from, std::string& kept) {
    std::array<char, kPieceBytes> buffer;
    const ssize_t count = read(from.get(), buffer.data(), buffer.size());
    if (count > 0) {
      const auto room = kMaxOutputBytes - kept.size();
      kept.append(buffer.data(), std::min(static_cast<std::size_t>(count), room));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      from.reset();
    }
  }

  const ChildCommand& command_;
  const std::atomic<bool>& is_stopping_;
  const Clock::time_point deadline_;
  std::string_view unsent_;
  pid_t pid_ = -1;
  UniqueDescriptor input_;
  UniqueDescriptor output_;
  UniqueDescriptor errors_;
  ChildEnd end_;
};

}  // namespace

Result<ChildEnd, ChildError> run_child(const ChildCommand& command,
                                       const std::atomic<bool>& is_stopping) {
  if (command.argv.empty()) return fail(ChildError::kStart, "no program to run");
  Run run(command, is_stopping);
  if (auto failure = run.start()) return std::move(*failure);
  return run.run();
}

}  // namespace strictmx::base
