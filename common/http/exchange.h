// exchange.h - one GET or POST on one connection: connect, perhaps a proxy's tunnel, TLS, request,
// answer.
//
// Use: start() once; the callback comes once, from the loop and never inside start(), and may
// destroy the exchange (it is the last thing an exchange does).
// Ownership: borrows the loop and the terms. Destroying it ends the connection without a callback.
// Threads: the loop's thread.
// Errors: every HttpError, with what was under way in the detail.
// Limits: the deadline of HttpsSettings::timeout for the whole, kConnectTimeout for an address.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/unique_descriptor.h"
#include "common/http/client.h"
#include "common/http/proxy.h"
#include "common/http/response_reader.h"
#include "common/http/tls_stream.h"

namespace strictmx::http {

// Three SYNs on Linux; further addresses get their turn within the default deadline.
inline constexpr std::chrono::milliseconds kConnectTimeout{5000};

// Reads of the TLS stream that bring no data: partial records of a slow peer, tickets, key updates.
// A flood of the latter would keep the loop busy.
inline constexpr int kMaxEmptyReads = 2000;

// Of a body at a time, so that neither a fast peer nor encryption keeps the loop busy.
inline constexpr std::size_t kSendPieceBytes = 64 * 1024;

// What all exchanges of a client have in common.
struct ExchangeTerms {
  TlsContext tls;
  std::optional<Proxy> proxy;
  std::uint16_t port = 443;
  std::chrono::milliseconds timeout{};
  std::size_t max_body_bytes = 0;
};

class Exchange {
 public:
  using Callback = std::function<void(Exchange& self, HttpResult result)>;

  Exchange(base::EventLoop& loop, const ExchangeTerms& terms, HttpRequest request,
           Callback on_done);
  void start();

 private:
  // kConnecting -> kHandshake -> kSending -> kReading -> kDone
  //   kConnecting -> kConnecting with the next address
  //   kConnecting -> kTunnelSending -> kTunnelReading -> kHandshake with a proxy
  //   kSending -> kDone where the answer comes, or the peer goes, before it has the whole body
  enum class State {
    kIdle,
    kConnecting,
    kTunnelSending,
    kTunnelReading,
    kHandshake,
    kSending,
    kReading,
    kDone,
  };

  void on_ready();
  void on_deadline();
  void on_connect_timeout();

  void connect_next(std::string last_reason);
  bool open_socket(const base::IpAddress& address);
  void connected();
  void send_tunnel_request();
  void read_tunnel_answer();
  void start_tls();
  void handshake();
  void send_request();
  std::string_view unsent_piece() const;
  void watch_for_early_answer();
  void on_early_answer();
  void read_answer();
  std::optional<TlsStatus> read_available();
  void stream_ended(TlsStatus status);

  void wait_for(base::Ready ready);
  void wait_for(TlsStatus status);
  void fail_with(HttpError code, std::string detail);
  void finish(HttpResult result);
  void disconnect();
  const char* phase() const;
  std::string peer() const;
  const base::IpAddress& peer_address() const;
  std::uint16_t port() const { return request_.port != 0 ? request_.port : terms_.port; }
  ReadLimits answer_limits() const;
  std::size_t addresses() const { return terms_.proxy ? 1 : request_.addresses.size(); }

  base::EventLoop& loop_;
  const ExchangeTerms& terms_;
  const HttpRequest request_;
  Callback on_done_;
  State state_ = State::kIdle;
  bool is_starting_ = false;
  int empty_reads_ = 0;
  std::size_t next_address_ = 0;
  std::string outgoing_;  // CONNECT, or the head of the request
  std::size_t sent_ = 0;  // of the head and the body
  ResponseReader reader_;
  std::optional<HttpResult> early_result_;
  base::Timer deadline_;
  base::Timer connect_timer_;
  // In this order: the watches go before the descriptor is closed.
  base::UniqueDescriptor socket_;
  std::unique_ptr<TlsStream> tls_;
  std::unique_ptr<base::Watch> read_watch_;
  std::unique_ptr<base::Watch> write_watch_;
  std::unique_ptr<base::Watch> early_watch_;  // for an answer while a body is sent
};

}  // namespace strictmx::http
