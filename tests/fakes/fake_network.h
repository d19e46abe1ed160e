// fake_network.h - DNS and HTTPS of a made-up world. Answers wait until deliver(), so that a test
// chooses what comes when.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/dns/resolver.h"
#include "common/http/client.h"

namespace strictmx::fakes {

// Callbacks that wait for the test; a callback may add more, which deliver() runs as well.
class Pending {
 public:
  void add(std::function<void()> callback) { waiting_.push_back(std::move(callback)); }
  void deliver() {
    while (!waiting_.empty()) deliver_one();
  }
  // The first that waits; one must.
  void deliver_one() {
    const auto next = std::move(waiting_.front());
    waiting_.pop_front();
    next();
  }
  std::size_t size() const { return waiting_.size(); }

 private:
  std::deque<std::function<void()>> waiting_;
};

class FakeResolver : public dns::Resolver {
 public:
  explicit FakeResolver(Pending& pending) : pending_(pending) {}

  std::map<std::string, dns::DnsResult<std::string>> txt_records;
  std::map<std::string, dns::DnsResult<dns::MxRecord>> mx_records;
  std::map<std::string, dns::DnsResult<base::IpAddress>> address_records;
  std::map<std::string, dns::DnsResult<dns::TlsaRecord>> tlsa_records;
  std::map<std::string, dns::DnsResult<std::string>> cname_records;
  // For names that are in no map above: NODATA with this TTL.
  std::chrono::seconds negative_ttl{300};
  std::map<std::string, int> asked;  // name -> questions of all types
  using Family = std::pair<std::string, dns::AddressFamily>;
  std::map<Family, dns::DnsError> family_failures;
  std::map<Family, int> asked_family;

  void set_txt(const std::string& name, std::vector<std::string> texts,
               std::chrono::seconds ttl = std::chrono::seconds(300)) {
    txt_records.insert_or_assign(name, dns::DnsAnswer<std::string>{std::move(texts), ttl});
  }
  void fail_txt(const std::string& name, dns::DnsError error) {
    txt_records.insert_or_assign(name, base::fail(error, "made to fail"));
  }
  void set_address(const std::string& name) {
    dns::DnsAnswer<base::IpAddress> answer;
    answer.records = {*base::IpAddress::parse("192.0.2.1")};
    address_records.insert_or_assign(name, answer);
  }

  void txt(const std::string& name, dns::DnsCallback<std::string> callback) override {
    answer(txt_records, name, std::move(callback));
  }
  void mx(const std::string& name, dns::DnsCallback<dns::MxRecord> callback) override {
    answer(mx_records, name, std::move(callback));
  }
  void addresses(const std::string& name, dns::DnsCallback<base::IpAddress> callback) override {
    answer(address_records, name, std::move(callback));
  }
  // Out of address_records, unless family_failures says that this question fails.
  void family(const std::string& name, dns::AddressFamily family,
              dns::DnsCallback<base::IpAddress> callback) override {
    const bool is_ipv6 = family == dns::AddressFamily::kIpv6;
    ++asked_family[{name, family}];
    std::map<std::string, dns::DnsResult<base::IpAddress>> records;
    const auto failure = family_failures.find({name, family});
    const auto found = address_records.find(name);
    if (failure != family_failures.end()) {
      records.emplace(name, base::fail(failure->second, "made to fail"));
    } else if (found != address_records.end()) {
      dns::DnsResult<base::IpAddress> result = found->second;
      if (result.ok()) {
        std::erase_if(result.value().records,
                      [=](const auto& address) { return address.is_ipv6() != is_ipv6; });
      }
      records.emplace(name, std::move(result));
    }
    answer(records, name, std::move(callback));
  }
  void tlsa(const std::string& name, dns::DnsCallback<dns::TlsaRecord> callback) override {
    answer(tlsa_records, name, std::move(callback));
  }
  void cname(const std::string& name, dns::DnsCallback<std::string> callback) override {
    answer(cname_records, name, std::move(callback));
  }

 private:
  template <class R>
  void answer(const std::map<std::string, dns::DnsResult<R>>& records, const std::string& name,
              dns::DnsCallback<R> callback) {
    ++asked[name];
    const auto found = records.find(name);
    dns::DnsResult<R> result = dns::DnsAnswer<R>{{}, negative_ttl};
    if (found != records.end()) result = found->second;
    pending_.add([callback = std::move(callback), result] { callback(result); });
  }

  Pending& pending_;
};

class FakeHttpClient : public http::Client {
 public:
  explicit FakeHttpClient(Pending& pending) : pending_(pending) {}

  std::map<std::string, http::HttpResult> responses;  // by host
  std::map<std::string, int> asked;

  void set_policy(const std::string& domain, const std::string& body) {
    responses.insert_or_assign("mta-sts." + domain, http::HttpResponse{200, "text/plain", body});
  }
  void fail_policy(const std::string& domain, http::HttpError error) {
    responses.insert_or_assign("mta-sts." + domain, base::fail(error, "made to fail"));
  }

  void send(http::HttpRequest request, http::HttpCallback callback) override {
    ++asked[request.host];
    const auto found = responses.find(request.host);
    http::HttpResult result = base::fail(http::HttpError::kConnect, "connection refused");
    if (found != responses.end()) result = found->second;
    pending_.add([callback = std::move(callback), result] { callback(result); });
    last_request = std::move(request);
  }

  http::HttpRequest last_request;

 private:
  Pending& pending_;
};

}  // namespace strictmx::fakes
