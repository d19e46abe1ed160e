// config_file.cc - see config_file.h. The only user of toml++.
#include "common/base/config_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "common/base/unique_descriptor.h"

namespace strictmx::base {
namespace {

using Error = Failure<ConfigError>;

std::string environment_or(const char* name, std::string fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value == '/' ? std::string(value) : std::move(fallback);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

std::string with_folders(std::string_view text, std::string_view run, std::string_view state) {
  std::string out(text);
  replace_all(out, "@RUN@", run);
  replace_all(out, "@STATE@", state);
  return out;
}

bool is_choice(std::string_view choices, std::string_view value) {
  while (!choices.empty()) {
    const std::size_t bar = choices.find('|');
    if (choices.substr(0, bar) == value) return true;
    if (bar == choices.npos) return false;
    choices.remove_prefix(bar + 1);
  }
  return false;
}

std::string_view type_name(const ConfigKey& key) {
  switch (key.type) {
    case ConfigType::kText:
      return key.choices.empty() ? "text" : key.choices;
    case ConfigType::kTextList:
      return "list of texts";
    case ConfigType::kInteger:
      return "number";
    case ConfigType::kSeconds:
      return "seconds";
    case ConfigType::kFlag:
      return "true or false";
    case ConfigType::kTableList:
      return "list of tables";
    case ConfigType::kListener:
      return "address";
    case ConfigType::kListenerList:
      return "list of addresses";
  }
  return "";
}

// Reads at most kMaxConfigBytes; refuses what others could have changed.
Result<std::string, ConfigError> read_config(const std::string& path) {
  const UniqueDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    return fail(ConfigError::kUnreadable, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  struct stat status {};
  if (fstat(file.get(), &status) != 0 || S_ISDIR(status.st_mode)) {
    return fail(ConfigError::kUnreadable, path + ": not a file");
  }
  if (status.st_uid != 0 && status.st_uid != geteuid()) {
    return fail(ConfigError::kUnsafe,
                path + ": belongs to another user; make root or this user its owner (chown)");
  }
  const bool group_writes =
      (status.st_mode & S_IWGRP) != 0 && status.st_gid != 0 && status.st_gid != getegid();
  if ((status.st_mode & S_IWOTH) != 0 || group_writes) {
    return fail(ConfigError::kUnsafe, path + ": others may write it; chmod go-w it");
  }
  std::string text;
  char buffer[16384];
  while (true) {
    const ssize_t got = read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return fail(ConfigError::kUnreadable, fmt::format("{}: {}", path, std::strerror(errno)));
    }
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kMaxConfigBytes) {
      return fail(ConfigError::kUnreadable, path + ": over 1 MiB, not a configuration");
    }
  }
}

Result<std::vector<std::string>, ConfigError> read_texts(const toml::node& node) {
  std::vector<std::string> list;
  const auto* array = node.as_array();
  if (array == nullptr) return fail(ConfigError::kValue, "is a list of texts");
  for (const auto& item : *array) {
    const auto* text = item.as_string();
    if (text == nullptr) return fail(ConfigError::kValue, "is a list of texts");
    list.push_back(text->get());
  }
  return list;
}

Result<ListenerSetting, ConfigError> read_listener(const toml::node& node) {
  ListenerSetting setting;
  if (const auto* text = node.as_string()) {
    setting.address = text->get();
  } else if (const auto* table = node.as_table()) {
    for (const auto& [name, value] : *table) {
      const auto* entry = value.as_string();
      if (entry == nullptr) return fail(ConfigError::kValue, "path, mode and group are texts");
      if (name == "path") {
        setting.address = "unix:" + entry->get();
      } else if (name == "group") {
        setting.group = entry->get();
      } else if (name == "mode") {
        char* end = nullptr;
        const unsigned long mode = std::strtoul(entry->get().c_str(), &end, 8);
        if (entry->get().empty() || *end != '\0' || mode == 0 || mode > 0777) {
          return fail(ConfigError::kValue, "mode is an octal text such as \"0660\"");
        }
        setting.mode = static_cast<std::uint32_t>(mode);
      } else {
        return fail(ConfigError::kValue, "a listener table has path, mode and group");
      }
    }
  } else {
    return fail(ConfigError::kValue, "an address is \"HOST:PORT\", \"unix:PATH\" or a table");
  }
  const bool is_unix = setting.address.starts_with("unix:/");
  const bool is_tcp =
      !setting.address.starts_with("unix:") && setting.address.find(':') != std::string::npos;
  if (!setting.address.empty() && !is_unix && !is_tcp) {
    return fail(ConfigError::kValue, "an address is \"HOST:PORT\" or \"unix:/PATH\"");
  }
  return setting;
}

// [[name]] with members "a|b|c"; a TOML date counts as its text.
Result<TableSetting, ConfigError> read_table(const ConfigKey& key, const std::string& place,
                                             const toml::node& node) {
  const auto* table = node.as_table();
  if (table == nullptr)
    return fail(ConfigError::kValue, "is written as [[" + std::string(key.name) + "]] tables");
  TableSetting setting;
  setting.place = place;
  for (const auto& [name, value] : *table) {
    if (!is_choice(key.choices, name.str())) {
      return fail(ConfigError::kUnknownKey,
                  fmt::format("{}: no such member, there are {}", name.str(), key.choices));
    }
    std::vector<std::string> texts;
    if (const auto* text = value.as_string()) {
      texts.push_back(text->get());
    } else if (const auto* flag = value.as_boolean()) {
      texts.emplace_back(flag->get() ? "true" : "false");
    } else if (value.is_date() || value.is_date_time()) {
      std::ostringstream text;
      value.visit([&text](const auto& one) {
        if constexpr (toml::is_date<decltype(one)> || toml::is_date_time<decltype(one)>)
          text << one.get();
      });
      texts.push_back(text.str());
    } else if (value.is_array()) {
      auto list = read_texts(value);
      if (!list.ok()) {
        return fail(list.error().code, fmt::format("{}: {}", name.str(), list.error().detail));
      }
      texts = std::move(list).value();
    } else {
      return fail(ConfigError::kValue,
                  fmt::format("{}: is a text, true or false, or a list of texts", name.str()));
    }
    setting.members.emplace(name.str(), std::move(texts));
  }
  return setting;
}

}  // namespace

// Fills one Config from the defaults, then a file, then --set options.
class ConfigReader {
 public:
  ConfigReader(std::span<const ConfigKey> keys, Config& config) : keys_(keys), config_(config) {}

