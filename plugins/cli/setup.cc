// setup.cc - strictmx setup postfix: looks at this site's Postfix and prints the lines it needs.
//
// The output is a shell script: what to run as `postconf -e` lines, everything else as comments.
// Nothing is changed.
#include <fmt/format.h>
#include <jansson.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "common/client/client.h"
#include "plugins/cli/cli.h"
#include "plugins/cli/dane_site.h"
#include "plugins/cli/json.h"
#include "plugins/cli/postconf.h"
#include "plugins/cli/terminal.h"

namespace strictmx::cli {
namespace {

using base::fail;

// The probe whether strictmxd answers; it is on this machine.
constexpr std::chrono::seconds kProbeTimeout{3};
constexpr std::size_t kCommentColumns = 92;

struct SetupOptions {
  std::optional<std::string> config_directory;
  bool is_json = false;
};

// The answer comes without a look at DNS: a leading dot is NOTFOUND at once.
bool answers(const std::string& address) {
  const auto answer = client::ask(address, "postfix", ".strictmx", kProbeTimeout);
  return answer.ok() && answer.value().status == client::AnswerStatus::kNotFound;
}

// The listener behind the table, in the client's spelling.
std::string client_address(const Advice& advice, const PostfixSite& site) {
  constexpr std::string_view kInet = "socketmap:inet:";
  constexpr std::string_view kUnix = "socketmap:unix:";
  const std::string_view table = std::string_view(advice.table).substr(0, advice.table.rfind(':'));
  if (table.starts_with(kInet)) return std::string(table.substr(kInet.size()));
  const std::string path(table.substr(kUnix.size()));
  return "unix:" + (path.starts_with('/') ? path : site.queue_directory + "/" + path);
}

// postmap runs outside the chroot and not in the queue directory.
std::string test_table(const Advice& advice, const PostfixSite& site) {
  const std::string address = client_address(advice, site);
  return fmt::format("socketmap:{}{}:{}", address.starts_with("unix:") ? "" : "inet:", address,
                     advice.table.substr(advice.table.rfind(':') + 1));
}

// Comment lines of a readable width. Words are escaped: values come from main.cf.
std::string comment(std::string_view text, std::string_view bullet = "") {
  const std::string first = fmt::format("# {}", bullet);
  const std::string further = "# " + std::string(bullet.size(), ' ');
  std::string out;
  std::string line = first;
  const std::string escaped = shown(text);
  std::string_view left = escaped;
  while (!left.empty()) {
    const std::size_t end = std::min(left.find(' '), left.size());
    const std::string_view word = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    const bool is_begun = line.size() > further.size();
    if (is_begun && line.size() + 1 + word.size() > kCommentColumns) {
      out += line + "\n";
      line = further + std::string(word);
    } else {
      line += (is_begun ? " " : "") + std::string(word);
    }
  }
  return out + line + "\n";
}

std::string command_prefix(const std::string& program, const SetupOptions& options) {
  if (!options.config_directory.has_value()) return program;
  return fmt::format("{} -c {}", program, shell_quoted(*options.config_directory));
}

std::vector<std::string> commands(const Advice& advice, const SetupOptions& options) {
  std::vector<std::string> lines;
  for (const Setting& setting : advice.settings) {
    lines.push_back(fmt::format("{} -e {}", command_prefix("postconf", options),
                                shell_quoted(setting.name + " = " + setting.value)));
  }
  if (!lines.empty()) lines.push_back(command_prefix("postfix", options) + " reload");
  return lines;
}

std::string tests(const Advice& advice, const PostfixSite& site) {
  std::string out = comment("Test:");
  out += comment("strictmx query DOMAIN", "  ");
  out += comment("postmap -q DOMAIN " + shell_quoted(test_table(advice, site)), "  ");
  out += comment("and after a delivery, with smtp_tls_loglevel = 1 (now " +
                     (site.log_level.empty() ? std::string("0") : site.log_level) +
                     "), the log says for a domain with an enforce policy: Verified TLS connection "
                     "established",
                 "  ");
  return out;
}

std::string script(const PostfixSite& site, const Advice& advice, const SetupOptions& options) {
  std::string out = comment("Postfix " + site.version +
                            (site.chroot == Chroot::kYes ? ", smtp(8) in a chroot" : ""));
  if (!advice.blocked.empty()) {
    return out + "#\n" + comment("NOTHING TO SET: " + advice.blocked + ".");
  }
  for (const std::string& text : advice.done) out += comment(text, "ok: ");
  for (const std::string& text : advice.warnings) out += comment(text, "NOTE: ");
  const std::string option = dane_option(advice.dane);
  if (!option.empty()) out += comment(option, "DANE: ");
  const auto lines = commands(advice, options);
  if (lines.empty()) out += "#\n" + comment("Everything is set already.");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    out += "\n";
    out += i < advice.settings.size() ? comment(advice.settings[i].why)
                                      : comment("takes the settings over");
    out += styled(Style::kHeading, shown(lines[i])) + "\n";
  }
  return out + "\n" + tests(advice, site);
}

void set_text(const Json& to, const char* name, std::string_view text) {
  json_object_set_new(to.get(), name, json_text(text).release());
}

Json settings_json(const std::vector<Setting>& settings) {
  Json list(json_array());
  for (const Setting& setting : settings) {
    Json one(json_object());
    set_text(one, "name", setting.name);
    set_text(one, "value", setting.value);
    set_text(one, "why", setting.why);
    json_array_append_new(list.get(), one.release());
  }
  return list;
}

Json resolver_json(const SiteResolver& resolver) {
  Json object(json_object());
  set_text(object, "file", resolver.file);
  json_object_set_new(object.get(), "name_servers",
                      json_texts(resolver.conf.name_servers).release());
  set_text(object, "validates", validation_name(resolver.validation));
  return object;
}

Json dane_json(const PostfixSite& site, const DaneAdvice& dane) {
  Json object(json_object());
  json_object_set_new(object.get(), "on", json_boolean(dane.is_on));
  json_object_set_new(object.get(), "ready", json_boolean(dane.is_ready()));
  set_text(object, "level", dane.level);
  json_object_set_new(object.get(), "level_allows", json_boolean(dane.is_level_right));
  json_object_set_new(object.get(), "has", json_texts(dane.has).release());
  json_object_set_new(object.get(), "missing", json_texts(dane.missing).release());
  json_object_set_new(object.get(), "settings", settings_json(dane.settings).release());
  json_object_set_new(object.get(), "resolver", resolver_json(site.resolver).release());
  set_text(object, "config_file", dane.config_file);
  json_object_set_new(object.get(), "config_lines",
                      json_texts({kDaneLines.begin(), kDaneLines.end()}).release());
  return object;
}

Json advice_json(const PostfixSite& site, const Advice& advice, const SetupOptions& options) {
  Json object(json_object());
  set_text(object, "postfix_version", site.version);
  json_object_set_new(object.get(), "chroot", json_boolean(site.chroot == Chroot::kYes));
  json_object_set_new(object.get(), "possible", json_boolean(advice.blocked.empty()));
  if (!advice.blocked.empty()) set_text(object, "blocked", advice.blocked);
  if (!advice.table.empty()) set_text(object, "map", advice.table);
  json_object_set_new(object.get(), "settings", settings_json(advice.settings).release());
  json_object_set_new(object.get(), "commands", json_texts(commands(advice, options)).release());
  json_object_set_new(object.get(), "done", json_texts(advice.done).release());
  json_object_set_new(object.get(), "warnings", json_texts(advice.warnings).release());
  json_object_set_new(object.get(), "dane", dane_json(site, advice.dane).release());
  return object;
}

Or<StrictmxSite> own_site(const Command& command) {
  auto config = command.config();
  if (!config.ok()) return config.error();
  StrictmxSite own;
  for (const auto& listener : config.value().listeners("listen.socketmap")) {
    own.listeners.push_back(listener.address);
  }
  own.ca_file = config.value().text("https.ca_file");
  own.dane = config.value().flag("postfix.dane");
  own.config_file = command.config_path.value_or(std::string(base::kDefaultConfigPath));
  own.ca_file_is_readable = access(own.ca_file.c_str(), R_OK) == 0;
  return own;
}

Outcome setup_postfix(const Command& command, const SetupOptions& options) {
  const std::string folder = options.config_directory.value_or("");
  if (shown(folder) != folder) {
    return fail(Exit::kUsage, "--config-directory: has unprintable characters");
  }
  const auto own = own_site(command);
  if (!own.ok()) return own.error();
  const auto postconf = find_postconf();
  if (!postconf.ok()) return postconf.error();
  const auto site = read_site(postconf.value(), options.config_directory);
  if (!site.ok()) return site.error();
  Advice advice = advise(site.value(), own.value());
  if (advice.blocked.empty()) {
    const std::string address = client_address(advice, site.value());
    if (!answers(address)) {
      advice.warnings.insert(
          advice.warnings.begin(),
          fmt::format("strictmxd does not answer at {} now. Start it first: while it is "
                      "down, Postfix defers all mail that goes out by SMTP "
                      "(4.7.5)",
                      address));
    }
  }
  fmt::print("{}", options.is_json ? print_json(advice_json(site.value(), advice, options).get())
                                   : script(site.value(), advice, options));
  if (advice.blocked.empty()) return base::done();
  return fail(Exit::kConfig, "this Postfix can not ask strictmxd; the output says why");
}

}  // namespace

void add_setup(CLI::App& app, Command& command) {
  CLI::App* parent = app.add_subcommand("setup", "print what a mail server needs to ask strictmxd");
  parent->require_subcommand(1);
  auto options = std::make_shared<SetupOptions>();
  CLI::App* sub = parent->add_subcommand("postfix", "reads postconf, prints postconf -e lines");
  sub->add_option("--config-directory", options->config_directory,
                  "Postfix's configuration, for one of several instances")
      ->type_name("DIR");
  sub->add_flag("--json", options->is_json, "print JSON");
  sub->callback([&command, options] {
    command.run = [&command, options] { return setup_postfix(command, *options); };
  });
}

}  // namespace strictmx::cli
