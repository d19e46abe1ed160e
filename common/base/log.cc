// log.cc - see log.h. The only user of spdlog.
#include "common/base/log.h"

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

namespace strictmx::base {
namespace {

constexpr std::array<std::pair<std::string_view, spdlog::level::level_enum>, 4> kLevels{{
    {"error", spdlog::level::err},
    {"warning", spdlog::level::warn},
    {"info", spdlog::level::info},
    {"debug", spdlog::level::debug},
}};

bool is_plain(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
  });
}

void write(spdlog::level::level_enum level, std::string_view message,
           std::initializer_list<LogField> fields) {
  auto* logger = spdlog::default_logger_raw();
  if (!logger->should_log(level)) return;
  std::string line(message);
  for (const LogField& field : fields) {
    line.push_back(' ');
    line.append(field.key);
    line.push_back('=');
    append_log_value(line, field.value);
  }
  logger->log(level, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

void append_log_value(std::string& out, std::string_view value, std::size_t max_bytes) {
  const bool is_cut = value.size() > max_bytes;
  if (is_cut) value = value.substr(0, max_bytes);
  if (!is_cut && is_plain(value)) {
    out.append(value);
    return;
  }
  out.push_back('"');
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c < ' ' || c >= 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  out.append(is_cut ? "...\"" : "\"");
}

Outcome<LogError> log_open(std::string_view program, std::string_view level,
                           std::string_view target) {
  const auto* found = kLevels.begin();
  while (found != kLevels.end() && found->first != level) ++found;
  if (found == kLevels.end()) {
    return fail(LogError::kLevel, "log level is one of error, warning, info, debug");
  }
  const std::string name(program);
  spdlog::sink_ptr sink;
  if (target == "stderr") {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    const bool has_journal = std::getenv("JOURNAL_STREAM") != nullptr;
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        has_journal ? "%l: %v" : "%Y-%m-%dT%H:%M:%S.%eZ %n[%P] %l: %v",
        spdlog::pattern_time_type::utc));
  } else if (target == "syslog") {
    sink = std::make_shared<spdlog::sinks::syslog_sink_mt>(name, LOG_PID, LOG_MAIL, true);
    sink->set_pattern("%l: %v");
  } else {
    return fail(LogError::kTarget, "log target is stderr or syslog");
  }
  auto logger = std::make_shared<spdlog::logger>(name, std::move(sink));
  logger->set_level(found->second);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
  return done();
}

bool log_enabled(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return spdlog::should_log(spdlog::level::err);
    case LogLevel::kWarning:
      return spdlog::should_log(spdlog::level::warn);
    case LogLevel::kInfo:
      return spdlog::should_log(spdlog::level::info);
    case LogLevel::kDebug:
      return spdlog::should_log(spdlog::level::debug);
  }
  return false;
}

void log_error(std::string_view message, std::initializer_list<LogField> fields) {
  write(spdlog::level::err, message, fields);
}
void log_warning(std::string_view message, std::initializer_list<LogField> fields) {
  write(spdlog::level::warn, message, fields);
}
void log_info(std::string_view message, std::initializer_list<LogField> fields) {
  write(spdlog::level::info, message, fields);
}
void log_debug(std::string_view message, std::initializer_list<LogField> fields) {
  write(spdlog::level::debug, message, fields);
}

}  // namespace strictmx::base