  Outcome<ConfigError> read_defaults() {
    const std::string run = run_folder();
    const std::string state = state_folder();
    for (const ConfigKey& key : keys_) {
      auto parsed = toml::parse("x = " + with_folders(key.default_value, run, state));
      if (!parsed) std::abort();  // a mistake in our own table
      auto stored = store(key, *parsed.table().get("x"));
      if (!stored.ok())
        return fail(stored.error().code,
                    std::string(key.name) + ": default: " + stored.error().detail);
    }
    return done();
  }

  Outcome<ConfigError> read_file(const std::string& path) {
    path_ = path;
    auto text = read_config(path);
    if (!text.ok()) return text.error();
    const auto parsed = toml::parse(text.value(), path);
    if (!parsed) {
      return fail(ConfigError::kSyntax,
                  fmt::format("{}:{}: {}", path, parsed.error().source().begin.line,
                              parsed.error().description()));
    }
    for (const auto& [name, node] : parsed.table()) {
      const auto* section = node.as_table();
      if (section == nullptr || find(name.str()) != nullptr) {
        auto one = read_node(path, std::string(name.str()), node);
        if (!one.ok()) return one;
        continue;
      }
      for (const auto& [inner, value] : *section) {
        auto one = read_node(path, fmt::format("{}.{}", name.str(), inner.str()), value);
        if (!one.ok()) return one;
      }
    }
    return done();
  }

