// client.h - asks strictmxd: one socketmap question or one control request, with a deadline.
//
// Use: ask() or control() for one exchange; Connection for many questions over one connection.
// Address: "unix:/PATH", or "HOST:PORT" where HOST is an IP address ([..] around IPv6) or
// "localhost". Names are not looked up: the system's resolver keeps no deadline. There is no
// fallback from one address to another.
// Ownership: values; a Connection owns its socket. Threads: one Connection per thread; ask() and
// control() from any.
// Blocks at most `timeout` in all: connecting, sending and waiting for the whole reply.
// Errors: ClientError with the address and the reason. After one, a Connection is of no more use.
// Limits: the constants below; a longer request is kProtocol before anything is sent.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/unique_descriptor.h"

namespace strictmx::client {

// As Postfix has them (dict_sockmap.c), and as strictmxd keeps them.
inline constexpr std::size_t kMaxQuestionBytes = 10000;
inline constexpr std::size_t kMaxAnswerBytes = 100000;
inline constexpr std::size_t kMaxMapNameBytes = 32;
// As common/service/control_server.h, which this library does not link.
inline constexpr std::size_t kMaxControlRequestBytes = 64 * 1024;
inline constexpr std::size_t kMaxControlReplyBytes = 16 * 1024 * 1024;

enum class ClientError {
  kUnreachable,  // nobody listens at the address, or it is no address
  kTimeout,      // connected or not, the reply was not complete in time
  kProtocol,     // what listens there speaks another protocol, or hung up in the middle
  kForbidden,    // the mode of the UNIX socket or of its folder keeps this user out
};

enum class AnswerStatus { kOk, kNotFound, kTemp, kPerm };

std::string_view answer_status_name(AnswerStatus status);  // "OK", "NOTFOUND", "TEMP", "PERM"

struct Answer {
  AnswerStatus status = AnswerStatus::kTemp;
  std::string text;  // after the status; untrusted
  bool operator==(const Answer&) const = default;
};

using Timeout = std::chrono::milliseconds;

class Connection {
 public:
  static base::Result<Connection, ClientError> open(const std::string& address, Timeout timeout);

  // `map` is 1 to 32 of A-Z a-z 0-9 _ -; `key` may hold any byte.
  base::Result<Answer, ClientError> ask(std::string_view map, std::string_view key,
                                        Timeout timeout);
  // JSON text both ways. Refusals are replies: {"ok": false, "code": "forbidden", ...}.
  base::Result<std::string, ClientError> control(std::string_view request, Timeout timeout);

 private:
  Connection(std::string address, base::UniqueDescriptor descriptor)
      : address_(std::move(address)), descriptor_(std::move(descriptor)) {}

  std::string address_;
  base::UniqueDescriptor descriptor_;
};

base::Result<Answer, ClientError> ask(const std::string& address, std::string_view map,
                                      std::string_view key, Timeout timeout);

// `address` is "unix:/PATH"; there is no control socket on TCP.
base::Result<std::string, ClientError> control(const std::string& address, std::string_view request,
                                               Timeout timeout);

}  // namespace strictmx::client
