// listen_socket.h - opens the sockets a daemon listens on, or takes them from systemd.
//
// Use: open_listener() and open_datagram_socket() for each setting before privileges are dropped. A
// socket that systemd passed (LISTEN_FDS) for the same address is taken instead of a new one.
// Ownership: the caller owns the descriptor; a UNIX path is not removed at exit, so that a
// restarting daemon never removes its successor's socket.
// Threads: start-up only. Errors: ListenError with the address and the reason.
#pragma once

#include <string>
#include <vector>

#include "common/base/config_file.h"
#include "common/base/result.h"
#include "common/base/unique_descriptor.h"

namespace strictmx::base {

enum class ListenError { kAddress, kInUse, kSystem };

// Kernel queue of connections not yet accepted.
inline constexpr int kListenBacklog = 1024;

enum class SocketKind { kStream, kDatagram };

// The sockets passed by systemd, by address text ("127.0.0.1:8461", "unix:/path").
class PassedSockets {
 public:
  // Reads LISTEN_PID and LISTEN_FDS and unsets them, so that no child sees them.
  static PassedSockets take();
  // The socket of this kind bound to this address, or none.
  UniqueDescriptor find(const std::string& address, SocketKind kind);
  // Addresses that no setting asked for.
  std::vector<std::string> left() const;

 private:
  struct Passed {
    std::string address;
    SocketKind kind;
    UniqueDescriptor descriptor;
  };
  std::vector<Passed> sockets_;
};

// Non-blocking, close-on-exec, listening. default_mode applies to UNIX sockets without one.
// An existing socket file that nobody listens on is replaced; one in use is kInUse.
Result<UniqueDescriptor, ListenError> open_listener(const ListenerSetting& setting,
                                                    std::uint32_t default_mode,
                                                    PassedSockets& passed);

// Non-blocking, close-on-exec, bound, for datagrams; a UNIX path alone, else kAddress.
Result<UniqueDescriptor, ListenError> open_datagram_socket(const ListenerSetting& setting,
                                                           std::uint32_t default_mode,
                                                           PassedSockets& passed);

}  // namespace strictmx::base
