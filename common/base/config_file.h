// config_file.h - reads strictmx.toml and --set options against one table of keys.
//
// Use: Config::load(config_keys(), path, sets), then text(), seconds() ... by the key's full name.
// Ownership: a Config is a value; the key table must outlive it. Threads: read-only after load().
// Errors: ConfigError with "file:line: key: what is wrong and what would be right". A getter for a
// key that is not in the table, or of another type, is a programming error and aborts.
// Limits: a file over kMaxConfigBytes is refused; so is one that others may write.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.h"

namespace strictmx::base {

inline constexpr std::size_t kMaxConfigBytes = 1024 * 1024;

enum class ConfigType {
  kText,
  kTextList,
  kInteger,
  kSeconds,
  kFlag,
  kListener,
  kListenerList,
  kTableList,
};

// A row of the table; the parser, --help, the sample file and the man page read it.
struct ConfigKey {
  std::string_view name;  // "section.key", or "key" at the top level
  ConfigType type;
  std::string_view default_value;  // TOML; @RUN@ and @STATE@ stand for run_folder(), state_folder()
  std::string_view help;
  std::string_view choices = {};  // "a|b|c" for kText, else any
  std::int64_t min = 0;           // for kInteger and kSeconds
  std::int64_t max = 0;
};

// Where a listener binds: "HOST:PORT" or "unix:PATH", with mode and group for the latter.
struct ListenerSetting {
  std::string address;
  std::uint32_t mode = 0;  // 0: the program's default for this socket
  std::string group;       // empty: unchanged
  bool operator==(const ListenerSetting&) const = default;
};

// One [[name]] table: its members are texts or lists of texts, told by what the section's own rules
// say of them.
struct TableSetting {
  std::map<std::string, std::vector<std::string>, std::less<>> members;
  std::string place;  // "file:line", for errors

  // The text, or empty.
  std::string text(std::string_view name) const;
};

enum class ConfigError {
  kUnreadable,  // missing or not permitted
  kUnsafe,      // others may write it
  kSyntax,      // not TOML
  kUnknownKey,
  kValue,  // wrong type, out of range, not one of the choices
};

class Config {
 public:
  // path: nullopt reads nothing. Each of `sets` is "section.key=value".
  static Result<Config, ConfigError> load(std::span<const ConfigKey> keys,
                                          const std::optional<std::string>& path,
                                          std::span<const std::string> sets);

  const std::string& text(std::string_view name) const;
  const std::vector<std::string>& text_list(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  std::chrono::seconds seconds(std::string_view name) const;
  bool flag(std::string_view name) const;
  const ListenerSetting& listener(std::string_view name) const;
  const std::vector<ListenerSetting>& listeners(std::string_view name) const;
  const std::vector<TableSetting>& tables(std::string_view name) const;

 private:
  using Value = std::variant<std::string, std::vector<std::string>, std::int64_t, bool,
                             std::vector<ListenerSetting>, std::vector<TableSetting>>;
  friend class ConfigReader;
  template <class T>
  const T& get(std::string_view name) const;

  std::map<std::string, Value, std::less<>> values_;
};

// The name and the text in it of a file that is the program's default where it exists.
inline constexpr std::string_view kDefaultConfigPath = "/etc/strictmx/strictmx.toml";

// "/run/strictmx" and "/var/lib/strictmx" for root, else below XDG_RUNTIME_DIR and XDG_STATE_HOME.
std::string run_folder();
std::string state_folder();

// The commented sample file, every key at its default (as root sees it).
std::string sample_config(std::span<const ConfigKey> keys);
// The same table for --help: a line a key with type, default and help.
std::string config_help(std::span<const ConfigKey> keys);

}  // namespace strictmx::base