  Outcome<ConfigError> read_set(const std::string& option) {
    const std::size_t equals = option.find('=');
    if (equals == option.npos) {
      return fail(ConfigError::kValue, "--set " + option + ": is section.key=value");
    }
    const std::string name = option.substr(0, equals);
    const std::string text = option.substr(equals + 1);
    const ConfigKey* key = find(name);
    if (key == nullptr) {
      return fail(ConfigError::kUnknownKey, "--set " + name + ": no such key");
    }
    const auto parsed = toml::parse("x = " + text + "\n");
    toml::table plain;
    const toml::node* value = nullptr;
    if (parsed && parsed.table().size() == 1) {
      value = parsed.table().get("x");
    } else {
      plain.insert("x", text);
      value = plain.get("x");
    }
    auto stored = store(*key, *value);
    if (!stored.ok())
      return fail(stored.error().code, "--set " + name + ": " + stored.error().detail);
    return done();
  }

 private:
  const ConfigKey* find(std::string_view name) const {
    for (const ConfigKey& key : keys_) {
      if (key.name == name) return &key;
    }
    return nullptr;
  }

  Outcome<ConfigError> read_node(const std::string& path, const std::string& name,
                                 const toml::node& node) {
    const auto line = node.source().begin.line;
    const ConfigKey* key = find(name);
    if (key == nullptr) {
      return fail(ConfigError::kUnknownKey,
                  fmt::format("{}:{}: {}: no such key", path, line, name));
    }
    auto stored = store(*key, node);
    if (!stored.ok()) {
      return fail(stored.error().code,
                  fmt::format("{}:{}: {}: {}", path, line, name, stored.error().detail));
    }
    return done();
  }

  Outcome<ConfigError> store_tables(const ConfigKey& key, const toml::node& node) {
    const std::string name(key.name);
    std::vector<TableSetting> list;
    const auto* array = node.as_array();
    if (array == nullptr) {
      return fail(ConfigError::kValue, fmt::format("is written as [[{}]] tables", name));
    }
    for (const auto& item : *array) {
      auto one = read_table(key, fmt::format("{}:{}", path_, item.source().begin.line), item);
      if (!one.ok()) {
        return fail(one.error().code,
                    fmt::format("line {}: {}", item.source().begin.line, one.error().detail));
      }
      list.push_back(std::move(one).value());
    }
    config_.values_[name] = std::move(list);
    return done();
  }

  Outcome<ConfigError> store(const ConfigKey& key, const toml::node& node) {
    const std::string name(key.name);
    switch (key.type) {
      case ConfigType::kText: {
        const auto* text = node.as_string();
        if (text == nullptr) return fail(ConfigError::kValue, "is a text");
        if (!key.choices.empty() && !is_choice(key.choices, text->get())) {
          return fail(ConfigError::kValue, fmt::format("is one of {}", key.choices));
        }
        config_.values_[name] = text->get();
        return done();
      }
      case ConfigType::kTextList: {
        auto list = read_texts(node);
        if (!list.ok()) return list.error();
        config_.values_[name] = std::move(list).value();
        return done();
      }
      case ConfigType::kInteger:
      case ConfigType::kSeconds: {
        const auto* number = node.as_integer();
        if (number == nullptr || number->get() < key.min || number->get() > key.max) {
          return fail(ConfigError::kValue,
                      fmt::format("is a number from {} to {}", key.min, key.max));
        }
        config_.values_[name] = number->get();
        return done();
      }
      case ConfigType::kFlag: {
        const auto* flag = node.as_boolean();
        if (flag == nullptr) return fail(ConfigError::kValue, "is true or false");
        config_.values_[name] = flag->get();
        return done();
      }
      case ConfigType::kTableList:
        return store_tables(key, node);
      case ConfigType::kListener: {
        auto one = read_listener(node);
        if (!one.ok()) return one.error();
        config_.values_[name] = std::vector<ListenerSetting>{std::move(one).value()};
        return done();
      }
      case ConfigType::kListenerList: {
        std::vector<ListenerSetting> list;
        const auto* array = node.as_array();
        if (array == nullptr) return fail(ConfigError::kValue, "is a list of addresses");
        for (const auto& item : *array) {
          auto one = read_listener(item);
          if (!one.ok()) return one.error();
          list.push_back(std::move(one).value());
        }
        config_.values_[name] = std::move(list);
        return done();
      }
    }
    std::abort();
  }

