// http_client_test.cc - the HTTPS client against a TLS server in a thread of this process.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/event_loop.h"
#include "common/http/exchange.h"
#include "common/http/https_client.h"
#include "tests/unit/https_test_server.h"

namespace strictmx::http {
namespace {

using namespace std::chrono_literals;
using testing::LeafOptions;
using testing::Peer;
using testing::Script;
using testing::ServerOptions;
using testing::TestAuthority;
using testing::TestServer;

constexpr const char* kHost = "mta-sts.example.test";
constexpr const char* kPath = "/.well-known/mta-sts.txt";
constexpr std::size_t kMaxBytes = 65536;

// The words of an HttpResult: "200 BODY" or "certificate: WHY".
std::string words(const HttpResult& result) {
  if (!result.ok()) {
    return std::string(http_error_name(result.error().code)) + ": " + result.error().detail;
  }
  return std::to_string(result.value().status) + " " + result.value().body;
}

const TestAuthority& authority() {
  static const TestAuthority made("strictmx test root");
  return made;
}

testing::Leaf good_leaf() { return authority().issue({.dns_names = {kHost}}); }

// A file with the root's certificate, for the time of the test program; other runs have their own.
class RootFile {
 public:
  RootFile()
      : path_(::testing::TempDir() + "strictmx_http_test_root_" + std::to_string(getpid()) +
              ".pem") {
    std::ofstream(path_) << authority().pem();
  }
  ~RootFile() { unlink(path_.c_str()); }
  RootFile(const RootFile&) = delete;
  RootFile& operator=(const RootFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

const std::string& ca_file() {
  static const RootFile file;
  return file.path();
}

class ClientRun {
 public:
  explicit ClientRun(std::uint16_t port, std::chrono::milliseconds timeout = 20s,
                     const std::string& proxy = {}, const std::string& roots = ca_file()) {
    std::signal(SIGPIPE, SIG_IGN);
    settings_.ca_file = roots;
    settings_.timeout = timeout;
    settings_.max_bytes = kMaxBytes;
    settings_.port = port;
    settings_.proxy = proxy;
    loop_ = std::move(base::EventLoop::create()).value();
    client_ = std::move(HttpsClient::create(*loop_, settings_)).value();
  }

  HttpsClient& client() { return *client_; }
  base::EventLoop& loop() { return *loop_; }
  void destroy_client() { client_.reset(); }

  static HttpRequest request(const std::vector<std::string>& addresses = {"127.0.0.1"}) {
    HttpRequest made{kHost, kPath, {}};
    for (const auto& text : addresses) made.addresses.push_back(*base::IpAddress::parse(text));
    return made;
  }

  HttpResult get(const HttpRequest& asked = request()) {
    std::optional<HttpResult> answer;
    bool is_inside = true;
    client_->send(asked, [&](HttpResult result) {
      EXPECT_FALSE(is_inside) << "a callback ran inside send()";
      answer.emplace(std::move(result));
      loop_->stop();
    });
    is_inside = false;
    run_for(30s);
    if (!answer.has_value()) return base::fail(HttpError::kSystem, "no callback came");
    return std::move(*answer);
  }

  // Until stop() or the end of the time.
  void run_for(std::chrono::milliseconds span) {
    base::Timer end(*loop_, [this] { loop_->stop(); });
    end.start(span);
    loop_->run();
  }

 private:
  HttpsSettings settings_;
  std::unique_ptr<base::EventLoop> loop_;
  std::unique_ptr<HttpsClient> client_;
};

// Reads the request, gives these bytes, then ends as TLS wants or holds the connection.
enum class Ending { kCloseNotify, kCut, kHold };

Script answer_with(std::string bytes, Ending ending = Ending::kCloseNotify) {
  return [bytes = std::move(bytes), ending](Peer& peer) {
    if (!peer.handshake()) return peer.wait_for_close();
    peer.read_request();
    if (!peer.write(bytes)) return;
    if (ending == Ending::kCloseNotify) peer.close_notify();
    if (ending != Ending::kCut) peer.wait_for_close();
  };
}

std::string with_length(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(Rfc8461Sec33HttpsClient, AnswersAreTakenWholeOrNotAtAll) {
  struct Case {
    const char* name;
    const char* rule;
    std::string input;
    Ending ending;
    std::string want;  // what words() begins with
  };
  const std::string full(kMaxBytes, 'b');
  const std::string head = "HTTP/1.1 200 OK\r\n";
  const std::vector<Case> cases = {
      {"length", "whole without a close", with_length("policy"), Ending::kHold, "200 policy"},
      {"length, cut after it", "whole", with_length("policy"), Ending::kCut, "200 policy"},
      {"empty body", "whole", with_length(""), Ending::kHold, "200 "},
      {"chunked", "whole at the last chunk",
       head + "Transfer-Encoding: chunked\r\n\r\n4\r\npoli\r\n2\r\ncy\r\n0\r\n\r\n", Ending::kHold,
       "200 policy"},
      {"to the end", "close_notify is the end", head + "\r\npolicy", Ending::kCloseNotify,
       "200 policy"},
      {"to the end, keep-alive", "as well", head + "Connection: keep-alive\r\n\r\npolicy",
       Ending::kCloseNotify, "200 policy"},
      {"to the end, cut", "truncation never shortens a policy", head + "\r\npolicy", Ending::kCut,
       "protocol: answer is cut short"},
      {"length, short", "cut short", head + "Content-Length: 7\r\n\r\npolicy", Ending::kCloseNotify,
       "protocol: answer is cut short after 6 bytes"},
      {"length, short and cut", "cut short", head + "Content-Length: 7\r\n\r\npolicy", Ending::kCut,
       "protocol: answer is cut short"},
      {"chunked, short", "cut short", head + "Transfer-Encoding: chunked\r\n\r\n6\r\npolicy\r\n",
       Ending::kCloseNotify, "protocol: answer is cut short"},
      {"headers, short", "cut short", head + "Content-Type: text/pl", Ending::kCloseNotify,
       "protocol: answer is cut short in its headers"},
      {"nothing", "closed before an answer", "", Ending::kCloseNotify,
       "connect: 127.0.0.1: connection closed before an answer"},
      {"nothing, cut", "closed before an answer", "", Ending::kCut,
       "connect: 127.0.0.1: connection closed before an answer"},
      {"not HTTP", "known at once", "220 mail.example.test ESMTP", Ending::kHold,
       "protocol: answer is not HTTP/1"},
      {"redirect", "an answer, not followed (§3.3)",
       "HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
       Ending::kHold, "301 "},
      {"not found", "an answer", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
       Ending::kHold, "404 no"},
      {"304", "no body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Ending::kHold,
       "304 "},
      {"204", "no body", "HTTP/1.1 204 No Content\r\n\r\n", Ending::kHold, "204 "},
      {"interim", "skipped",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" +
           with_length("policy"),
       Ending::kHold, "200 policy"},
      {"largest body", "at the limit", with_length(full), Ending::kHold, "200 bbb"},
      {"declared too large", "not read on", head + "Content-Length: 65537\r\n\r\n", Ending::kHold,
       "too-large: answer is over 65536 bytes"},
      {"largest to the end", "at the limit", head + "\r\n" + full, Ending::kCloseNotify, "200 bbb"},
      {"too large to the end", "over the limit", head + "\r\n" + full + "b", Ending::kHold,
       "too-large: answer is over 65536 bytes"},
      {"too large chunk", "not read on", head + "Transfer-Encoding: chunked\r\n\r\n10001\r\n",
       Ending::kHold, "too-large: answer is over 65536 bytes"},
      {"headers too large", "64 KiB", head + "X: " + std::string(kMaxHeaderBytes, 'x'),
       Ending::kHold, "too-large: headers are over 65536 bytes"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    const TestServer server(good_leaf(), answer_with(c.input, c.ending));
    ClientRun run(server.port());
    const std::string got = words(run.get());
    EXPECT_EQ(got.substr(0, c.want.size()), c.want);
    EXPECT_EQ(run.client().open_requests(), 0U);
    EXPECT_EQ(run.client().counters().answered, got[0] >= '0' && got[0] <= '9' ? 1U : 0U);
  }
}

TEST(Rfc8461Sec33HttpsClient, TheCertificateMustBeForTheHostAndTrusted) {
  struct Case {
    const char* name;
    const char* rule;
    std::function<testing::Leaf()> leaf;
    std::string want;
  };
  const TestAuthority foreign("another root");
  const auto issued = [](const LeafOptions& options) {
    return [options] { return authority().issue(options); };
  };
  const std::vector<Case> cases = {
      {"good", "DNS-ID", issued({.dns_names = {kHost}}), "200 policy"},
      {"one of several", "any DNS-ID", issued({.dns_names = {"a.test", kHost}}), "200 policy"},
      {"upper case", "names ignore case", issued({.dns_names = {"MTA-STS.Example.TEST"}}),
       "200 policy"},
      {"other CN", "the CN is not asked",
       issued({.common_name = "other.test", .dns_names = {kHost}}), "200 policy"},
      {"wildcard", "whole left-most label", issued({.dns_names = {"*.example.test"}}),
       "200 policy"},
      {"CN alone", "DNS-ID only", issued({.common_name = kHost}),
       "certificate: 127.0.0.1: certificate: hostname mismatch"},
      {"CN beside another name", "DNS-ID only",
       issued({.common_name = kHost, .dns_names = {"other.test"}}),
       "certificate: 127.0.0.1: certificate: hostname mismatch"},
      {"partial wildcard", "whole label only", issued({.dns_names = {"mta-*.example.test"}}),
       "certificate: 127.0.0.1: certificate: hostname mismatch"},
      {"wildcard of two labels", "one label", issued({.dns_names = {"*.test"}}),
       "certificate: 127.0.0.1: certificate: hostname mismatch"},
      {"inner wildcard", "left-most label", issued({.dns_names = {"mta-sts.*.test"}}),
       "certificate: 127.0.0.1: certificate: hostname mismatch"},
      {"policy domain", "the policy host's name", issued({.dns_names = {"example.test"}}),
       "certificate: 127.0.0.1: certificate: hostname mismatch"},
      {"other name", "the policy host's name", issued({.dns_names = {"mta-sts.example.org"}}),
       "certificate: 127.0.0.1: certificate: hostname mismatch"},
      {"expired", "in its time", issued({.dns_names = {kHost}, .days_from = -9, .days_to = -1}),
       "certificate: 127.0.0.1: certificate: certificate has expired"},
      {"not yet valid", "in its time", issued({.dns_names = {kHost}, .days_from = 1}),
       "certificate: 127.0.0.1: certificate: certificate is not yet valid"},
      {"foreign root", "a trusted root", [&] { return foreign.issue({.dns_names = {kHost}}); },
       "certificate: 127.0.0.1: certificate: unable to get local issuer certificate"},
      {"self-signed", "a trusted root",
       [] { return TestAuthority::self_signed({.dns_names = {kHost}}); },
       "certificate: 127.0.0.1: certificate: self-signed certificate"},
      {"for clients", "for servers", issued({.dns_names = {kHost}, .is_for_servers = false}),
       "certificate: 127.0.0.1: "},
  };
  for (const Case& c : cases) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
      const TestServer server(c.leaf(), answer_with(with_length("policy")),
                              {.max_version = version});
      ClientRun run(server.port());
      EXPECT_EQ(words(run.get()).substr(0, c.want.size()), c.want);
    }
  }
}

// RFC 8446 §4.2.3, RFC 8422 §5.1: what public CAs use and what TLS allows besides.
TEST(Rfc8461Sec33HttpsClient, EveryKindOfKeyThatTlsHasIsRead) {
  const std::string roots = ::testing::TempDir() + "strictmx_http_test_key_root.pem";
  for (const char* kind : {"P-256", "P-384", "P-521", "RSA", "RSA-PSS", "ED25519", "ED448"}) {
    const TestAuthority root("root of that kind", kind);
    const TestAuthority other("root of that kind", kind);
    std::ofstream(roots) << root.pem();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      SCOPED_TRACE(kind);
      const TestServer server(root.issue({.dns_names = {kHost}, .key = kind}),
                              answer_with(with_length("policy")), {.max_version = version});
      ClientRun run(server.port(), 20s, {}, roots);
      EXPECT_EQ(words(run.get()), "200 policy");

      const TestServer forged(other.issue({.dns_names = {kHost}, .key = kind}),
                              answer_with(with_length("policy")), {.max_version = version});
      ClientRun refused(forged.port(), 20s, {}, roots);
      EXPECT_EQ(words(refused.get()),
                "certificate: 127.0.0.1: certificate: certificate signature failure");
    }
  }
}

TEST(Rfc8461Sec33HttpsClient, WhatIsNoTlsOrTooOldIsRefused) {
  struct Case {
    const char* name;
    const char* rule;
    Script script;
    ServerOptions options;
    std::string want;
  };
  const Script policy = answer_with(with_length("policy"));
  const std::vector<Case> cases = {
      {"TLS 1.2", "good enough (§7.2)", policy, {.max_version = TLS1_2_VERSION}, "200 policy"},
      {"TLS 1.1", "too old", policy, {.max_version = TLS1_1_VERSION}, "tls: 127.0.0.1: TLS: "},
      {"TLS 1.0", "too old", policy, {.max_version = TLS1_VERSION}, "tls: 127.0.0.1: TLS: "},
      {"plain HTTP",
       "no TLS",
       [](Peer& peer) {
         peer.write_plain("HTTP/1.1 400 Bad Request\r\n\r\n");
         peer.wait_for_close();
       },
       {},
       "tls: 127.0.0.1: TLS: wrong version number"},
      {"client certificate wanted, TLS 1.2",
       "we have none",
       policy,
       {.max_version = TLS1_2_VERSION, .asks_certificate = true},
       "tls: 127.0.0.1: TLS: "},
      {"client certificate wanted, TLS 1.3",
       "the alert comes after our handshake",
       policy,
       {.asks_certificate = true},
       "tls: 127.0.0.1: TLS: "},
      {"closed at once", "before an answer", [](Peer&) {}, {}, "connect: 127.0.0.1: "},
      {"closed in the handshake",
       "before an answer",
       [](Peer& peer) { peer.write_plain(std::string("\x16\x03\x03\x00\x7a\x02", 6)); },
       {},
       "connect: 127.0.0.1: "},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    const TestServer server(good_leaf(), c.script, c.options);
    ClientRun run(server.port());
    EXPECT_EQ(words(run.get()).substr(0, c.want.size()), c.want);
  }
}

TEST(HttpsClient, TheRequestSaysWhatItShouldAndNoMore) {
  std::mutex mutex;
  std::vector<std::string> seen;
  const Script script = [&](Peer& peer) {
    if (!peer.handshake()) return;
    const std::string request = peer.read_request();
    {
      const std::lock_guard lock(mutex);
      seen.push_back(peer.sni() + (peer.is_session_reused() ? " reused\n" : "\n") + request);
    }
    peer.write(with_length("policy"));
    peer.close_notify();
    peer.wait_for_close();
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TestServer server(good_leaf(), script, {.max_version = version});
    ClientRun run(server.port());
    for (int i = 0; i < 2; ++i) EXPECT_EQ(words(run.get()), "200 policy");
    EXPECT_EQ(server.connections(), 2);
  }
  ASSERT_EQ(seen.size(), 4U);
  for (const std::string& request : seen) {
    EXPECT_EQ(request,
              "mta-sts.example.test\n"
              "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.test\r\n"
              "User-Agent: strictmx/0.1.0\r\nAccept: */*\r\nConnection: close\r\n\r\n");
  }
}

// Some megabytes in which a byte that is lost or comes twice shows.
const std::string& large_body() {
  static const std::string made = [] {
    std::string text;
    while (text.size() < 3'000'000) text += std::to_string(text.size()) + "\n";
    return text;
  }();
  return made;
}

HttpRequest post(std::uint16_t port, std::string body) {
  HttpRequest made = ClientRun::request();
  made.path = "/v1/tlsrpt?a=b";
  made.port = port;
  made.method = HttpMethod::kPost;
  made.content_type = "application/tlsrpt+gzip";
  made.body = std::make_shared<const std::string>(std::move(body));
  return made;
}

TEST(HttpsClientPost, TheBodyArrivesWhole) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kSendPieceBytes,
                                   kSendPieceBytes + 1, large_body().size()}) {
      SCOPED_TRACE(size);
      const std::string body = large_body().substr(0, size);
      std::string head;
      std::string got;
      TestServer server(good_leaf(),
                        [&](Peer& peer) {
                          peer.handshake();
                          head = peer.read_request();
                          got = peer.read_body(size);
                          peer.write("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok");
                          peer.wait_for_close();
                        },
                        {.max_version = version});
      ClientRun run(443);
      EXPECT_EQ(words(run.get(post(server.port(), body))), "201 ");
      server.stop();
      EXPECT_EQ(head, "POST /v1/tlsrpt?a=b HTTP/1.1\r\nHost: mta-sts.example.test:" +
                          std::to_string(server.port()) +
                          "\r\nUser-Agent: strictmx/0.1.0\r\nAccept: */*\r\n"
                          "Content-Type: application/tlsrpt+gzip\r\nContent-Length: " +
                          std::to_string(size) + "\r\nConnection: close\r\n\r\n");
      EXPECT_TRUE(got == body);
      EXPECT_EQ(server.connections(), 1);
    }
  }
}

