// postconf.cc - see postconf.h.
#include "plugins/cli/postconf.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>
#include <vector>

#include "common/base/unique_descriptor.h"

namespace strictmx::cli {
namespace {

using base::fail;
using base::UniqueDescriptor;
using Arguments = std::vector<std::string>;
using Values = std::map<std::string, std::string, std::less<>>;

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kBlanks) - first + 1));
}

bool is_program(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

struct FileActions {
  FileActions() { posix_spawn_file_actions_init(&actions); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t actions;
};

struct Output {
  std::string out;
  std::string errors;
};

// Reads both pipes until both are closed; says why it gave up, or nothing.
std::string read_pipes(int out, int errors, Output& output) {
  const auto deadline = std::chrono::steady_clock::now() + kPostconfTimeout;
  pollfd entries[] = {{out, POLLIN, 0}, {errors, POLLIN, 0}};
  std::string* const texts[] = {&output.out, &output.errors};
  while (entries[0].fd >= 0 || entries[1].fd >= 0) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return "gives no answer";
    const int ready = poll(entries, 2, static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) return std::strerror(errno);
    for (std::size_t i = 0; ready > 0 && i < 2; ++i) {
      if (entries[i].fd < 0 || entries[i].revents == 0) continue;
      char buffer[16384];
      const ssize_t got = read(entries[i].fd, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        entries[i].fd = -1;
        continue;
      }
      texts[i]->append(buffer, static_cast<std::size_t>(got));
      if (texts[i]->size() > kMaxPostconfBytes) return "says more than a configuration";
    }
  }
  return {};
}

// What postconf prints. A complaint on stderr alone is no failure: it warns of unused parameters.
Or<std::string> run(const std::string& program, const Arguments& arguments) {
  int out[2];
  int errors[2];
  if (pipe2(out, O_CLOEXEC) != 0) return fail(Exit::kInternal, std::strerror(errno));
  const UniqueDescriptor out_read(out[0]);
  UniqueDescriptor out_write(out[1]);
  if (pipe2(errors, O_CLOEXEC) != 0) return fail(Exit::kInternal, std::strerror(errno));
  const UniqueDescriptor errors_read(errors[0]);
  UniqueDescriptor errors_write(errors[1]);

  FileActions files;
  posix_spawn_file_actions_addopen(&files.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files.actions, out_write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files.actions, errors_write.get(), STDERR_FILENO);
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t child = 0;
  const int spawned =
      posix_spawn(&child, program.c_str(), &files.actions, nullptr, argv.data(), environ);
  if (spawned != 0) {
    return fail(Exit::kUnavailable, fmt::format("{}: {}", program, std::strerror(spawned)));
  }
  out_write.reset();
  errors_write.reset();

  Output output;
  const std::string problem = read_pipes(out_read.get(), errors_read.get(), output);
  if (!problem.empty()) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!problem.empty()) return fail(Exit::kUnavailable, program + " " + problem);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::move(output.out);
  const std::string said = trimmed(output.errors);
  return fail(Exit::kUnavailable,
              fmt::format("{} failed: {}", program, said.empty() ? "no reason given" : said));
}

// Lines of "name = value".
Values read_values(const std::string& text) {
  Values values;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (equals == line.npos) continue;
    values[trimmed(line.substr(0, equals))] = trimmed(line.substr(equals + 1));
  }
  return values;
}

// The chroot column of "smtp unix private unpriv chroot wakeup maxproc command" (master(5)).
// "-" is the built-in default: y below compatibility level 1, else n.
Chroot read_chroot(const std::string& text, const std::string& compatibility_level) {
  std::istringstream words(text);
  std::string column;
  for (int i = 0; i < 5; ++i) {
    if (!(words >> column)) return Chroot::kNoService;
  }
  if (column == "y") return Chroot::kYes;
  if (column == "n") return Chroot::kNo;
  return trimmed(compatibility_level) == "0" ? Chroot::kYes : Chroot::kNo;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> out;
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

class SiteReader {
 public:
  SiteReader(std::string postconf, Arguments common)
      : postconf_(std::move(postconf)), common_(std::move(common)) {}

  Or<std::string> ask(Arguments arguments) const {
    arguments.insert(arguments.begin(), common_.begin(), common_.end());
    return run(postconf_, arguments);
  }

 private:
  const std::string postconf_;
  const Arguments common_;
};

}  // namespace

