// client_test.cc - common/client against a small server that behaves in every bad way.
//
// Setup: a thread accepts one connection after the other, reads one request (a netstring) and does
// what the row says. Expected: the named failure, or the answer, never later than the deadline.
#include "common/client/client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "common/base/netstring.h"
#include "common/base/unique_descriptor.h"

namespace strictmx::client {
namespace {

using base::UniqueDescriptor;
using std::chrono::milliseconds;

constexpr milliseconds kLong{10000};
constexpr milliseconds kShort{300};

std::string framed(std::string_view text) {
  std::string out;
  base::append_netstring(out, text);
  return out;
}

void send_text(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    if (put <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

std::string read_request(int descriptor) {
  std::string input;
  char buffer[4096];
  while (base::parse_netstring(input, 1 << 20).state == base::NetstringState::kIncomplete) {
    const ssize_t got = recv(descriptor, buffer, sizeof buffer, 0);
    if (got <= 0) break;
    input.append(buffer, static_cast<std::size_t>(got));
  }
  return std::string(base::parse_netstring(input, 1 << 20).payload);
}

// Serves one connection at a time with `serve(descriptor, is_ending)` until it is destroyed.
class FakeServer {
 public:
  using Serve = std::function<void(int, const std::atomic<bool>&)>;

  FakeServer(int family, Serve serve) : serve_(std::move(serve)) {
    listening_ = UniqueDescriptor(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (family == AF_UNIX) {
      bind_unix();
    } else {
      bind_tcp();
    }
    EXPECT_EQ(listen(listening_.get(), 8), 0);
    thread_ = std::thread([this] { run(); });
  }
  ~FakeServer() {
    is_ending_ = true;
    thread_.join();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  const std::string& address() const { return address_; }

 private:
  void bind_unix() {
    std::string pattern = (std::filesystem::temp_directory_path() / "client-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    const std::string path = folder_ + "/socket";
    sockaddr_un target{};
    target.sun_family = AF_UNIX;
    ASSERT_LT(path.size(), sizeof target.sun_path);
    std::memcpy(target.sun_path, path.c_str(), path.size());
    ASSERT_EQ(bind(listening_.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target), 0);
    address_ = "unix:" + path;
  }

  void bind_tcp() {
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof target;
    ASSERT_EQ(bind(listening_.get(), reinterpret_cast<const sockaddr*>(&target), size), 0);
    ASSERT_EQ(getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&target), &size), 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(target.sin_port));
  }

  void run() {
    while (!is_ending_) {
      pollfd entry{listening_.get(), POLLIN, 0};
      if (poll(&entry, 1, 20) <= 0) continue;
      const UniqueDescriptor accepted(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (accepted) serve_(accepted.get(), is_ending_);
    }
  }

  Serve serve_;
  UniqueDescriptor listening_;
  std::string folder_;
  std::string address_;
  std::atomic<bool> is_ending_ = false;
  std::thread thread_;
};

void wait_until_ending(const std::atomic<bool>& is_ending) {
  while (!is_ending) std::this_thread::sleep_for(milliseconds(5));
}

// Replies the same bytes to each request of a connection.
FakeServer::Serve replying(std::string bytes) {
  return [bytes = std::move(bytes)](int descriptor, const std::atomic<bool>&) {
    while (!read_request(descriptor).empty()) send_text(descriptor, bytes);
  };
}

TEST(ClientAsk, RepliesOfTheProtocol) {
  struct Case {
    const char* name;
    std::string reply;
    Answer want;
  };
  const Case cases[] = {
      {"OK", "OK secure match=a", {AnswerStatus::kOk, "secure match=a"}},
      {"text with blanks at its ends", "OK  x ", {AnswerStatus::kOk, " x "}},
      {"NOTFOUND with its blank", "NOTFOUND ", {AnswerStatus::kNotFound, ""}},
      {"NOTFOUND without", "NOTFOUND", {AnswerStatus::kNotFound, ""}},
      {"TEMP", "TEMP try later", {AnswerStatus::kTemp, "try later"}},
      {"TIMEOUT is a kind of TEMP", "TIMEOUT slow", {AnswerStatus::kTemp, "slow"}},
      {"PERM", "PERM never", {AnswerStatus::kPerm, "never"}},
      {"bytes", std::string("OK a\0\xff", 6), {AnswerStatus::kOk, std::string("a\0\xff", 3)}},
      {"longest",
       "OK " + std::string(kMaxAnswerBytes - 3, 'x'),
       {AnswerStatus::kOk, std::string(kMaxAnswerBytes - 3, 'x')}},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const FakeServer server(AF_UNIX, replying(framed(one.reply)));
    const auto answer = ask(server.address(), "postfix", "a.example", kLong);
    ASSERT_TRUE(answer.ok()) << answer.error().detail;
    EXPECT_EQ(answer.value(), one.want);
  }
}

TEST(ClientAsk, WhatIsNoReply) {
  struct Case {
    const char* name;
    std::string bytes;
  };
  const Case cases[] = {
      {"no netstring", "HTTP/1.1 400 Bad Request\r\n\r\n"},
      {"wrong end", "2:OK;"},
      {"one byte too long", framed("OK " + std::string(kMaxAnswerBytes - 2, 'x'))},
      {"length of twenty digits", "99999999999999999999:x,"},
      {"another word", framed("HELLO world")},
      {"lower case", framed("ok x")},
      {"empty", framed("")},
      {"two replies at once", framed("OK a") + framed("OK b")},
      {"garbage behind the reply", framed("OK a") + "x"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const FakeServer server(AF_UNIX, replying(one.bytes));
    const auto answer = ask(server.address(), "postfix", "a.example", kLong);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, ClientError::kProtocol) << answer.error().detail;
    EXPECT_NE(answer.error().detail.find(server.address()), std::string::npos);
  }
}

TEST(ClientAsk, ServerThatHangsUp) {
  struct Case {
    const char* name;
    FakeServer::Serve serve;
  };
  const Case cases[] = {
      {"at once", [](int, const std::atomic<bool>&) {}},
      {"after the request",
       [](int descriptor, const std::atomic<bool>&) { read_request(descriptor); }},
      {"in the middle of the reply",
       [](int descriptor, const std::atomic<bool>&) {
         read_request(descriptor);
         send_text(descriptor, "20:OK sec");
       }},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const FakeServer server(AF_UNIX, one.serve);
    const auto answer = ask(server.address(), "postfix", "a.example", kLong);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, ClientError::kProtocol) << answer.error().detail;
  }
}

TEST(ClientAsk, DeadlineHoldsForAllOfIt) {
  struct Case {
    const char* name;
    FakeServer::Serve serve;
  };
  const Case cases[] = {
      {"silence", [](int, const std::atomic<bool>& is_ending) { wait_until_ending(is_ending); }},
      {"half a reply",
       [](int descriptor, const std::atomic<bool>& is_ending) {
         send_text(descriptor, "20:OK sec");
         wait_until_ending(is_ending);
       }},
      {"a byte now and then",
       [](int descriptor, const std::atomic<bool>& is_ending) {
         send_text(descriptor, "90000:");
         while (!is_ending) {
           send_text(descriptor, "x");
           std::this_thread::sleep_for(milliseconds(10));
         }
       }},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const FakeServer server(AF_UNIX, one.serve);
    const auto start = std::chrono::steady_clock::now();
    const auto answer = ask(server.address(), "postfix", "a.example", kShort);
    const auto took = std::chrono::steady_clock::now() - start;
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, ClientError::kTimeout) << answer.error().detail;
    EXPECT_GE(took, kShort);
    EXPECT_LT(took, kLong);
  }
}

// The queue of the listener is full: connect() itself must end.
TEST(ClientAsk, DeadlineHoldsForConnecting) {
  std::string pattern = (std::filesystem::temp_directory_path() / "client-XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  const std::string path = pattern + "/socket";
  const UniqueDescriptor listening(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un target{};
  target.sun_family = AF_UNIX;
  std::memcpy(target.sun_path, path.c_str(), path.size());
  ASSERT_EQ(bind(listening.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target), 0);
  ASSERT_EQ(listen(listening.get(), 0), 0);
  bool is_timeout = false;
  for (int i = 0; i < 3 && !is_timeout; ++i) {
    const auto answer = ask("unix:" + path, "postfix", "a.example", kShort);
    ASSERT_FALSE(answer.ok());
    is_timeout = answer.error().code == ClientError::kTimeout;
  }
  EXPECT_TRUE(is_timeout);
  std::filesystem::remove_all(pattern);
}

TEST(ClientAsk, RequestOnTheWire) {
  std::string seen;
  {
    const FakeServer server(AF_UNIX, [&seen](int descriptor, const std::atomic<bool>&) {
      seen = read_request(descriptor);
      send_text(descriptor, framed("NOTFOUND "));
    });
    ASSERT_TRUE(ask(server.address(), "postfix-tlsrpt", std::string_view("a\0b c", 5), kLong).ok());
  }
  EXPECT_EQ(seen, std::string("postfix-tlsrpt a\0b c", 20));
}

TEST(ClientAsk, RequestsThatAreNeverSent) {
  struct Case {
    const char* name;
    std::string map;
    std::string key;
    bool is_sent;
  };
  const Case cases[] = {
      {"map of 32", std::string(32, 'm'), "a", true},
      {"map of 33", std::string(33, 'm'), "a", false},
      {"empty map", "", "a", false},
      {"map with a blank", "a b", "a", false},
      {"map with a NUL", std::string("a\0b", 3), "a", false},
      {"question of 10000 bytes", "map", std::string(kMaxQuestionBytes - 4, 'k'), true},
      {"question of 10001 bytes", "map", std::string(kMaxQuestionBytes - 3, 'k'), false},
  };
  const FakeServer server(AF_UNIX, replying(framed("NOTFOUND ")));
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const auto answer = ask(server.address(), one.map, one.key, kLong);
    EXPECT_EQ(answer.ok(), one.is_sent);
    if (!answer.ok()) {
      EXPECT_EQ(answer.error().code, ClientError::kProtocol);
    }
  }
}

TEST(ClientAddress, WhatIsNone) {
  for (const std::string& address :
       {std::string(""), std::string("unix:"), std::string("unix:relative"),
        "unix:/" + std::string(200, 'x'), std::string("unix:/nul\0", 10), std::string("8461"),
        std::string(":8461"), std::string("127.0.0.1:"), std::string("127.0.0.1:http"),
        std::string("127.0.0.1:99999999"), std::string("host.invalid:8461"),
        std::string("[::1:8461")}) {
    SCOPED_TRACE(address);
    const auto answer = ask(address, "postfix", "a.example", kShort);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, ClientError::kUnreachable) << answer.error().detail;
  }
}

TEST(ClientAddress, NobodyListens) {
  for (const char* address : {"unix:/nonexistent/strictmx.sock", "127.0.0.1:1"}) {
    SCOPED_TRACE(address);
    const auto answer = ask(address, "postfix", "a.example", kLong);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, ClientError::kUnreachable) << answer.error().detail;
  }
}

TEST(ClientAddress, TcpAndLocalhost) {
  const FakeServer server(AF_INET, replying(framed("NOTFOUND ")));
  EXPECT_TRUE(ask(server.address(), "postfix", "a.example", kLong).ok());
  const std::string port = server.address().substr(server.address().rfind(':'));
  EXPECT_TRUE(ask("localhost" + port, "postfix", "a.example", kLong).ok());
}

TEST(ClientAddress, SocketThatIsClosedToThisUser) {
  if (geteuid() == 0) GTEST_SKIP() << "root may open every socket";
  const FakeServer server(AF_UNIX, replying(framed("NOTFOUND ")));
  ASSERT_EQ(chmod(server.address().substr(5).c_str(), 0), 0);
  const auto answer = ask(server.address(), "postfix", "a.example", kLong);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ClientError::kForbidden) << answer.error().detail;
}

TEST(ClientConnection, ManyQuestionsOverOne) {
  const FakeServer server(AF_UNIX, replying(framed("OK x")));
  auto connection = Connection::open(server.address(), kLong);
  ASSERT_TRUE(connection.ok()) << connection.error().detail;
  for (int i = 0; i < 1000; ++i) {
    const auto answer = connection.value().ask("postfix", std::to_string(i), kLong);
    ASSERT_TRUE(answer.ok()) << answer.error().detail;
  }
}

TEST(ClientControl, TextBothWays) {
  const std::string reply = "{\"ok\": true, \"x\": \"" + std::string(3000000, 'x') + "\"}";
  const FakeServer server(AF_UNIX, replying(framed(reply)));
  const auto got = control(server.address(), "{\"command\": \"x\"}", kLong);
  ASSERT_TRUE(got.ok()) << got.error().detail;
  EXPECT_EQ(got.value(), reply);
}

// The daemon says why it refuses and hangs up without reading the request.
TEST(ClientControl, RefusalIsReadAlsoWhenSendingFails) {
  const std::string refusal = "{\"ok\": false, \"code\": \"forbidden\"}";
  const FakeServer server(AF_UNIX, [&refusal](int descriptor, const std::atomic<bool>&) {
    send_text(descriptor, framed(refusal));
  });
  for (int i = 0; i < 20; ++i) {
    const auto got = control(server.address(), std::string(kMaxControlRequestBytes, ' '), kLong);
    ASSERT_TRUE(got.ok()) << got.error().detail;
    EXPECT_EQ(got.value(), refusal);
  }
}

TEST(ClientControl, Bounds) {
  const FakeServer server(AF_UNIX, replying(framed(std::string(kMaxControlReplyBytes + 1, 'x'))));
  const auto long_reply = control(server.address(), "{}", kLong);
  ASSERT_FALSE(long_reply.ok());
  EXPECT_EQ(long_reply.error().code, ClientError::kProtocol);
  const auto long_request =
      control(server.address(), std::string(kMaxControlRequestBytes + 1, 'x'), kLong);
  ASSERT_FALSE(long_request.ok());
  EXPECT_EQ(long_request.error().code, ClientError::kProtocol);
}

// There is no control socket on TCP, and no fallback to one.
TEST(ClientControl, UnixOnly) {
  const FakeServer server(AF_INET, replying(framed("{}")));
  const auto got = control(server.address(), "{}", kLong);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, ClientError::kUnreachable);
}

}  // namespace
}  // namespace strictmx::client
