// site_resolver.cc - see site_resolver.h.
#include "plugins/cli/site_resolver.h"

#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>

#include "common/base/ip_address.h"
#include "common/base/unique_descriptor.h"

namespace strictmx::cli {
namespace {

using base::IpAddress;
using base::UniqueDescriptor;

// A resolver that was just started fetches the root's keys first.
constexpr std::chrono::milliseconds kProbeTimeout{5000};
constexpr std::uint16_t kDnsPort = 53;
// What the C library asks where resolv.conf names nobody, or is missing.
constexpr std::string_view kDefaultNameServer = "127.0.0.1";

constexpr std::size_t kHeaderBytes = 12;
constexpr std::uint8_t kResponse = 0x80;       // QR, byte 2
constexpr std::uint8_t kAuthenticData = 0x20;  // AD, byte 3 (RFC 6840 §5.7)
constexpr std::uint8_t kRcodeMask = 0x0f;      // byte 3
constexpr std::size_t kMaxReplyBytes = 4096;   // above what the question offers to take
using Question = std::array<std::uint8_t, kHeaderBytes + 5 + 11>;

// The NS records of the root: signed, and in each resolver's memory. RD and AD; EDNS with DO.
Question question() {
  Question bytes{0,    0, 0x01, kAuthenticData,
                 0,    1, 0,    0,
                 0,    0, 0,    1,  // header
                 0,    0, 2,    0,
                 1,  // . NS IN
                 0,    0, 41,   0x04,
                 0xd0, 0, 0,    0x80,
                 0,    0, 0};  // OPT, 1232 bytes
  std::uint8_t id[2];
  if (getrandom(id, sizeof id, 0) == sizeof id) {
    bytes[0] = id[0];
    bytes[1] = id[1];
  }
  return bytes;
}

std::optional<bool> sets_ad(const std::uint8_t* reply, std::size_t size, const Question& asked) {
  if (size < kHeaderBytes || reply[0] != asked[0] || reply[1] != asked[1]) return std::nullopt;
  if ((reply[2] & kResponse) == 0 || (reply[3] & kRcodeMask) != 0) return std::nullopt;
  return (reply[3] & kAuthenticData) != 0;
}

Validation ask(const IpAddress& server) {
  const auto address = server.socket_address(kDnsPort);
  const UniqueDescriptor link(
      socket(server.is_ipv6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!link || connect(link.get(), address.get(), address.length) != 0) {
    return Validation::kNoAnswer;
  }
  const Question asked = question();
  if (send(link.get(), asked.data(), asked.size(), 0) < 0) return Validation::kNoAnswer;
  pollfd entry{link.get(), POLLIN, 0};
  if (poll(&entry, 1, static_cast<int>(kProbeTimeout.count())) <= 0) return Validation::kNoAnswer;
  std::array<std::uint8_t, kMaxReplyBytes> reply;
  const ssize_t got = recv(link.get(), reply.data(), reply.size(), 0);
  if (got < 0) return Validation::kNoAnswer;  // nobody listens there
  const auto has_ad = sets_ad(reply.data(), static_cast<std::size_t>(got), asked);
  if (!has_ad.has_value()) return Validation::kNoAnswer;
  return *has_ad ? Validation::kYes : Validation::kNo;
}

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1";
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxResolvConfBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

}  // namespace

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf conf;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word)) continue;
    if (word == "nameserver" && words >> word) {
      const auto address = IpAddress::parse(word.substr(0, word.find('%')));
      if (address.has_value() && conf.name_servers.size() < kMaxNameServers) {
        conf.name_servers.push_back(address->text());
      }
    } else if (word == "options") {
      while (words >> word) conf.trusts_ad = conf.trusts_ad || word == "trust-ad";
    }
  }
  if (conf.name_servers.empty()) conf.name_servers.emplace_back(kDefaultNameServer);
  return conf;
}

SiteResolver look_at_resolver(const std::string& file) {
  SiteResolver resolver{file, parse_resolv_conf(read_file(file)), Validation::kYes, {}};
  const auto& servers = resolver.conf.name_servers;
  // One on another machine decides, wherever it stands: then none needs to be asked.
  const auto remote = std::find_if_not(servers.begin(), servers.end(), is_loopback);
  if (remote != servers.end()) {
    resolver.validation = Validation::kNotLocal;
    resolver.culprit = *remote;
    return resolver;
  }
  for (const std::string& server : servers) {
    const auto address = IpAddress::parse(server);
    resolver.validation = address.has_value() ? ask(*address) : Validation::kNoAnswer;
    if (resolver.validation == Validation::kYes) continue;
    resolver.culprit = server;
    return resolver;
  }
  return resolver;
}

std::string_view validation_name(Validation validation) {
  switch (validation) {
    case Validation::kYes:
      return "yes";
    case Validation::kNo:
      return "no";
    case Validation::kNoAnswer:
      return "no-answer";
    case Validation::kNotLocal:
      return "not-local";
  }
  return "";
}

}  // namespace strictmx::cli
