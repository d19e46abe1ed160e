// https_test_server.cc - see https_test_server.h.
#include "tests/unit/https_test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace strictmx::http::testing {
namespace {

constexpr int kPollMilliseconds = 20;
constexpr timeval kPatience{20, 0};  // of a blocking call; a test that needs it has failed

void must(bool is_well) {
  if (!is_well) std::abort();
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  must(extension != nullptr);
  must(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

Handle<X509> unsigned_certificate(EVP_PKEY* key, const std::string& common_name, long days_from,
                                  long days_to) {
  static std::atomic<long> serial = 1;
  constexpr long kDay = 24L * 60 * 60;
  Handle<X509> made(X509_new());
  must(made != nullptr);
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), days_from * kDay);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), days_to * kDay);
  X509_set_pubkey(made.get(), key);
  if (!common_name.empty()) {
    const auto* text = reinterpret_cast<const unsigned char*>(common_name.c_str());
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC, text, -1,
                                    -1, 0) == 1);
  }
  return made;
}

Handle<EVP_PKEY> new_key(const std::string& kind) {
  Handle<EVP_PKEY> key;
  if (kind.starts_with("P-")) {
    key.reset(EVP_EC_gen(kind.c_str()));
  } else {
    const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> maker(
        EVP_PKEY_CTX_new_from_name(nullptr, kind.c_str(), nullptr), &EVP_PKEY_CTX_free);
    EVP_PKEY* made = nullptr;
    must(EVP_PKEY_keygen_init(maker.get()) == 1 && EVP_PKEY_generate(maker.get(), &made) == 1);
    key.reset(made);
  }
  must(key != nullptr);
  return key;
}

void sign(X509* certificate, EVP_PKEY* key) {
  // RFC 8410: Ed25519 and Ed448 take no digest.
  const bool has_digest = EVP_PKEY_is_a(key, "ED25519") == 0 && EVP_PKEY_is_a(key, "ED448") == 0;
  must(X509_sign(certificate, key, has_digest ? EVP_sha256() : nullptr) > 0);
}

Leaf make_leaf(const LeafOptions& options, const Leaf* issuer) {
  Leaf leaf;
  leaf.key = new_key(options.key);
  leaf.certificate =
      unsigned_certificate(leaf.key.get(), options.common_name, options.days_from, options.days_to);
  X509* certificate = leaf.certificate.get();
  X509* signer = issuer != nullptr ? issuer->certificate.get() : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  add_extension(certificate, signer, NID_ext_key_usage,
                options.is_for_servers ? "serverAuth" : "clientAuth");
  std::string names;
  for (const std::string& name : options.dns_names) {
    names += (names.empty() ? "DNS:" : ",DNS:") + name;
  }
  if (!names.empty()) add_extension(certificate, signer, NID_subject_alt_name, names);
  sign(certificate, issuer != nullptr ? issuer->key.get() : leaf.key.get());
  return leaf;
}

sockaddr_in address_of(const std::string& address, std::uint16_t port) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(port);
  must(inet_pton(AF_INET, address.c_str(), &made.sin_addr) == 1);
  return made;
}

}  // namespace

TestAuthority::TestAuthority(const std::string& common_name, const std::string& key) {
  root_.key = new_key(key);
  root_.certificate = unsigned_certificate(root_.key.get(), common_name, -30, 300);
  X509* certificate = root_.certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  sign(certificate, root_.key.get());
}

Leaf TestAuthority::issue(const LeafOptions& options) const { return make_leaf(options, &root_); }
Leaf TestAuthority::self_signed(const LeafOptions& options) { return make_leaf(options, nullptr); }

std::string TestAuthority::pem() const {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), &BIO_free_all);
  must(PEM_write_bio_X509(bio.get(), root_.certificate.get()) == 1);
  char* text = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(length)};
}

Peer::Peer(base::UniqueDescriptor socket, SSL_CTX* context)
    : socket_(std::move(socket)), ssl_(SSL_new(context)) {
  must(ssl_ != nullptr);
  // What a script wrote is on its way, also where the connection closes with bytes unread.
  const int one = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  must(SSL_set_fd(ssl_.get(), socket_.get()) == 1);
}

bool Peer::handshake() { return SSL_accept(ssl_.get()) == 1; }

std::string Peer::read_request() {
  std::string request;
  std::array<char, 4096> buffer;
  while (!request.ends_with("\r\n\r\n")) {
    const int count = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
    if (count <= 0) return request;
    request.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return request;
}

std::string Peer::read_body(std::size_t bytes) {
  std::string body;
  std::array<char, 16384> buffer;
  while (body.size() < bytes) {
    const std::size_t wanted = std::min(buffer.size(), bytes - body.size());
    const int count = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(wanted));
    if (count <= 0) break;
    body.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return body;
}

bool Peer::write(std::string_view text) {
  return text.empty() || SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) > 0;
}

bool Peer::write_plain(std::string_view text) {
  return send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(text.size());
}

std::string Peer::read_plain() {
  std::string text;
  char byte = 0;
  while (!text.ends_with("\r\n\r\n") && recv(socket_.get(), &byte, 1, 0) == 1) text += byte;
  return text;
}

void Peer::close_notify() { SSL_shutdown(ssl_.get()); }

void Peer::wait_for_close() {
  std::array<char, 4096> buffer;
  while (recv(socket_.get(), buffer.data(), buffer.size(), 0) > 0) continue;
}

std::string Peer::sni() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? name : "";
}

bool Peer::is_session_reused() const { return SSL_session_reused(ssl_.get()) == 1; }

TestServer::TestServer(Leaf leaf, Script script, const ServerOptions& options)
    : leaf_(std::move(leaf)),
      context_(SSL_CTX_new(TLS_server_method())),
      script_(std::move(script)),
      listener_(listen_on(options.address, options.port, SOMAXCONN)),
      port_(port_of(listener_)) {
  SSL_CTX* context = context_.get();
  must(context != nullptr);
  must(SSL_CTX_use_certificate(context, leaf_.certificate.get()) == 1);
  must(SSL_CTX_use_PrivateKey(context, leaf_.key.get()) == 1);
  must(SSL_CTX_set_cipher_list(context, "DEFAULT@SECLEVEL=0") == 1);  // for TLS 1.0 and 1.1
  must(SSL_CTX_set_min_proto_version(context, TLS1_VERSION) == 1);
  must(SSL_CTX_set_max_proto_version(context, options.max_version) == 1);
  if (options.asks_certificate) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  thread_ = std::thread([this] { run(); });
}

void TestServer::stop() {
  is_stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void TestServer::run() {
  while (!is_stopping_) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (poll(&waiting, 1, kPollMilliseconds) <= 0) continue;
    base::UniqueDescriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) continue;
    ++connections_;
    Peer peer(std::move(socket), context_.get());
    script_(peer);
  }
}

base::UniqueDescriptor listen_on(const std::string& address, std::uint16_t port, int backlog) {
  base::UniqueDescriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int one = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const sockaddr_in to = address_of(address, port);
  must(bind(listener.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  must(listen(listener.get(), backlog) == 0);
  return listener;
}

std::uint16_t port_of(const base::UniqueDescriptor& socket) {
  sockaddr_in bound{};
  socklen_t length = sizeof bound;
  must(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &length) == 0);
  return ntohs(bound.sin_port);
}

}  // namespace strictmx::http::testing
