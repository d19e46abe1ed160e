// process.cc - see process.h.
#include "common/base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "common/base/unique_descriptor.h"

namespace strictmx::base {
namespace {

Failure<ProcessError> system_failure(std::string_view what) {
  return fail(ProcessError::kSystem, fmt::format("{}: {}", what, std::strerror(errno)));
}

constexpr int kToGive = O_RDONLY | O_NONBLOCK | O_CLOEXEC;

std::vector<std::string> names_in(int folder) {
  std::vector<std::string> names;
  const int own = openat(folder, ".", kToGive | O_DIRECTORY);
  DIR* const entries = own < 0 ? nullptr : fdopendir(own);
  if (entries == nullptr) {
    if (own >= 0) close(own);
    return names;
  }
  while (const dirent* const entry = readdir(entries)) names.emplace_back(entry->d_name);
  closedir(entries);
  return names;
}

enum class Depth { kFilesToo, kAlone };

// By descriptors alone: the folder may be the user's already, who could swap a name for a link.
Outcome<ProcessError> give(int folder, const std::string& name, const UserIds& user, Depth depth) {
  const UniqueDescriptor opened(openat(folder, name.c_str(), kToGive | O_NOFOLLOW));
  struct stat status {};
  if (!opened || fstat(opened.get(), &status) != 0) return done();
  const bool is_folder = S_ISDIR(status.st_mode) && depth == Depth::kFilesToo;
  if (!is_folder && (!S_ISREG(status.st_mode) || status.st_nlink != 1)) return done();
  if (status.st_uid != user.uid && fchown(opened.get(), user.uid, user.gid) != 0) {
    return system_failure(name);
  }
  if (!is_folder) return done();
  for (const std::string& inside : names_in(opened.get())) {
    auto given = give(opened.get(), inside, user, Depth::kAlone);
    if (!given.ok()) return given;
  }
  return done();
}

}  // namespace

Result<UserIds, ProcessError> find_user(const std::string& name) {
  const passwd* entry = getpwnam(name.c_str());
  if (entry == nullptr) return fail(ProcessError::kNoSuchUser, "no user " + name);
  return UserIds{name, entry->pw_uid, entry->pw_gid};
}

Outcome<ProcessError> become_user(const UserIds& user) {
  const gid_t group = user.gid;
  if (setgroups(1, &group) != 0) return system_failure("setgroups");
  if (setresgid(user.gid, user.gid, user.gid) != 0) return system_failure("setresgid");
  if (setresuid(user.uid, user.uid, user.uid) != 0) return system_failure("setresuid");
  if (user.uid != 0 && setuid(0) == 0) {
    return fail(ProcessError::kSystem, "root privileges could be had back");
  }
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return done();
}

Outcome<ProcessError> give_store(const std::string& path, const UserIds& user) {
  const std::filesystem::path file(path);
  const std::filesystem::path folder = file.parent_path();
  std::error_code error;
  const bool is_new = std::filesystem::create_directories(folder, error);
  if (error) return fail(ProcessError::kSystem, folder.string() + ": " + error.message());
  if (is_new) {
    if (chmod(folder.c_str(), 0750) != 0) return system_failure(folder.string());
    if (chown(folder.c_str(), user.uid, user.gid) != 0) return system_failure(folder.string());
  }
  const UniqueDescriptor opened(open(folder.empty() ? "." : folder.c_str(), kToGive | O_DIRECTORY));
  if (!opened) return system_failure(folder.string());
  for (const std::string& name : names_in(opened.get())) {
    if (!name.starts_with(file.filename().string())) continue;
    auto given = give(opened.get(), name, user, Depth::kFilesToo);
    if (!given.ok()) return given;
  }
  return done();
}

Result<PeerIds, ProcessError> peer_ids(int descriptor) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return system_failure("SO_PEERCRED");
  }
  return PeerIds{credentials.uid, credentials.pid};
}

unsigned long raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

void release_free_memory() { malloc_trim(0); }

void notify_systemd(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr) return;
  const std::size_t length = std::strlen(path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (length < 2 || length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // abstract name
  const UniqueDescriptor descriptor(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!descriptor) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  // systemd misses the word at worst; the daemon works without it.
  [[maybe_unused]] const auto sent =
      sendto(descriptor.get(), state.data(), state.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace strictmx::base
