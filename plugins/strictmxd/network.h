// network.h - DNS and HTTPS that can be set anew while questions are under way (SIGHUP).
//
// Use: hand these to the core as its dns::Resolver and http::Client; replace() on a reload.
// A client may be missing as long as nothing is asked of it.
// Ownership: a replaced one lives on until its last question is answered; drop_retired() now and
// then removes it. Threads: the loop's thread.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/dns/unbound_resolver.h"
#include "common/http/https_client.h"

namespace strictmx::daemon {

class CurrentResolver : public dns::Resolver {
 public:
  explicit CurrentResolver(std::unique_ptr<dns::UnboundResolver> first)
      : current_(std::move(first)) {}

  void replace(std::unique_ptr<dns::UnboundResolver> next) {
    const bool had_validated = current_->is_validating();
    retired_.push_back(std::exchange(current_, std::move(next)));
    current_->set_on_validating(on_validating_);
    if (!had_validated && on_validating_) on_validating_();
  }
  // See UnboundResolver; holds for those that replace the current one too, and is called when one
  // that did not validate is replaced.
  void set_on_validating(std::function<void()> on_validating) {
    on_validating_ = std::move(on_validating);
    current_->set_on_validating(on_validating_);
  }
  void drop_retired() {
    std::erase_if(retired_, [](const auto& old) { return old->open_questions() == 0; });
  }
  const dns::UnboundResolver& current() const { return *current_; }

  void txt(const std::string& name, dns::DnsCallback<std::string> callback) override {
    current_->txt(name, std::move(callback));
  }
  void mx(const std::string& name, dns::DnsCallback<dns::MxRecord> callback) override {
    current_->mx(name, std::move(callback));
  }
  void addresses(const std::string& name, dns::DnsCallback<base::IpAddress> callback) override {
    current_->addresses(name, std::move(callback));
  }
  void family(const std::string& name, dns::AddressFamily family,
              dns::DnsCallback<base::IpAddress> callback) override {
    current_->family(name, family, std::move(callback));
  }
  void tlsa(const std::string& name, dns::DnsCallback<dns::TlsaRecord> callback) override {
    current_->tlsa(name, std::move(callback));
  }
  void cname(const std::string& name, dns::DnsCallback<std::string> callback) override {
    current_->cname(name, std::move(callback));
  }

 private:
  std::unique_ptr<dns::UnboundResolver> current_;
  std::vector<std::unique_ptr<dns::UnboundResolver>> retired_;
  std::function<void()> on_validating_;
};

class CurrentClient : public http::Client {
 public:
  explicit CurrentClient(std::unique_ptr<http::HttpsClient> first) : current_(std::move(first)) {}

  void replace(std::unique_ptr<http::HttpsClient> next) {
    auto old = std::exchange(current_, std::move(next));
    if (old != nullptr) retired_.push_back(std::move(old));
  }
  void drop_retired() {
    std::erase_if(retired_, [](const auto& old) { return old->open_requests() == 0; });
  }
  const http::HttpsClient& current() const { return *current_; }

  void send(http::HttpRequest request, http::HttpCallback callback) override {
    current_->send(std::move(request), std::move(callback));
  }

 private:
  std::unique_ptr<http::HttpsClient> current_;
  std::vector<std::unique_ptr<http::HttpsClient>> retired_;
};

}  // namespace strictmx::daemon
