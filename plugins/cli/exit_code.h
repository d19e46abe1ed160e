// exit_code.h - how a command of strictmx ends, and the result types that carry it.
//
// Use: a command returns done(), or fail(Exit::kX, "message for the operator"); main.cc prints the
// message once and exits with the code. A failure without a message was told on stdout already.
#pragma once

#include "common/base/result.h"

namespace strictmx::cli {

// The codes of sysexits.h; strictmx(1) lists them.
enum class Exit {
  kOk = 0,
  kUsage = 64,
  kData = 65,         // the text checked is not valid; the daemon has no such policy
  kNoInput = 66,      // a file can't be read
  kUnavailable = 69,  // the daemon, or postconf, is not there
  kInternal = 70,
  kOutput = 74,     // stdout can't be written
  kTemporary = 75,  // the answer is TEMP, or did not come in time
  kForbidden = 77,
  kConfig = 78,
};

template <class T>
using Or = base::Result<T, Exit>;
using Outcome = base::Outcome<Exit>;

}  // namespace strictmx::cli
