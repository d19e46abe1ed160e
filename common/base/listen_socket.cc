// listen_socket.cc - see listen_socket.h.
#include "common/base/listen_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

namespace strictmx::base {
namespace {

constexpr int kFirstPassed = 3;  // SD_LISTEN_FDS_START, sd_listen_fds(3)
constexpr int kMaxPassed = 64;

std::string reason() { return std::strerror(errno); }

std::string bound_address(int descriptor) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  if (storage.ss_family == AF_UNIX) {
    const auto* address = reinterpret_cast<const sockaddr_un*>(&storage);
    const std::size_t used = length - offsetof(sockaddr_un, sun_path);
    return "unix:" + std::string(address->sun_path, strnlen(address->sun_path, used));
  }
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getnameinfo(reinterpret_cast<sockaddr*>(&storage), length, host, sizeof host, port,
                  sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  return storage.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host, port)
                                       : fmt::format("{}:{}", host, port);
}

int environment_number(const char* name) {
  const char* text = std::getenv(name);
  int number = 0;
  if (text == nullptr) return 0;
  const char* end = text + std::strlen(text);
  const auto parsed = std::from_chars(text, end, number);
  return parsed.ec == std::errc() && parsed.ptr == end ? number : 0;
}

int type_of(SocketKind kind) { return kind == SocketKind::kStream ? SOCK_STREAM : SOCK_DGRAM; }

// A socket of another kind there counts too: connect() says EPROTOTYPE.
bool somebody_listens(const sockaddr_un& address, SocketKind kind) {
  const UniqueDescriptor probe(socket(AF_UNIX, type_of(kind) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return true;
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
         errno != ECONNREFUSED;
}

// The folder may be another user's, who can put a link in the socket's place: none is followed.
Outcome<ListenError> set_group(const std::string& path, const std::string& name) {
  if (name.empty()) return done();
  const group* entry = getgrnam(name.c_str());
  if (entry == nullptr) {
    return fail(ListenError::kAddress, fmt::format("{}: no group {}", path, name));
  }
  if (lchown(path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) != 0) {
    return fail(ListenError::kSystem, fmt::format("{}: lchown: {}", path, reason()));
  }
  return done();
}

Result<UniqueDescriptor, ListenError> open_unix(const ListenerSetting& setting,
                                                std::uint32_t default_mode, SocketKind kind) {
  const std::string path = setting.address.substr(5);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(ListenError::kAddress, path + ": path of a UNIX socket is over 107 bytes");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  // Others must reach the socket, whose own mode says who may use it: a folder below the queue of a
  // Postfix in its chroot is of no use when it is closed.
  const mode_t usual = umask(022);
  std::error_code ignored;  // a folder that can't be made shows as the bind's own error
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  umask(usual);
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) {
      return fail(ListenError::kInUse, path + ": exists and is not a socket; remove it");
    }
    if (somebody_listens(address, kind)) {
      return fail(ListenError::kInUse, path + ": another process listens there");
    }
    unlink(path.c_str());
  }
  UniqueDescriptor descriptor(socket(AF_UNIX, type_of(kind) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!descriptor) return fail(ListenError::kSystem, path + ": socket: " + reason());
  // bind() itself makes it with its mode: a chmod() after it would follow a link that the folder's
  // owner puts in its place.
  const mode_t mode = setting.mode != 0 ? setting.mode : default_mode;
  const mode_t before = umask(~mode & 0777);
  const int bound =
      bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int bind_errno = errno;
  umask(before);
  if (bound != 0) {
    return fail(ListenError::kSystem, fmt::format("{}: bind: {}", path, std::strerror(bind_errno)));
  }
  auto grouped = set_group(path, setting.group);
  if (!grouped.ok()) return grouped.error();
  if (kind == SocketKind::kStream && listen(descriptor.get(), kListenBacklog) != 0) {
    return fail(ListenError::kSystem, path + ": listen: " + reason());
  }
  return descriptor;
}

Result<UniqueDescriptor, ListenError> open_tcp(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(host.empty() || host == "*" ? nullptr : host.c_str(), port.c_str(),
                               &hints, &found);
  if (code != 0) {
    return fail(ListenError::kAddress,
                text + ": is no address and port (a host name can't be listened on)");
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
  UniqueDescriptor descriptor(
      socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!descriptor) return fail(ListenError::kSystem, text + ": socket: " + reason());
  const int one = 1;
  setsockopt(descriptor.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(descriptor.get(), found->ai_addr, found->ai_addrlen) != 0) {
    const auto error = errno == EADDRINUSE ? ListenError::kInUse : ListenError::kSystem;
    return fail(error, fmt::format("{}: {}", text, reason()));
  }
  if (listen(descriptor.get(), kListenBacklog) != 0) {
    const auto error = errno == EADDRINUSE ? ListenError::kInUse : ListenError::kSystem;
    return fail(error, fmt::format("{}: {}", text, reason()));
  }
  return descriptor;
}

}  // namespace

PassedSockets PassedSockets::take() {
  PassedSockets passed;
  const bool is_ours = environment_number("LISTEN_PID") == getpid();
  const int count = is_ours ? environment_number("LISTEN_FDS") : 0;
  for (int i = 0; i < count && i < kMaxPassed; ++i) {
    UniqueDescriptor descriptor(kFirstPassed + i);
    fcntl(descriptor.get(), F_SETFD, FD_CLOEXEC);
    fcntl(descriptor.get(), F_SETFL, fcntl(descriptor.get(), F_GETFL) | O_NONBLOCK);
    std::string address = bound_address(descriptor.get());
    int type = SOCK_STREAM;
    socklen_t length = sizeof type;
    getsockopt(descriptor.get(), SOL_SOCKET, SO_TYPE, &type, &length);
    passed.sockets_.push_back({std::move(address),
                               type == SOCK_DGRAM ? SocketKind::kDatagram : SocketKind::kStream,
                               std::move(descriptor)});
  }
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
  return passed;
}

UniqueDescriptor PassedSockets::find(const std::string& address, SocketKind kind) {
  for (auto entry = sockets_.begin(); entry != sockets_.end(); ++entry) {
    if (entry->address != address || entry->kind != kind) continue;
    UniqueDescriptor descriptor = std::move(entry->descriptor);
    sockets_.erase(entry);
    return descriptor;
  }
  return {};
}

std::vector<std::string> PassedSockets::left() const {
  std::vector<std::string> addresses;
  for (const Passed& entry : sockets_) addresses.push_back(entry.address);
  return addresses;
}

Result<UniqueDescriptor, ListenError> open_listener(const ListenerSetting& setting,
                                                    std::uint32_t default_mode,
                                                    PassedSockets& passed) {
  UniqueDescriptor from_systemd = passed.find(setting.address, SocketKind::kStream);
  if (from_systemd) return from_systemd;
  if (setting.address.starts_with("unix:")) {
    return open_unix(setting, default_mode, SocketKind::kStream);
  }
  return open_tcp(setting.address);
}

Result<UniqueDescriptor, ListenError> open_datagram_socket(const ListenerSetting& setting,
                                                           std::uint32_t default_mode,
                                                           PassedSockets& passed) {
  UniqueDescriptor from_systemd = passed.find(setting.address, SocketKind::kDatagram);
  if (from_systemd) return from_systemd;
  if (setting.address.starts_with("unix:")) {
    return open_unix(setting, default_mode, SocketKind::kDatagram);
  }
  return fail(ListenError::kAddress,
              setting.address + ": results are taken on UNIX sockets alone, \"unix:PATH\"");
}

}  // namespace strictmx::base
