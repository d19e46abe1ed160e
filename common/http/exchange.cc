// exchange.cc - see exchange.h.
#include "common/http/exchange.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace strictmx::http {
namespace {

using base::fail;
using base::Ready;

constexpr const char* kUserAgent = "strictmx/0.1.0";
constexpr std::size_t kReadBytes = 16 * 1024;  // the largest TLS record
constexpr std::uint16_t kHttpsPort = 443;

std::string seconds_text(std::chrono::milliseconds span) {
  const auto tenths = span.count() / 100;
  return std::to_string(tenths / 10) + (tenths % 10 != 0 ? "." + std::to_string(tenths % 10) : "") +
         " s";
}

// RFC 9112 §3.2: Host has the port where it is not the scheme's. HttpsSettings::port is for tests
// and not told.
std::string_view body_of(const HttpRequest& request) {
  return request.body == nullptr ? std::string_view() : std::string_view(*request.body);
}

std::string request_head(const HttpRequest& request) {
  const bool is_post = request.method == HttpMethod::kPost;
  std::string head =
      (is_post ? "POST " : "GET ") + request.path + " HTTP/1.1\r\nHost: " + request.host;
  if (request.port != 0 && request.port != kHttpsPort) head += ":" + std::to_string(request.port);
  head += std::string("\r\nUser-Agent: ") + kUserAgent + "\r\nAccept: */*\r\n";
  if (is_post) {
    head += "Content-Type: " + request.content_type +
            "\r\nContent-Length: " + std::to_string(body_of(request).size()) + "\r\n";
  }
  return head + "Connection: close\r\n\r\n";
}

}  // namespace

Exchange::Exchange(base::EventLoop& loop, const ExchangeTerms& terms, HttpRequest request,
                   Callback on_done)
    : loop_(loop),
      terms_(terms),
      request_(std::move(request)),
      on_done_(std::move(on_done)),
      reader_(answer_limits()),
      deadline_(loop, [this] { on_deadline(); }),
      connect_timer_(loop, [this] { on_connect_timeout(); }) {}

void Exchange::start() {
  is_starting_ = true;
  deadline_.start(terms_.timeout);
  connect_next("no address to connect to");
  is_starting_ = false;
}

void Exchange::on_ready() {
  switch (state_) {
    case State::kConnecting:
      return connected();
    case State::kTunnelSending:
      return send_tunnel_request();
    case State::kTunnelReading:
      return read_tunnel_answer();
    case State::kHandshake:
      return handshake();
    case State::kSending:
      return send_request();
    case State::kReading:
      return read_answer();
    case State::kIdle:
    case State::kDone:
      return;
  }
}

void Exchange::on_deadline() {
  if (early_result_.has_value()) return finish(std::move(*early_result_));
  fail_with(HttpError::kTimeout,
            peer() + "no whole answer within " + seconds_text(terms_.timeout) + ", " + phase());
}

void Exchange::on_connect_timeout() {
  if (state_ != State::kConnecting) return;
  connect_next(peer() + "no connection within " + seconds_text(kConnectTimeout));
}

// Tries what is left of the addresses; the reason is why the one before could not be reached.
void Exchange::connect_next(std::string last_reason) {
  disconnect();
  state_ = State::kConnecting;
  while (next_address_ < addresses()) {
    ++next_address_;
    if (open_socket(peer_address())) {
      connect_timer_.start(kConnectTimeout);
      wait_for(Ready::kWrite);
      return;
    }
    last_reason = peer() + std::strerror(errno);
    disconnect();
  }
  fail_with(HttpError::kConnect, std::move(last_reason));
}

// False with errno where the connection can't even be begun.
bool Exchange::open_socket(const base::IpAddress& address) {
  const auto to = address.socket_address(terms_.proxy ? terms_.proxy->port : port());
  socket_ = base::UniqueDescriptor(
      socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_) return false;
  // The end of the handshake and the request are two small segments, one right after the other.
  const int one = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return ::connect(socket_.get(), to.get(), to.length) == 0 || errno == EINPROGRESS;
}

