// log.h - one line an event, to stderr or syslog: a short message, then key=value.
//
// Use: log_open() once in main, then log_info("policy fetched", {{"policy_domain", name}, ...}).
// The code that decides logs; the code that returns a failure does not.
// Levels: error: an operator must act; warning: degraded but served; info: one line a decision;
// debug: the wire.
// Threads: from any thread. Errors: a line that can't be written is dropped.
// Limits: a value is cut at kMaxLogValueBytes; what is not printable is escaped, so that text from
// a peer can't forge a line.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace strictmx::base {

inline constexpr std::size_t kMaxLogValueBytes = 400;

enum class LogLevel { kError, kWarning, kInfo, kDebug };

struct LogField {
  std::string_view key;
  std::string value;
};

enum class LogError { kLevel, kTarget };

// level: error, warning, info, debug; target: stderr or syslog. May be called again (SIGHUP).
// Lines to stderr carry the time unless systemd's journal reads them (JOURNAL_STREAM).
Outcome<LogError> log_open(std::string_view program, std::string_view level,
                           std::string_view target);

bool log_enabled(LogLevel level);
void log_error(std::string_view message, std::initializer_list<LogField> fields = {});
void log_warning(std::string_view message, std::initializer_list<LogField> fields = {});
void log_info(std::string_view message, std::initializer_list<LogField> fields = {});
void log_debug(std::string_view message, std::initializer_list<LogField> fields = {});

// Appends the value as a log line shows it: plain when it is one printable word, else in quotes
// with escapes, cut at max_bytes.
void append_log_value(std::string& out, std::string_view value,
                      std::size_t max_bytes = kMaxLogValueBytes);

}  // namespace strictmx::base
