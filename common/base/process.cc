// process.cc - see process.h.
#include "common/base/process.h"

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

#include "common/base/unique_descriptor.h"

namespace strictmx::base {
namespace {

Failure<ProcessError> system_failure(std::string_view what) {
  return fail(ProcessError::kSystem, fmt::format("{}: {}", what, std::strerror(errno)));
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
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (!entry.path().filename().string().starts_with(file.filename().string())) continue;
    const UniqueDescriptor opened(
        open(entry.path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    if (!opened || fstat(opened.get(), &status) != 0) continue;
    if (!S_ISREG(status.st_mode) || status.st_nlink != 1 || status.st_uid == user.uid) continue;
    if (fchown(opened.get(), user.uid, user.gid) != 0) {
      return system_failure(entry.path().string());
    }
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