void Exchange::connected() {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) return connect_next(peer() + std::strerror(error));
  connect_timer_.stop();
  if (!terms_.proxy) return start_tls();
  state_ = State::kTunnelSending;
  outgoing_ = connect_request(request_.host, port());
  reader_ = ResponseReader({.max_header_bytes = kMaxTunnelAnswerBytes, .has_body = false});
  send_tunnel_request();
}

void Exchange::send_tunnel_request() {
  const ssize_t sent = send(socket_.get(), outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EAGAIN || errno == EINTR) return wait_for(Ready::kWrite);
    return fail_with(HttpError::kConnect, peer() + std::strerror(errno));
  }
  outgoing_.erase(0, static_cast<std::size_t>(sent));
  if (!outgoing_.empty()) return wait_for(Ready::kWrite);
  state_ = State::kTunnelReading;
  wait_for(Ready::kRead);
}

void Exchange::read_tunnel_answer() {
  std::array<char, kMaxTunnelAnswerBytes> buffer;
  const ssize_t count = recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    return fail_with(HttpError::kConnect,
                     peer() + (count == 0 ? "closed the tunnel" : std::strerror(errno)));
  }
  switch (reader_.read({buffer.data(), static_cast<std::size_t>(count)})) {
    case ReadState::kMore:
      return;
    case ReadState::kFailed:
      return fail_with(reader_.failure().code, peer() + reader_.failure().detail);
    case ReadState::kComplete:
      break;
  }
  const int status = reader_.take().status;
  if (status >= 300) {
    return fail_with(HttpError::kConnect,
                     peer() + "refuses the tunnel, HTTP status " + std::to_string(status));
  }
  reader_ = ResponseReader(answer_limits());
  start_tls();
}

void Exchange::start_tls() {
  tls_ = terms_.tls.connect(socket_.get(), request_.host);
  if (tls_ == nullptr) {
    return fail_with(HttpError::kSystem, "OpenSSL can't begin a connection to " + request_.host);
  }
  state_ = State::kHandshake;
  handshake();
}

void Exchange::handshake() {
  const TlsStatus status = tls_->handshake();
  if (status != TlsStatus::kDone) return wait_for(status);
  state_ = State::kSending;
  outgoing_ = request_head(request_);
  send_request();
}

void Exchange::send_request() {
  const std::string_view piece = unsent_piece();
  const TlsStatus status = tls_->write(piece);
  if (status == TlsStatus::kDone) sent_ += piece.size();
  // Perhaps the peer answered before it went: then that is still to be read.
  const bool is_broken = status == TlsStatus::kBroken && sent_ > 0;
  if (!unsent_piece().empty() && !is_broken) {
    if (sent_ > 0) watch_for_early_answer();
    return wait_for(status == TlsStatus::kDone ? TlsStatus::kWantWrite : status);
  }
  early_watch_.reset();
  state_ = State::kReading;
  // The answer takes a while; reading now would be a call for nothing, unless it came before.
  if (is_broken || tls_->has_pending()) return read_answer();
  wait_for(Ready::kRead);
}

// The same bytes until they are sent, as TlsStream::write() wants it.
std::string_view Exchange::unsent_piece() const {
  if (sent_ < outgoing_.size()) return std::string_view(outgoing_).substr(sent_);
  const std::string_view body = body_of(request_);
  return body.substr(sent_ - outgoing_.size(), kSendPieceBytes);
}

// A server may answer, and read no more, before it has the whole body (RFC 9112 §9.5): waiting
// until the body is sent would be waiting for the deadline.
void Exchange::watch_for_early_answer() {
  if (early_watch_ != nullptr) return;
  early_watch_ = std::make_unique<base::Watch>(loop_, socket_.get(), Ready::kRead,
                                               [this] { on_early_answer(); });
}

void Exchange::on_early_answer() {
  const auto status = read_available();
  if (status == TlsStatus::kFailed) wait_for(*status);
}

void Exchange::read_answer() {
  const auto status = read_available();
  if (status.has_value()) wait_for(*status);
}

