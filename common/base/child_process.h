// child_process.h - runs another program to its end, without a shell.
//
// Use: run_child() on a worker thread; argv[0] is the program's path, taken as it is (no $PATH).
// Ownership: the command is borrowed for the call. Threads: any but the loop's, as it blocks;
// SIGPIPE must be ignored in this process. The program gets: the input on its standard input, PATH
// and LANG alone as its environment, "/" as its folder, a process group of its own, default signal
// dispositions, no blocked signal, and no descriptor but 0, 1 and 2. Errors: ChildError with the
// program's path and the reason. An exit status other than 0 is a value. A program that does not
// read its input to the end is no failure here; its status tells. Limits: command.timeout for the
// whole; kMaxOutputBytes kept of each output, what is more is read and dropped. At the deadline, or
// when told to stop, the whole process group gets SIGTERM and after kTermGrace SIGKILL. It ends
// with the program: what that left running in the background is left alone. Known gaps: a program
// that became another user can't be killed; then its end is waited for.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace strictmx::base {

// A mail program says why it failed in a line or two; a flood must not fill our memory.
inline constexpr std::size_t kMaxOutputBytes = 16 * 1024;

// What a mail program needs to take its files away; a daemon's end waits that long for it.
inline constexpr std::chrono::milliseconds kTermGrace{2000};

enum class ChildError {
  kStart,    // the program can't be run: missing, not allowed, no executable
  kTimeout,  // it did not end in time, and was ended
  kStopped,  // we were told to stop, and it was ended
  kSignal,   // a signal that is not ours ended it
  kSystem,   // our own lack of something
};

struct ChildCommand {
  std::vector<std::string> argv;
  std::string input;
  std::chrono::milliseconds timeout{};
};

struct ChildEnd {
  int status = 0;      // as exit() had it
  std::string output;  // standard output
  std::string errors;  // standard error
};

Result<ChildEnd, ChildError> run_child(const ChildCommand& command,
                                       const std::atomic<bool>& is_stopping);

}  // namespace strictmx::base
