// host_lookup.cc - see host_lookup.h.
#include "common/dane/host_lookup.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/dane/tlsa.h"

namespace strictmx::dane {
namespace {

using base::Failure;
using dns::DnsError;
using std::chrono::seconds;

constexpr seconds kNoNameTtl{3600};

class HostLookup : public std::enable_shared_from_this<HostLookup> {
 public:
  HostLookup(dns::Resolver& resolver, std::string host, std::uint16_t port,
             std::function<void(HostDane)> callback)
      : resolver_(resolver), host_(std::move(host)), port_(port), callback_(std::move(callback)) {}

  void start() {
    resolver_.addresses(host_,
                        [self = shared_from_this()](const dns::DnsResult<base::IpAddress>& found) {
                          self->on_addresses(found);
                        });
  }

 private:
  void on_addresses(const dns::DnsResult<base::IpAddress>& found) {
    // What is no DNS name has no address, for anybody.
    if (!found.ok() && found.error().code == DnsError::kName) {
      result_.ttl = kNoNameTtl;
      return finish(HostState::kNoAddress);
    }
    if (!found.ok()) return fail_with("addresses of " + host_, found.error());
    const auto& answer = found.value();
    result_.ttl = answer.ttl;
    if (answer.records.empty()) return finish(HostState::kNoAddress);
    const bool is_alias = !answer.alias_target.empty() && answer.alias_target != host_;
    if (answer.is_secure) {
      // §2.2.3: the expanded name first, then the original one.
      if (is_alias) candidates_.push_back(answer.alias_target);
      candidates_.push_back(host_);
      return look_up_tlsa();
    }
    if (!is_alias) return finish(HostState::kInsecure);
    resolver_.cname(host_, [self = shared_from_this()](const dns::DnsResult<std::string>& alias) {
      self->on_cname(alias);
    });
  }

  // §2.2.2: the target's zone is not signed, but the alias itself may be.
  void on_cname(const dns::DnsResult<std::string>& found) {
    if (!found.ok()) return fail_with("CNAME of " + host_, found.error());
    lower_ttl(found.value().ttl);
    if (!found.value().is_secure || found.value().records.empty()) {
      return finish(HostState::kInsecure);
    }
    candidates_.push_back(host_);
    look_up_tlsa();
  }

  void look_up_tlsa() {
    result_.base_domain = candidates_[next_candidate_];
    resolver_.tlsa(tlsa_name(port_, result_.base_domain),
                   [self = shared_from_this()](const dns::DnsResult<dns::TlsaRecord>& found) {
                     self->on_tlsa(found);
                   });
  }

  void on_tlsa(const dns::DnsResult<dns::TlsaRecord>& found) {
    // A host name so long that no TLSA name fits has none.
    const bool cannot_exist = !found.ok() && found.error().code == DnsError::kName;
    if (!found.ok() && !cannot_exist) {
      return fail_with(tlsa_name(port_, result_.base_domain), found.error());
    }
    if (found.ok()) lower_ttl(found.value().ttl);
    if (found.ok() && found.value().is_secure && !found.value().records.empty()) {
      return take_records(found.value().records);
    }
    is_secure_ = is_secure_ && (cannot_exist || found.value().is_secure);
    if (++next_candidate_ < candidates_.size()) return look_up_tlsa();
    finish(is_secure_ ? HostState::kAbsent : HostState::kInsecure);
  }

  void take_records(const std::vector<dns::TlsaRecord>& records) {
    TlsaUse first_obstacle = TlsaUse::kUsable;
    bool is_usable = false;
    std::size_t text_bytes = 0;
    for (const dns::TlsaRecord& record : records) {
      if (result_.records.size() >= kMaxTlsaRecords) break;
      std::string text = tlsa_text(record);
      text_bytes += text.size();
      if (text_bytes > kMaxTlsaTextBytes)
        text = "(" + std::to_string(record.data.size()) + " bytes)";
      result_.records.push_back(std::move(text));
      const TlsaUse use = tlsa_use(record);
      if (use == TlsaUse::kUsable) is_usable = true;
      if (first_obstacle == TlsaUse::kUsable) first_obstacle = use;
    }
    if (!is_usable) result_.reason = tlsa_use_name(first_obstacle);
    finish(is_usable ? HostState::kUsable : HostState::kUnusable);
  }

  void fail_with(const std::string& what, const Failure<DnsError>& failure) {
    result_.reason = what + ": " + failure.detail;
    result_.ttl = seconds(0);
    finish(failure.code == DnsError::kBogus ? HostState::kBogus : HostState::kFailed);
  }

  void finish(HostState state) {
    result_.state = state;
    if (result_.records.empty()) result_.base_domain.clear();
    callback_(std::move(result_));
  }

  void lower_ttl(seconds ttl) { result_.ttl = std::min(result_.ttl, ttl); }

  dns::Resolver& resolver_;
  const std::string host_;
  const std::uint16_t port_;
  const std::function<void(HostDane)> callback_;
  HostDane result_;
  std::vector<std::string> candidates_;
  std::size_t next_candidate_ = 0;
  bool is_secure_ = true;
};

}  // namespace

std::string_view host_state_name(HostState state) {
  switch (state) {
    case HostState::kUsable:
      return "usable";
    case HostState::kUnusable:
      return "unusable";
    case HostState::kAbsent:
      return "absent";
    case HostState::kInsecure:
      return "insecure";
    case HostState::kBogus:
      return "bogus";
    case HostState::kFailed:
      return "failed";
    case HostState::kNoAddress:
      return "no-address";
  }
  return "";
}

void look_up_host(dns::Resolver& resolver, const std::string& host, std::uint16_t port,
                  std::function<void(HostDane)> callback) {
  std::make_shared<HostLookup>(resolver, host, port, std::move(callback))->start();
}

}  // namespace strictmx::dane