  std::span<const ConfigKey> keys_;
  Config& config_;
  std::string path_;
};

Result<Config, ConfigError> Config::load(std::span<const ConfigKey> keys,
                                         const std::optional<std::string>& path,
                                         std::span<const std::string> sets) {
  Config config;
  ConfigReader reader(keys, config);
  auto read = reader.read_defaults();
  if (!read.ok()) return read.error();
  if (path.has_value()) {
    read = reader.read_file(*path);
    if (!read.ok()) return read.error();
  }
  for (const std::string& option : sets) {
    read = reader.read_set(option);
    if (!read.ok()) return read.error();
  }
  return config;
}

template <class T>
const T& Config::get(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) std::abort();
  const T* value = std::get_if<T>(&found->second);
  if (value == nullptr) std::abort();
  return *value;
}

const std::string& Config::text(std::string_view name) const { return get<std::string>(name); }
const std::vector<std::string>& Config::text_list(std::string_view name) const {
  return get<std::vector<std::string>>(name);
}
std::int64_t Config::integer(std::string_view name) const { return get<std::int64_t>(name); }
std::chrono::seconds Config::seconds(std::string_view name) const {
  return std::chrono::seconds(get<std::int64_t>(name));
}
bool Config::flag(std::string_view name) const { return get<bool>(name); }
const std::vector<TableSetting>& Config::tables(std::string_view name) const {
  return get<std::vector<TableSetting>>(name);
}
std::string TableSetting::text(std::string_view name) const {
  const auto found = members.find(name);
  return found == members.end() || found->second.empty() ? std::string() : found->second.front();
}
const ListenerSetting& Config::listener(std::string_view name) const {
  return listeners(name).front();
}
const std::vector<ListenerSetting>& Config::listeners(std::string_view name) const {
  return get<std::vector<ListenerSetting>>(name);
}

std::string run_folder() {
  if (geteuid() == 0) return "/run/strictmx";
  // Without a runtime folder of the user's own: never a name in /tmp that others could take first.
  const std::string runtime = environment_or("XDG_RUNTIME_DIR", "");
  return runtime.empty() ? state_folder() + "/run" : runtime + "/strictmx";
}

std::string state_folder() {
  if (geteuid() == 0) return "/var/lib/strictmx";
  const std::string home = environment_or("HOME", "/nonexistent");
  return environment_or("XDG_STATE_HOME", home + "/.local/state") + "/strictmx";
}

std::string sample_config(std::span<const ConfigKey> keys) {
  std::string out =
      "# strictmx.toml - configuration of strictmx. Every key is optional; the values below are "
      "the\n"
      "# defaults of a daemon started as root. See strictmx.toml(5).\n";
  std::string section;
  for (const ConfigKey& key : keys) {
    const std::size_t dot = key.name.find('.');
    if (key.type == ConfigType::kTableList) {
      out += fmt::format("\n# {}\n#[[{}]]\n", key.help, key.name);
      continue;
    }
    const auto key_section = dot == key.name.npos ? std::string_view{} : key.name.substr(0, dot);
    if (key_section != section) {
      section = key_section;
      out += fmt::format("\n[{}]\n", section);
    } else {
      out += '\n';
    }
    out += fmt::format("# {} ({})\n#{} = {}\n", key.help, type_name(key),
                       key.name.substr(dot == key.name.npos ? 0 : dot + 1),
                       with_folders(key.default_value, "/run/strictmx", "/var/lib/strictmx"));
  }
  return out;
}

std::string config_help(std::span<const ConfigKey> keys) {
  std::string out = "Configuration keys (file, or --set section.key=value):\n";
  for (const ConfigKey& key : keys) {
    if (key.type == ConfigType::kTableList) {
      out += fmt::format("  [[{}]]\n      {} ({})\n", key.name, key.help, key.choices);
      continue;
    }
    out += fmt::format("  {} = {}\n      {} ({})\n", key.name,
                       with_folders(key.default_value, run_folder(), state_folder()), key.help,
                       type_name(key));
  }
  return out;
}

}  // namespace strictmx::base
