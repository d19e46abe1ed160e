// client.cc - see client.h. Sockets are non-blocking; every wait is a poll() until the deadline.
#include "common/client/client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/base/netstring.h"

namespace strictmx::client {
namespace {

using base::fail;
using base::Failure;
using base::Outcome;
using base::Result;
using base::UniqueDescriptor;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::string_view kUnixPrefix = "unix:";
// Between two tries while the queue of a UNIX listener is full; poll() can't wait for that.
constexpr std::chrono::milliseconds kBacklogPause{10};

Failure<ClientError> failure(ClientError code, const std::string& address,
                             std::string_view reason) {
  return fail(code, fmt::format("{}: {}", address, reason));
}

Failure<ClientError> too_late(const std::string& address, std::string_view what) {
  return failure(ClientError::kTimeout, address, fmt::format("no {} in time", what));
}

bool is_past(SteadyTime deadline) { return std::chrono::steady_clock::now() >= deadline; }

// Rounded up, so that a wait does not end just before the deadline.
int poll_milliseconds(SteadyTime deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, 1 << 30));
}

// Waits for `events`; false when the deadline passed first. Errors show at the next call.
bool wait_for(int descriptor, short events, SteadyTime deadline) {
  while (true) {
    pollfd entry{descriptor, events, 0};
    const int ready = poll(&entry, 1, poll_milliseconds(deadline));
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
    if (is_past(deadline)) return false;
  }
}

Failure<ClientError> connect_failure(const std::string& address, int error) {
  const bool is_access = error == EACCES || error == EPERM;
  return failure(is_access ? ClientError::kForbidden : ClientError::kUnreachable, address,
                 std::strerror(error));
}

Result<UniqueDescriptor, ClientError> connect_to(const std::string& address, const sockaddr* target,
                                                 socklen_t size, SteadyTime deadline) {
  UniqueDescriptor descriptor(
      socket(target->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!descriptor) return connect_failure(address, errno);
  while (connect(descriptor.get(), target, size) != 0) {
    if (errno == EINTR) continue;
    if (errno == EISCONN) return descriptor;
    if (errno == EAGAIN) {  // a UNIX listener whose queue is full
      if (is_past(deadline)) return too_late(address, "connection");
      poll(nullptr, 0, static_cast<int>(kBacklogPause.count()));
      continue;
    }
    if (errno != EINPROGRESS && errno != EALREADY) return connect_failure(address, errno);
    if (!wait_for(descriptor.get(), POLLOUT, deadline)) return too_late(address, "connection");
    int error = 0;
    socklen_t error_size = sizeof error;
    getsockopt(descriptor.get(), SOL_SOCKET, SO_ERROR, &error, &error_size);
    if (error != 0) return connect_failure(address, error);
    return descriptor;
  }
  return descriptor;
}

Result<UniqueDescriptor, ClientError> connect_unix(const std::string& address,
                                                   SteadyTime deadline) {
  const std::string path = address.substr(kUnixPrefix.size());
  sockaddr_un target{};
  target.sun_family = AF_UNIX;
  if (!path.starts_with('/') || path.size() >= sizeof target.sun_path ||
      path.find('\0') != path.npos) {
    return failure(ClientError::kUnreachable, address,
                   "is no address: unix: wants a full path of at most 107 bytes");
  }
  std::memcpy(target.sun_path, path.c_str(), path.size());
  return connect_to(address, reinterpret_cast<const sockaddr*>(&target), sizeof target, deadline);
}

Result<UniqueDescriptor, ClientError> connect_tcp(const std::string& address, SteadyTime deadline) {
  const std::size_t colon = address.rfind(':');
  const auto no_address = [&address] {
    return failure(ClientError::kUnreachable, address,
                   "is no address: want unix:/PATH, or HOST:PORT with an IP address");
  };
  if (colon == address.npos || colon == 0) return no_address();
  std::string host = address.substr(0, colon);
  const std::string port = address.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const std::vector<std::string> hosts =
      host == "localhost" ? std::vector<std::string>{"127.0.0.1", "::1"} : std::vector{host};
  auto result = Result<UniqueDescriptor, ClientError>(no_address());
  for (const std::string& one : hosts) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (getaddrinfo(one.c_str(), port.c_str(), &hints, &found) != 0) return no_address();
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
    result = connect_to(address, found->ai_addr, found->ai_addrlen, deadline);
    if (result.ok()) break;
  }
  return result;
}

// A server may reply and hang up before it has read everything (a refusal): then sending fails and
// there still is a reply to read. So a broken pipe is not the end here; receive() says what is.
Outcome<ClientError> send_all(const std::string& address, int descriptor, std::string_view bytes,
                              SteadyTime deadline) {
  while (!bytes.empty()) {
    const ssize_t put = send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno == EAGAIN) {
      if (!wait_for(descriptor, POLLOUT, deadline)) return too_late(address, "room to send");
    } else if (errno != EINTR) {
      return base::done();
    }
    if (is_past(deadline)) return too_late(address, "reply");
  }
  return base::done();
}