Or<std::string> find_postconf() {
  const char* path = std::getenv("PATH");
  std::vector<std::string> folders;
  std::istringstream parts(path == nullptr ? "" : path);
  for (std::string folder; std::getline(parts, folder, ':');) folders.push_back(folder);
  for (const char* usual : {"/usr/sbin", "/usr/local/sbin", "/opt/postfix/usr/sbin"}) {
    folders.emplace_back(usual);
  }
  for (const std::string& folder : folders) {
    const std::string program = folder + "/postconf";
    if (folder.starts_with('/') && is_program(program)) return program;
  }
  return fail(Exit::kUnavailable,
              "postconf was not found in PATH or /usr/sbin\n"
              "Is Postfix installed here? Run it where Postfix is, or set PATH.");
}

Or<PostfixSite> read_site(const std::string& postconf,
                          const std::optional<std::string>& config_directory) {
  Arguments common;
  if (config_directory.has_value()) common = {"-c", *config_directory};
  const SiteReader reader(postconf, common);
  // Expanded (-x) to judge by; as written for what we merge with. Parameters that a version does
  // not know are left out of its answer.
  const auto expanded = reader.ask({"-x",
                                    "mail_version",
                                    "smtp_tls_security_level",
                                    "smtp_use_tls",
                                    "smtp_enforce_tls",
                                    "smtp_tls_CAfile",
                                    "smtp_tls_CApath",
                                    "smtp_tls_wrappermode",
                                    "smtp_tls_policy_maps",
                                    "smtp_tls_loglevel",
                                    "smtp_tls_enforce_sts_mx_patterns",
                                    "relayhost",
                                    "transport_maps",
                                    "default_transport",
                                    "queue_directory",
                                    "config_directory",
                                    "compatibility_level",
                                    "smtp_dns_support_level",
                                    "smtp_host_lookup",
                                    "smtp_dns_resolver_options",
                                    "ignore_mx_lookup_error"});
  if (!expanded.ok()) return expanded.error();
  const auto as_written = reader.ask({"smtp_tls_policy_maps"});
  if (!as_written.ok()) return as_written.error();
  const auto service = reader.ask({"-M", "smtp/unix"});
  if (!service.ok()) return service.error();
  const auto map_types = reader.ask({"-m"});
  if (!map_types.ok()) return map_types.error();

  Values values = read_values(expanded.value());
  PostfixSite site;
  site.version = values["mail_version"];
  site.security_level = values["smtp_tls_security_level"];
  site.use_tls = values["smtp_use_tls"] == "yes";
  site.enforce_tls = values["smtp_enforce_tls"] == "yes";
  site.ca_file = values["smtp_tls_CAfile"];
  site.ca_path = values["smtp_tls_CApath"];
  site.wrapper_mode = values["smtp_tls_wrappermode"] == "yes";
  site.policy_maps_expanded = values["smtp_tls_policy_maps"];
  site.policy_maps = read_values(as_written.value())["smtp_tls_policy_maps"];
  site.log_level = values["smtp_tls_loglevel"];
  site.enforces_mx_patterns = values["smtp_tls_enforce_sts_mx_patterns"] != "no";
  site.relay_host = values["relayhost"];
  site.transport_maps = values["transport_maps"];
  site.default_transport = values["default_transport"];
  site.queue_directory = values["queue_directory"];
  site.chroot = read_chroot(service.value(), values["compatibility_level"]);
  site.map_types = words_of(map_types.value());
  site.dns_support_level = values["smtp_dns_support_level"];
  site.host_lookup = values["smtp_host_lookup"];
  site.dns_resolver_options = values["smtp_dns_resolver_options"];
  site.ignores_mx_lookup_error = values["ignore_mx_lookup_error"] == "yes";
  site.resolver = look_at_resolver(
      (site.chroot == Chroot::kYes ? site.queue_directory : std::string()) + "/etc/resolv.conf");
  site.ca_file_is_readable = !site.ca_file.empty() && access(site.ca_file.c_str(), R_OK) == 0;
  return site;
}

}  // namespace strictmx::cli
