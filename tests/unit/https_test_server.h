// https_test_server.h - certificates made at run time, and a TLS server that does what a test says.
//
// Use: TestAuthority for certificates; TestServer with a script, which is called for each
// connection, one after the other, in the server's thread.
// Ownership: the server's destructor ends its thread; what a script borrows must live until then.
// Errors: whatever OpenSSL or the kernel refuses aborts the test program.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/unique_descriptor.h"

namespace strictmx::http::testing {

struct OpenSslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <class T>
using Handle = std::unique_ptr<T, OpenSslFree>;

// A curve of NIST, RSA, RSA-PSS, ED25519 or ED448.
inline constexpr const char* kUsualKey = "P-256";

struct LeafOptions {
  std::string common_name{};
  std::vector<std::string> dns_names{};
  long days_from = -1;  // valid from, counted from now
  long days_to = 30;
  bool is_for_servers = true;  // false: extended key usage is that of clients
  std::string key = kUsualKey;
};

struct Leaf {
  Handle<X509> certificate;
  Handle<EVP_PKEY> key;
};

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& common_name, const std::string& key = kUsualKey);
  Leaf issue(const LeafOptions& options) const;
  static Leaf self_signed(const LeafOptions& options);
  std::string pem() const;

 private:
  Leaf root_;
};

// The server's side of one connection. Calls return false or less once the client is gone.
class Peer {
 public:
  Peer(base::UniqueDescriptor socket, SSL_CTX* context);
  bool handshake();
  std::string read_request();  // up to the empty line
  std::string read_body(std::size_t bytes);
  bool write(std::string_view text);
  bool write_plain(std::string_view text);
  std::string read_plain();  // up to an empty line
  void close_notify();
  void wait_for_close();  // until the client has closed
  std::string sni() const;
  bool is_session_reused() const;

 private:
  base::UniqueDescriptor socket_;
  Handle<SSL> ssl_;
};

using Script = std::function<void(Peer&)>;

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one
  int max_version = TLS1_3_VERSION;
  bool asks_certificate = false;
};

class TestServer {
 public:
  TestServer(Leaf leaf, Script script, const ServerOptions& options = {});
  ~TestServer() { stop(); }
  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }
  void stop();

 private:
  void run();

  Leaf leaf_;
  Handle<SSL_CTX> context_;
  const Script script_;
  base::UniqueDescriptor listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> is_stopping_ = false;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

// A socket that listens on 127.0.0.1 or the like; port 0 for any free one.
base::UniqueDescriptor listen_on(const std::string& address, std::uint16_t port, int backlog);
std::uint16_t port_of(const base::UniqueDescriptor& socket);

}  // namespace strictmx::http::testing