Result<std::string, ClientError> receive(const std::string& address, int descriptor,
                                         std::size_t max_bytes, SteadyTime deadline) {
  std::string input;
  while (true) {
    char buffer[16384];
    const ssize_t got = recv(descriptor, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      if (!wait_for(descriptor, POLLIN, deadline)) return too_late(address, "reply");
      continue;
    }
    if (got < 0) return failure(ClientError::kProtocol, address, std::strerror(errno));
    if (got == 0) {
      return failure(ClientError::kProtocol, address, "connection closed before the reply");
    }
    input.append(buffer, static_cast<std::size_t>(got));
    const base::Netstring frame = base::parse_netstring(input, max_bytes);
    switch (frame.state) {
      case base::NetstringState::kComplete:
        if (frame.consumed != input.size()) {
          return failure(ClientError::kProtocol, address, "more than one reply to one request");
        }
        return std::string(frame.payload);
      case base::NetstringState::kIncomplete:
        break;
      case base::NetstringState::kMalformed:
        return failure(ClientError::kProtocol, address, "the reply is no netstring");
      case base::NetstringState::kTooLong:
        return failure(ClientError::kProtocol, address,
                       fmt::format("the reply is over {} bytes", max_bytes));
    }
    if (is_past(deadline)) return too_late(address, "reply");  // a drip of bytes does not extend it
  }
}

Result<std::string, ClientError> exchange(const std::string& address, int descriptor,
                                          std::string_view request, std::size_t max_reply_bytes,
                                          SteadyTime deadline) {
  std::string frame;
  base::append_netstring(frame, request);
  auto sent = send_all(address, descriptor, frame, deadline);
  if (!sent.ok()) return sent.error();
  return receive(address, descriptor, max_reply_bytes, deadline);
}

bool is_map_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxMapNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

// "<status> <text>", socketmap_table(5). TIMEOUT is a server's way to say TEMP.
Result<Answer, ClientError> read_answer(const std::string& address, std::string_view reply) {
  const std::size_t space = std::min(reply.find(' '), reply.size());
  const std::string_view word = reply.substr(0, space);
  std::string text(reply.substr(std::min(space + 1, reply.size())));
  for (const AnswerStatus status :
       {AnswerStatus::kOk, AnswerStatus::kNotFound, AnswerStatus::kTemp, AnswerStatus::kPerm}) {
    if (word == answer_status_name(status)) return Answer{status, std::move(text)};
  }
  if (word == "TIMEOUT") return Answer{AnswerStatus::kTemp, std::move(text)};
  std::string shown;
  base::append_log_value(shown, word, kMaxMapNameBytes);
  return failure(ClientError::kProtocol, address, "the reply begins with " + shown);
}

}  // namespace

std::string_view answer_status_name(AnswerStatus status) {
  switch (status) {
    case AnswerStatus::kOk:
      return "OK";
    case AnswerStatus::kNotFound:
      return "NOTFOUND";
    case AnswerStatus::kTemp:
      return "TEMP";
    case AnswerStatus::kPerm:
      return "PERM";
  }
  return "TEMP";
}

Result<Connection, ClientError> Connection::open(const std::string& address, Timeout timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  auto connected = address.starts_with(kUnixPrefix) ? connect_unix(address, deadline)
                                                    : connect_tcp(address, deadline);
  if (!connected.ok()) return connected.error();
  return Connection(address, std::move(connected).value());
}

Result<Answer, ClientError> Connection::ask(std::string_view map, std::string_view key,
                                            Timeout timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  if (!is_map_name(map)) {
    return failure(ClientError::kProtocol, address_, "a map is 1 to 32 of A-Z a-z 0-9 _ -");
  }
  const std::string request = fmt::format("{} {}", map, key);
  if (request.size() > kMaxQuestionBytes) {
    return failure(ClientError::kProtocol, address_,
                   fmt::format("the question is over {} bytes", kMaxQuestionBytes));
  }
  auto reply = exchange(address_, descriptor_.get(), request, kMaxAnswerBytes, deadline);
  if (!reply.ok()) return reply.error();
  return read_answer(address_, reply.value());
}

Result<std::string, ClientError> Connection::control(std::string_view request, Timeout timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  if (request.size() > kMaxControlRequestBytes) {
    return failure(ClientError::kProtocol, address_,
                   fmt::format("the request is over {} bytes", kMaxControlRequestBytes));
  }
  return exchange(address_, descriptor_.get(), request, kMaxControlReplyBytes, deadline);
}

namespace {

Timeout left_of(Timeout timeout, SteadyTime start) {
  const auto passed = std::chrono::floor<Timeout>(std::chrono::steady_clock::now() - start);
  return std::max(timeout - passed, Timeout{0});
}

}  // namespace

Result<Answer, ClientError> ask(const std::string& address, std::string_view map,
                                std::string_view key, Timeout timeout) {
  const SteadyTime start = std::chrono::steady_clock::now();
  auto connection = Connection::open(address, timeout);
  if (!connection.ok()) return connection.error();
  return connection.value().ask(map, key, left_of(timeout, start));
}

Result<std::string, ClientError> control(const std::string& address, std::string_view request,
                                         Timeout timeout) {
  if (!address.starts_with(kUnixPrefix)) {
    return failure(ClientError::kUnreachable, address,
                   "is no address of a control socket: want unix:/PATH");
  }
  const SteadyTime start = std::chrono::steady_clock::now();
  auto connection = Connection::open(address, timeout);
  if (!connection.ok()) return connection.error();
  return connection.value().control(request, left_of(timeout, start));
}

}  // namespace strictmx::client