TEST(HttpsClientPost, TheSchemesPortIsNotTold) {
  std::vector<std::string> heads;
  TestServer server(good_leaf(), [&](Peer& peer) {
    const std::string tunnel = peer.read_plain();
    peer.write_plain("HTTP/1.1 200 x\r\n\r\n");
    peer.handshake();
    heads.push_back(tunnel + peer.read_request());
    peer.write("HTTP/1.1 200 OK\r\n\r\n");
    peer.wait_for_close();
  });
  // Ports other than the server's are to be had through a proxy alone.
  ClientRun run(443, 20s, "http://127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(words(run.get(post(443, ""))), "200 ");
  EXPECT_EQ(words(run.get(post(8443, ""))), "200 ");
  server.stop();
  ASSERT_EQ(heads.size(), 2U);
  EXPECT_TRUE(heads[0].starts_with("CONNECT mta-sts.example.test:443 ")) << heads[0];
  EXPECT_NE(heads[0].find("HTTP/1.1\r\nHost: mta-sts.example.test\r\n"), std::string::npos);
  EXPECT_TRUE(heads[1].starts_with("CONNECT mta-sts.example.test:8443 ")) << heads[1];
  EXPECT_NE(heads[1].find("HTTP/1.1\r\nHost: mta-sts.example.test:8443\r\nUser"),
            std::string::npos);
}

TEST(HttpsClientPost, StatusAndHeadersAreTheAnswer) {
  struct Case {
    const char* name;
    std::string answer;
    std::string want;
  };
  const std::vector<Case> cases = {
      {"created", "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", "201 "},
      {"no content", "HTTP/1.1 204 No Content\r\n\r\n", "204 "},
      {"server error", "HTTP/1.1 500 x\r\nContent-Length: 5\r\n\r\nsorry", "500 "},
      {"redirect, not followed",
       "HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", "301 "},
      {"redirect that keeps the method, not followed",
       "HTTP/1.1 308 Moved\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", "308 "},
      {"interim first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "200 "},
      {"body over the limit", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "200 "},
      {"body without an end", "HTTP/1.1 200 OK\r\n\r\n" + std::string(1 << 20, 'x'), "200 "},
      {"headers over the limit", "HTTP/1.1 200 OK\r\nX: " + std::string(kMaxHeaderBytes, 'x'),
       "too-large: headers are over 65536 bytes"},
      {"not HTTP", "220 mail.example.test ESMTP\r\n", "protocol: answer is not HTTP/1"},
      {"nothing", "", "connect: 127.0.0.1: connection closed before an answer"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string body = large_body().substr(0, 200'000);
    TestServer server(good_leaf(), [&](Peer& peer) {
      peer.handshake();
      peer.read_request();
      peer.read_body(body.size());
      if (!peer.write(c.answer) || c.answer.empty()) return;
      peer.wait_for_close();
    });
    ClientRun run(443);
    EXPECT_EQ(words(run.get(post(server.port(), body))), c.want);
    server.stop();
    EXPECT_EQ(server.connections(), 1);
    EXPECT_EQ(run.client().open_requests(), 0U);
  }
}

TEST(HttpsClientPost, APeerThatHangsMeetsTheDeadline) {
  struct Case {
    const char* name;
    std::size_t read;  // bytes of the body
    std::string want;
  };
  for (const Case& c :
       std::vector<Case>{{"no byte is read", 0, "while sending the request"},
                         {"some are read", 1'000'000, "while sending the request"},
                         {"all is read", 3'000'000, "while waiting for the answer"}}) {
    SCOPED_TRACE(c.name);
    std::binary_semaphore is_over(0);
    TestServer server(good_leaf(), [&](Peer& peer) {
      peer.handshake();
      peer.read_request();
      peer.read_body(c.read);
      is_over.try_acquire_for(20s);
    });
    ClientRun run(443, 1s);
    const std::string body = large_body().substr(0, 3'000'000);
    EXPECT_EQ(words(run.get(post(server.port(), body + (c.read == body.size() ? "" : body)))),
              "timeout: 127.0.0.1: no whole answer within 1 s, " + c.want);
    is_over.release();
  }
}

TEST(HttpsClientPost, AnAnswerBeforeTheWholeBodyCounts) {
  struct Case {
    const char* name;
    std::size_t read;  // bytes of the body before the answer
    Ending ending;
  };
  for (const Case& c : std::vector<Case>{{"holds the connection", 0, Ending::kHold},
                                         {"ends it in good order", 0, Ending::kCloseNotify},
                                         {"cuts it", 0, Ending::kCut},
                                         {"after some, holds", 500'000, Ending::kHold},
                                         {"after some, cuts", 500'000, Ending::kCut}}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      SCOPED_TRACE(c.name);
      std::binary_semaphore is_over(0);
      TestServer server(good_leaf(),
                        [&](Peer& peer) {
                          peer.handshake();
                          peer.read_request();
                          peer.read_body(c.read);
                          peer.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
                          if (c.ending == Ending::kCloseNotify) peer.close_notify();
                          if (c.ending != Ending::kCut)
                            is_over.try_acquire_for(20s);  // without reading
                        },
                        {.max_version = version});
      ClientRun run(443);
      EXPECT_EQ(words(run.get(post(server.port(), large_body() + large_body()))), "413 ");
      is_over.release();
    }
  }
}

TEST(HttpsClientPost, APeerThatGoesWhileWeSendIsAFailure) {
  for (const bool is_in_good_order : {true, false}) {
    SCOPED_TRACE(is_in_good_order);
    std::binary_semaphore is_over(0);
    TestServer server(good_leaf(), [&](Peer& peer) {
      peer.handshake();
      peer.read_request();
      peer.read_body(300'000);
      if (!is_in_good_order) return;
      peer.close_notify();
      is_over.try_acquire_for(20s);
    });
    ClientRun run(443);
    const HttpResult result = run.get(post(server.port(), large_body() + large_body()));
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, HttpError::kConnect) << result.error().detail;
    is_over.release();
  }
}

TEST(HttpsClientPost, OtherWorkOfTheLoopGoesOnMeanwhile) {
  std::binary_semaphore may_go(0);
  TestServer server(good_leaf(), [&](Peer& peer) {
    peer.handshake();
    peer.read_request();
    may_go.try_acquire_for(20s);
    peer.read_body(large_body().size());
    peer.write("HTTP/1.1 200 OK\r\n\r\n");
    peer.wait_for_close();
  });
  ClientRun run(443);
  // The body waits for the peer, the peer for this.
  base::Timer other(run.loop(), [&] { may_go.release(); });
  other.start(20ms);
  EXPECT_EQ(words(run.get(post(server.port(), large_body()))), "200 ");
}

TEST(HttpsClientPost, DestroyedWhileSendingItCallsNobody) {
  std::binary_semaphore is_over(0);
  const TestServer server(good_leaf(), [&](Peer& peer) {
    peer.handshake();
    peer.read_request();
    is_over.try_acquire_for(20s);
  });
  ClientRun run(443);
  run.client().send(post(server.port(), large_body() + large_body()),
                    [](const HttpResult&) { ADD_FAILURE() << "called"; });
  run.run_for(100ms);
  run.destroy_client();
  run.run_for(20ms);
  is_over.release();
}

TEST(HttpsClient, ContentTypeIsAsSent) {
  const TestServer server(
      good_leaf(), answer_with("HTTP/1.1 200 OK\r\ncontent-TYPE:  text/plain; charset=utf-8 \r\n"
                               "Content-Length: 1\r\n\r\nx"));
  ClientRun run(server.port());
  const HttpResult result = run.get();
  ASSERT_TRUE(result.ok()) << words(result);
  EXPECT_EQ(result.value().content_type, "text/plain; charset=utf-8");
}

TEST(HttpsClient, AddressesAreTriedInTheirOrder) {
  TestServer good(good_leaf(), answer_with(with_length("policy")));
  ClientRun run(good.port());
  // Nothing listens on 127.0.0.2 and 127.0.0.3.
  EXPECT_EQ(words(run.get(ClientRun::request({"127.0.0.2", "127.0.0.1"}))), "200 policy");
  EXPECT_EQ(words(run.get(ClientRun::request({"::1", "127.0.0.2", "127.0.0.1"}))), "200 policy");
  EXPECT_EQ(good.connections(), 2);
  EXPECT_EQ(words(run.get(ClientRun::request({"127.0.0.2", "127.0.0.3"}))),
            "connect: 127.0.0.3: Connection refused");
  EXPECT_EQ(words(run.get(ClientRun::request({}))), "connect: no address to connect to");

  // A certificate that is no good ends it, whatever the other addresses would give.
  const TestServer bad(authority().issue({.dns_names = {"other.test"}}),
                       answer_with(with_length("policy")),
                       {.address = "127.0.0.2", .port = good.port()});
  EXPECT_EQ(words(run.get(ClientRun::request({"127.0.0.2", "127.0.0.1"}))),
            "certificate: 127.0.0.2: certificate: hostname mismatch");
  EXPECT_EQ(good.connections(), 2);
  EXPECT_EQ(run.client().counters().answered, 2U);
  EXPECT_EQ(run.client().counters().failed[static_cast<int>(HttpError::kConnect)], 2U);
  EXPECT_EQ(run.client().counters().failed[static_cast<int>(HttpError::kCertificate)], 1U);
}

// A listener whose queue is full: the kernel drops further SYNs.
class BlackHole {
 public:
  BlackHole(const std::string& address, std::uint16_t port)
      : listener_(testing::listen_on(address, port, 0)) {
    sockaddr_storage to{};
    socklen_t length = sizeof to;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&to), &length);
    for (auto& filler : fillers_) {
      filler = base::UniqueDescriptor(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      [[maybe_unused]] const int begun =
          connect(filler.get(), reinterpret_cast<const sockaddr*>(&to), length);
    }
  }

 private:
  base::UniqueDescriptor listener_;
  base::UniqueDescriptor fillers_[4];
};

TEST(HttpsClient, AnAddressThatHangsGivesWayToTheNext) {
  const TestServer server(good_leaf(), answer_with(with_length("policy")));
  const BlackHole hole("127.0.0.2", server.port());
  ClientRun run(server.port());
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(words(run.get(ClientRun::request({"127.0.0.2", "127.0.0.1"}))), "200 policy");
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, kConnectTimeout - 10ms);
  EXPECT_LT(took, kConnectTimeout + 5s);
}

TEST(HttpsClient, TheDeadlineCoversAllOfIt) {
  struct Case {
    const char* name;
    Script script;  // none: the connection itself hangs
    std::string want;
  };
  const auto drip = [](Peer& peer, const std::string& text) {
    for (const char c : text) {
      if (!peer.write({&c, 1})) return;
      std::this_thread::sleep_for(60ms);
    }
  };
  const std::vector<Case> cases = {
      {"connecting", nullptr, "while connecting"},
      {"handshake", [](Peer& peer) { peer.wait_for_close(); }, "in the TLS handshake"},
      {"no answer",
       [](Peer& peer) {
         peer.handshake();
         peer.wait_for_close();
       },
       "while waiting for the answer"},
      {"headers drip",
       [&](Peer& peer) {
         peer.handshake();
         drip(peer, "HTTP/1.1 200 OK\r\n" + std::string(200, 'x'));
       },
       "while waiting for the answer"},
      {"body drips",
       [&](Peer& peer) {
         peer.handshake();
         peer.write("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n");
         drip(peer, std::string(200, 'x'));
       },
       "while waiting for the answer"},
      {"interim answers drip",
       [&](Peer& peer) {
         peer.handshake();
         drip(peer, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
       },
       "while waiting for the answer"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::unique_ptr<TestServer> server;
    std::unique_ptr<BlackHole> hole;
    std::uint16_t port = 0;
    if (c.script) {
      server = std::make_unique<TestServer>(good_leaf(), c.script);
      port = server->port();
    } else {
      port = testing::port_of(testing::listen_on("127.0.0.1", 0, 1));
      hole = std::make_unique<BlackHole>("127.0.0.1", port);
    }
    ClientRun run(port, 1s);
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(words(run.get()), "timeout: 127.0.0.1: no whole answer within 1 s, " + c.want);
    EXPECT_GE(std::chrono::steady_clock::now() - before, 990ms);
  }
}

TEST(HttpsClient, TooLargeABodyIsNotReadToItsEnd) {
  constexpr std::size_t kPiece = 1 << 20;
  constexpr int kPieces = 256;
  std::atomic<int> written = 0;
  TestServer server(good_leaf(), [&](Peer& peer) {
    peer.handshake();
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\n\r\n");
    const std::string piece(kPiece, 'x');
    while (written < kPieces && peer.write(piece)) ++written;
  });
  ClientRun run(server.port());
  EXPECT_EQ(words(run.get()), "too-large: answer is over 65536 bytes");
  server.stop();
  EXPECT_LT(written, kPieces / 4);  // what the kernel's buffers hold
}

TEST(HttpsClient, ProxyOpensATunnel) {
  struct Case {
    const char* name;
    std::string answer;
    std::string want;
  };
  const std::vector<Case> cases = {
      {"opened", "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n", "200 policy"},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n", "200 policy"},
      {"forbidden", "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n",
       "connect: proxy: refuses the tunnel, HTTP status 403"},
      {"password wanted", "HTTP/1.1 407 x\r\n\r\n",
       "connect: proxy: refuses the tunnel, HTTP status 407"},
      {"redirect", "HTTP/1.1 302 x\r\n\r\n", "connect: proxy: refuses the tunnel, HTTP status 302"},
      {"not HTTP", "SOCKS", "protocol: proxy: answer is not HTTP/1"},
      {"endless headers", "HTTP/1.1 200 x\r\nX: " + std::string(kMaxTunnelAnswerBytes, 'x'),
       "too-large: proxy: headers are over 8192 bytes"},
      {"closed", "", "connect: proxy: closed the tunnel"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::mutex mutex;
    std::string asked;
    TestServer server(good_leaf(), [&](Peer& peer) {
      {
        const std::string request = peer.read_plain();
        const std::lock_guard lock(mutex);
        asked = request;
      }
      if (c.answer.empty()) return;
      peer.write_plain(c.answer);
      answer_with(with_length("policy"))(peer);
    });
    const std::string proxy = "http://127.0.0.1:" + std::to_string(server.port());
    // The addresses are the proxy's affair: nothing listens on that one.
    ClientRun run(443, 20s, proxy);
    EXPECT_EQ(words(run.get(ClientRun::request({"127.0.0.9"}))), c.want);
    server.stop();
    EXPECT_EQ(
        asked,
        "CONNECT mta-sts.example.test:443 HTTP/1.1\r\nHost: mta-sts.example.test:443\r\n\r\n");
  }
}

TEST(HttpsClient, ProxyChangesNothingAboutTrustAndTime) {
  TestServer other(authority().issue({.dns_names = {"other.test"}}), [](Peer& peer) {
    peer.read_plain();
    peer.write_plain("HTTP/1.1 200 x\r\n\r\n");
    answer_with(with_length("policy"))(peer);
  });
  ClientRun through_other(443, 20s, "http://127.0.0.1:" + std::to_string(other.port()) + "/");
  EXPECT_EQ(words(through_other.get()), "certificate: via proxy: certificate: hostname mismatch");

  const TestServer silent(good_leaf(), [](Peer& peer) { peer.wait_for_close(); });
  ClientRun through_silent(443, 200ms, "http://127.0.0.1:" + std::to_string(silent.port()));
  EXPECT_EQ(words(through_silent.get()),
            "timeout: proxy: no whole answer within 0.2 s, while the proxy opens the "
            "tunnel");

  ClientRun through_nothing(443, 20s, "http://127.0.0.9:9");
  EXPECT_EQ(words(through_nothing.get()), "connect: proxy: Connection refused");
}

TEST(HttpsClient, CreateTellsWhatItCannotUse) {
  struct Case {
    const char* name;
    std::string ca_file;
    std::string proxy;
    std::string want;  // part of the detail, empty for success
  };
  const std::string empty = ::testing::TempDir() + "strictmx_http_test_empty.pem";
  std::ofstream(empty) << "no certificate\n";
  const std::vector<Case> cases = {
      {"good", ca_file(), "", ""},
      {"no file", "/nonexistent/roots.pem", "", "/nonexistent/roots.pem"},
      {"no certificate in the file", empty, "", empty},
      {"proxy, IPv4", ca_file(), "http://192.0.2.1:3128", ""},
      {"proxy, IPv6", ca_file(), "http://[2001:db8::1]:3128/", ""},
      {"proxy, name", ca_file(), "http://proxy.example.test:3128", "names are not resolved"},
      {"proxy, https", ca_file(), "https://192.0.2.1:3128", "http://"},
      {"proxy, no scheme", ca_file(), "192.0.2.1:3128", "http://"},
      {"proxy, no port", ca_file(), "http://192.0.2.1", "no port"},
      {"proxy, port 0", ca_file(), "http://192.0.2.1:0", "1 to 65535"},
      {"proxy, port too high", ca_file(), "http://192.0.2.1:65536", "1 to 65535"},
      {"proxy, bare IPv6", ca_file(), "http://2001:db8::1:3128", "brackets"},
      {"proxy, path", ca_file(), "http://192.0.2.1:3128/x", "1 to 65535"},
      {"proxy, password", ca_file(), "http://me:secret@192.0.2.1:3128", "not supported"},
  };
  auto loop = std::move(base::EventLoop::create()).value();
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    HttpsSettings settings;
    settings.ca_file = c.ca_file;
    settings.proxy = c.proxy;
    const auto made = HttpsClient::create(*loop, settings);
    EXPECT_EQ(made.ok(), c.want.empty());
    if (made.ok() || c.want.empty()) continue;
    EXPECT_NE(made.error().detail.find(c.want), std::string::npos) << made.error().detail;
    EXPECT_EQ(made.error().detail.find("secret"), std::string::npos) << made.error().detail;
  }
}

TEST(HttpsClient, ACallbackMayAskAgain) {
  const TestServer server(good_leaf(), answer_with(with_length("policy")));
  ClientRun run(server.port());
  std::vector<std::string> got;
  run.client().send(ClientRun::request(), [&](const HttpResult& first) {
    got.push_back(words(first));
    run.client().send(ClientRun::request({"127.0.0.2"}), [&](const HttpResult& second) {
      got.push_back(words(second));
      run.client().send(ClientRun::request(), [&](const HttpResult& third) {
        got.push_back(words(third));
        run.loop().stop();
      });
    });
  });
  run.run_for(20s);
  EXPECT_EQ(got, (std::vector<std::string>{"200 policy", "connect: 127.0.0.2: Connection refused",
                                           "200 policy"}));
}

TEST(HttpsClient, ACallbackThatThrowsHarmsNobody) {
  const TestServer server(good_leaf(), answer_with(with_length("policy")));
  ClientRun run(server.port());
  run.client().send(ClientRun::request(),
                    [](const HttpResult&) { throw std::runtime_error("a test"); });
  run.client().send(ClientRun::request({}),
                    [](const HttpResult&) { throw std::runtime_error("a test"); });
  EXPECT_EQ(words(run.get()), "200 policy");
  EXPECT_EQ(run.client().counters().answered, 2U);
  EXPECT_EQ(run.client().open_requests(), 0U);
}

TEST(HttpsClient, DestroyedWithRequestsOpenItCallsNobody) {
  int connections = 0;
  for (const char* stage : {"answer", "handshake", "at once", "early failure", "timeout"}) {
    SCOPED_TRACE(stage);
    const bool is_answering = std::string(stage) == "answer";
    const TestServer server(good_leaf(), [&](Peer& peer) {
      if (is_answering) {
        peer.handshake();
        peer.read_request();
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
      }
      peer.wait_for_close();
    });
    ClientRun run(server.port());
    const bool has_addresses = std::string(stage) != "early failure";
    for (int i = 0; i < 3; ++i) {
      run.client().send(has_addresses ? ClientRun::request() : ClientRun::request({}),
                        [&](const HttpResult&) { ADD_FAILURE() << "called"; });
    }
    EXPECT_EQ(run.client().open_requests(), 3U);
    if (has_addresses && std::string(stage) != "at once") run.run_for(100ms);
    run.destroy_client();
    run.run_for(50ms);
    connections += server.connections();
  }
  EXPECT_GT(connections, 0);
}

TEST(HttpsClient, OverTheLimitRequestsWaitInTheirOrder) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_max < 2 * kMaxOpenRequests) GTEST_SKIP() << "too few descriptors allowed";
  files.rlim_cur = 2 * kMaxOpenRequests;
  setrlimit(RLIMIT_NOFILE, &files);

  // Silent until the first 1024 have run into their deadline, then a server.
  const auto silent = testing::listen_on("127.0.0.1", 0, 2048);
  constexpr int kExtra = 5;
  ClientRun run(testing::port_of(silent), 5s);
  std::size_t timeouts = 0;
  std::vector<int> others;
  for (std::size_t i = 0; i < kMaxOpenRequests + kExtra; ++i) {
    const bool is_extra = i >= kMaxOpenRequests;
    HttpRequest request = is_extra ? ClientRun::request({"127.0.0.9"}) : ClientRun::request();
    const int number = static_cast<int>(i - kMaxOpenRequests);
    run.client().send(request, [&, is_extra, number](const HttpResult& result) {
      EXPECT_FALSE(result.ok());
      if (is_extra) {
        others.push_back(number);
        EXPECT_EQ(result.error().code, HttpError::kConnect);
      } else if (result.error().code == HttpError::kTimeout) {
        ++timeouts;
      }
      if (timeouts == kMaxOpenRequests && others.size() == kExtra) run.loop().stop();
    });
  }
  EXPECT_EQ(run.client().open_requests(), kMaxOpenRequests + kExtra);
  EXPECT_EQ(run.client().counters().queue_waits, static_cast<std::uint64_t>(kExtra));
  run.run_for(500ms);
  EXPECT_TRUE(others.empty());  // their address refuses at once, had they been let out
  run.run_for(20s);
  EXPECT_EQ(timeouts, kMaxOpenRequests);
  EXPECT_EQ(others, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(run.client().open_requests(), 0U);
}

}  // namespace
}  // namespace strictmx::http