// Reads what is there; says why there is no more, or nothing where that was the end of the
// exchange.
std::optional<TlsStatus> Exchange::read_available() {
  std::array<char, kReadBytes> buffer;
  for (;;) {
    const TlsRead read = tls_->read(buffer);
    if (read.status == TlsStatus::kEnd || read.status == TlsStatus::kBroken ||
        (read.status == TlsStatus::kFailed && reader_.has_begun())) {
      stream_ended(read.status);
      return std::nullopt;
    }
    if (read.status == TlsStatus::kWantRead && ++empty_reads_ > kMaxEmptyReads) {
      fail_with(HttpError::kProtocol, peer() + "too many TLS records without data");
      return std::nullopt;
    }
    if (read.status != TlsStatus::kDone) return read.status;
    switch (reader_.read({buffer.data(), read.count})) {
      case ReadState::kMore:
        continue;
      case ReadState::kComplete:
        tls_->send_close();
        finish(reader_.take());
        return std::nullopt;
      case ReadState::kFailed:
        finish(reader_.failure());
        return std::nullopt;
    }
  }
}

// Only a close_notify is an end: whoever can cut the connection must not shorten a policy.
void Exchange::stream_ended(TlsStatus status) {
  if (!reader_.has_begun()) {
    return fail_with(HttpError::kConnect, peer() + "connection closed before an answer");
  }
  if (status != TlsStatus::kEnd) {
    return fail_with(HttpError::kProtocol,
                     "answer is cut short: the connection broke without TLS's end of data");
  }
  if (reader_.end() == ReadState::kFailed) return finish(reader_.failure());
  tls_->send_close();
  finish(reader_.take());
}

void Exchange::wait_for(Ready ready) {
  auto& wanted = ready == Ready::kRead ? read_watch_ : write_watch_;
  auto& other = ready == Ready::kRead ? write_watch_ : read_watch_;
  if (other != nullptr) other->stop();
  if (wanted == nullptr) {
    wanted = std::make_unique<base::Watch>(loop_, socket_.get(), ready, [this] { on_ready(); });
  } else {
    wanted->start();
  }
}

// What a call of the TLS stream that is not done asks for.
void Exchange::wait_for(TlsStatus status) {
  switch (status) {
    case TlsStatus::kWantRead:
      return wait_for(Ready::kRead);
    case TlsStatus::kWantWrite:
      return wait_for(Ready::kWrite);
    case TlsStatus::kDone:
      return;
    case TlsStatus::kEnd:
    case TlsStatus::kBroken:
    case TlsStatus::kFailed:
      break;
  }
  const auto& failure = tls_->failure();
  const bool is_closed = failure.code == HttpError::kConnect;
  fail_with(failure.code, peer() + failure.detail + (is_closed ? std::string(" ") + phase() : ""));
}

void Exchange::fail_with(HttpError code, std::string detail) {
  finish(fail(code, std::move(detail)));
}

void Exchange::finish(HttpResult result) {
  state_ = State::kDone;
  connect_timer_.stop();
  if (is_starting_) {
    early_result_.emplace(std::move(result));
    deadline_.start(std::chrono::milliseconds(0));
    return;
  }
  // A copy, because the callback destroys this exchange.
  const Callback on_done = std::move(on_done_);
  on_done(*this, std::move(result));
}

void Exchange::disconnect() {
  read_watch_.reset();
  write_watch_.reset();
  early_watch_.reset();
  tls_.reset();
  socket_.reset();
}

const char* Exchange::phase() const {
  switch (state_) {
    case State::kIdle:
    case State::kConnecting:
      return "while connecting";
    case State::kTunnelSending:
    case State::kTunnelReading:
      return "while the proxy opens the tunnel";
    case State::kHandshake:
      return "in the TLS handshake";
    case State::kSending:
      return "while sending the request";
    case State::kReading:
      return "while waiting for the answer";
    case State::kDone:
      break;
  }
  return "at the end";
}

ReadLimits Exchange::answer_limits() const {
  return {.max_body_bytes = terms_.max_body_bytes, .has_body = request_.method == HttpMethod::kGet};
}

const base::IpAddress& Exchange::peer_address() const {
  return terms_.proxy ? terms_.proxy->address : request_.addresses[next_address_ - 1];
}

// "192.0.2.1: " for the detail of a failure. A proxy is not named: there is one, and the detail may
// be told to others.
std::string Exchange::peer() const {
  if (next_address_ == 0) return {};
  if (terms_.proxy) return tls_ != nullptr ? "via proxy: " : "proxy: ";
  return peer_address().text() + ": ";
}

}  // namespace strictmx::http
