// daemon.h - strictmxd: wires the core and the answer formats together and runs them.
//
// Use: create() binds, drops privileges and opens the store; run() serves until SIGTERM.
// Threads: create() and run() on the main thread.
// Errors: StartError names what the exit code tells (sysexits.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/config_file.h"
#include "common/base/result.h"

namespace strictmx::daemon {

struct Options {
  std::optional<std::string> config_path;
  std::vector<std::string> sets;
};

enum class StartError {
  kConfig,  // 78: the configuration
  kBusy,    // 75: another daemon has the store or a socket
  kSystem,  // 71: the system refused something
};

// After SIGTERM, questions already read get this long for their answers.
inline constexpr std::chrono::seconds kShutdownWait{10};

class Daemon {
 public:
  static base::Result<std::unique_ptr<Daemon>, StartError> create(const Options& options,
                                                                  const base::Config& config);
  ~Daemon();
  void run();

 private:
  class Core;
  explicit Daemon(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace strictmx::daemon
