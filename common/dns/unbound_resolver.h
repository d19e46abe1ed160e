// unbound_resolver.h - the Resolver on libunbound, inside our event loop.
//
// Use: create() with the settings of [dns]. /etc/resolv.conf is read again when it changes.
// Ownership: borrows the loop. Threads: the loop's thread.
// Errors: create() fails on settings that libunbound refuses (an unreadable trust anchor file).
// Limits: kMaxOpenQuestions at once; kMaxQueuedQuestions more wait in order. Caches are small,
// since our own policy cache keeps what matters.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/dns/resolver.h"

namespace strictmx::dns {

// Questions under way in libunbound at once; each may hold a socket.
inline constexpr std::size_t kMaxOpenQuestions = 2048;
// Further ones wait, each within its own deadline; what comes beyond these fails at once. About as
// many as questions of mail servers may wait (service/questions.h), some 10 MB.
inline constexpr std::size_t kMaxQueuedQuestions = 40000;

enum class ResolverMode { kSystem, kForward, kRecursive };
enum class DnssecMode { kAuto, kRequire, kOff };
enum class SetupError { kSetting };

struct ResolverSettings {
  ResolverMode mode = ResolverMode::kSystem;
  std::vector<std::string> resolvers;  // addresses, for kForward
  unsigned port = 53;
  std::string trust_anchor_file;
  DnssecMode dnssec = DnssecMode::kAuto;
  std::chrono::milliseconds timeout{8000};
  // Validation has worked with these settings before: a failing self-test does not end it.
  bool has_validated = false;

  // The same name servers and rules?
  bool is_same_as(const ResolverSettings& other) const {
    return mode == other.mode && resolvers == other.resolvers && port == other.port &&
           trust_anchor_file == other.trust_anchor_file && dnssec == other.dnssec;
  }
};

// Counters since start, for /metrics.
struct ResolverCounters {
  std::uint64_t answered = 0;
  std::uint64_t absent = 0;  // answered, without records
  std::uint64_t timeouts = 0;
  std::uint64_t server_failures = 0;
  std::uint64_t bogus = 0;
  std::uint64_t malformed = 0;
  std::uint64_t queue_refused = 0;  // kMaxQueuedQuestions were waiting
  std::uint64_t queue_waits = 0;    // questions that waited because kMaxOpenQuestions were open
};

class UnboundResolver : public Resolver {
 public:
  static base::Result<std::unique_ptr<UnboundResolver>, SetupError> create(
      base::EventLoop& loop, const ResolverSettings& settings);
  ~UnboundResolver() override;

  void txt(const std::string& name, DnsCallback<std::string> callback) override;
  void mx(const std::string& name, DnsCallback<MxRecord> callback) override;
  void addresses(const std::string& name, DnsCallback<base::IpAddress> callback) override;
  void family(const std::string& name, AddressFamily family,
              DnsCallback<base::IpAddress> callback) override;
  void tlsa(const std::string& name, DnsCallback<TlsaRecord> callback) override;
  void cname(const std::string& name, DnsCallback<std::string> callback) override;

  const ResolverCounters& counters() const;
  std::size_t open_questions() const;
  // Is DNSSEC validated at present? False in kOff, and in kAuto while the name servers strip
  // signatures.
  bool is_validating() const;
  // Called when validation begins after questions were answered without it: what was concluded from
  // those answers is to be forgotten.
  void set_on_validating(std::function<void()> on_validating);

 private:
  class Core;
  explicit UnboundResolver(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace strictmx::dns
