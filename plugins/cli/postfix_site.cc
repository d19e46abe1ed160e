// postfix_site.cc - see postfix_site.h. One function a setting.
#include "plugins/cli/postfix_site.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "plugins/cli/dane_site.h"
#include "plugins/cli/terminal.h"

namespace strictmx::cli {
namespace {

constexpr PostfixVersion kFirstWithServername{3, 4, 0};
constexpr PostfixVersion kFirstWithTlsrpt{3, 10, 0};
constexpr PostfixVersion kFirstWithMxPatterns{3, 10, 5};
// postfix-tlspol listens there, postfix-mta-sts-resolver where we do.
constexpr std::string_view kTlspolPort = ":8642:";

// The Postfix spelling of an address we listen on for connections from this machine.
std::string tcp_endpoint(std::string_view listener) {
  const std::size_t colon = listener.rfind(':');
  const std::string_view host = listener.substr(0, colon);
  const std::string_view port = listener.substr(colon + 1);
  const bool is_any = host.empty() || host == "*" || host == "0.0.0.0" || host == "[::]";
  return fmt::format("inet:{}:{}", is_any ? "127.0.0.1" : host, port);
}

bool is_loopback(std::string_view listener) {
  return listener.starts_with("127.") || listener.starts_with("[::1]") ||
         listener.starts_with("localhost:");
}

// Where Postfix finds strictmxd: TCP works in a chroot and out of it, so it goes first. A UNIX
// socket does in a chroot only below the queue directory, and is named relative to it, which is
// where each Postfix process runs. Empty when there is no way.
std::string endpoint(const PostfixSite& site, const std::vector<std::string>& listeners) {
  std::vector<std::string> tcp;
  std::vector<std::string> paths;
  for (const std::string& listener : listeners) {
    if (listener.starts_with("unix:")) {
      paths.push_back(listener.substr(5));
    } else if (!listener.empty()) {
      tcp.push_back(listener);
    }
  }
  const auto loopback = std::find_if(tcp.begin(), tcp.end(), is_loopback);
  if (loopback != tcp.end()) return tcp_endpoint(*loopback);
  if (!tcp.empty()) return tcp_endpoint(tcp.front());
  const std::string queue = site.queue_directory + "/";
  for (const std::string& path : paths) {
    if (!site.queue_directory.empty() && path.starts_with(queue)) {
      return "unix:" + path.substr(queue.size());
    }
  }
  if (site.chroot != Chroot::kYes && !paths.empty()) return "unix:" + paths.front();
  return {};
}

// Is this table ours, under whatever map name? `proxy:` may stand in front.
bool is_ours(std::string_view table, std::string_view endpoint) {
  constexpr std::string_view kProxy = "proxy:";
  if (table.starts_with(kProxy)) table.remove_prefix(kProxy.size());
  return table.starts_with(fmt::format("socketmap:{}:", endpoint));
}

bool asks_us(const PostfixSite& site, const StrictmxSite& own) {
  const std::string ours = endpoint(site, own.listeners);
  const auto tables = split_maps(site.policy_maps_expanded);
  return !ours.empty() && std::any_of(tables.begin(), tables.end(),
                                      [&ours](const auto& table) { return is_ours(table, ours); });
}

// Why this site can't ask strictmxd, or must not; empty when it can.
std::string obstacle(const PostfixSite& site, const DaneAdvice& dane, bool is_asked) {
  const auto version = read_version(site.version);
  if (!version.has_value()) {
    return fmt::format("postconf gives no version of Postfix: \"{}\"", site.version);
  }
  if (*version < kFirstWithServername) {
    return fmt::format(
        "Postfix {} is too old: before 3.4 its TLS policies have no attribute servername (SNI, "
        "RFC 8461 7.1), and it defers mail over an attribute that it does not know",
        site.version);
  }
  if (std::find(site.map_types.begin(), site.map_types.end(), "socketmap") ==
      site.map_types.end()) {
    return "this Postfix has no socketmap tables (postconf -m)";
  }
  if (site.security_level == "fingerprint") {
    return "smtp_tls_security_level = fingerprint: an answer `secure` would replace the pinned "
           "fingerprints by the public certificate authorities, which is weaker";
  }
  return dane_obstacle(dane, is_asked);
}

// The first table of ours becomes `table`; further ones go.
std::string with_ours_replaced(const std::vector<std::string>& written, std::string_view endpoint,
                               const std::string& table) {
  std::string value;
  bool has_ours = false;
  for (const std::string& one : written) {
    const bool is_own = is_ours(one, endpoint);
    if (is_own && has_ours) continue;
    has_ours = has_ours || is_own;
    if (!value.empty()) value += ", ";
    value += is_own ? table : one;
  }
  return value;
}

void advise_map(const PostfixSite& site, PostfixVersion version, const std::string& endpoint,
                Advice& advice) {
  const std::string_view map = version < kFirstWithTlsrpt ? "postfix" : "postfix-tlsrpt";
  advice.table = fmt::format("socketmap:{}:{}", endpoint, map);
  const auto present = split_maps(site.policy_maps_expanded);
  if (std::find(present.begin(), present.end(), advice.table) != present.end() ||
      std::find(present.begin(), present.end(), "proxy:" + advice.table) != present.end()) {
    advice.done.push_back("smtp_tls_policy_maps has " + advice.table);
    return;
  }
  if (shown(site.policy_maps) != site.policy_maps) {
    advice.warnings.emplace_back("smtp_tls_policy_maps holds unprintable characters; put " +
                                 advice.table + " at its end by hand");
    return;
  }
  std::string why = version < kFirstWithTlsrpt
                        ? "asks strictmxd for each next hop"
                        : "asks strictmxd for each next hop, with the attributes for MX patterns "
                          "and TLSRPT that Postfix 3.10 and later take";
  const auto written = split_maps(site.policy_maps);
  const bool is_replaced =
      std::any_of(written.begin(), written.end(),
                  [&endpoint](const std::string& table) { return is_ours(table, endpoint); });
  std::string value = site.policy_maps;
  if (is_replaced) {
    value = with_ours_replaced(written, endpoint, advice.table);
    why += "; it takes the place of the other map name at the same address";
  } else if (value.empty()) {
    value = advice.table;
  } else {
    value += ", " + advice.table;
    why += "; your own maps stay first: what they say of a domain wins";
  }
  if (site.policy_maps.find(kTlspolPort) != std::string::npos) {
    advice.warnings.emplace_back(
        "smtp_tls_policy_maps has a table on port 8642 (postfix-tlspol): it is asked first and "
        "wins; take it out when you switch to strictmxd");
  }
  advice.settings.push_back({"smtp_tls_policy_maps", std::move(value), std::move(why)});
}

void advise_level(const PostfixSite& site, Advice& advice) {
  const bool is_old_style = site.use_tls || site.enforce_tls;
  if (site.security_level.empty() && is_old_style) {
    advice.done.push_back(fmt::format("smtp_{}_tls = yes stands for smtp_tls_security_level = {}",
                                      site.enforce_tls ? "enforce" : "use",
                                      site.enforce_tls ? "encrypt" : "may"));
    return;
  }
  if (!site.security_level.empty() && site.security_level != "none") {
    advice.done.push_back("smtp_tls_security_level = " + site.security_level);
    return;
  }
  advice.settings.push_back({"smtp_tls_security_level", "may",
                             "TLS is off; with `may` it is used wherever a host offers it, and "
                             "strictmxd's answers make it mandatory where a policy says so"});
}

void advise_roots(const PostfixSite& site, const StrictmxSite& own, Advice& advice) {
  if (site.ca_file.empty() && site.ca_path.empty()) {
    // tls_append_default_CA adds to these two only; alone it has no effect.
    advice.settings.push_back({"smtp_tls_CAfile", own.ca_file,
                               "Postfix trusts no certificate authority by itself: without this "
                               "every delivery at level `secure` is deferred. A CAfile is read "
                               "before the chroot, so it works there too"});
    if (!own.ca_file_is_readable) {
      advice.warnings.emplace_back(
          own.ca_file +
          " can't be read here; install the package ca-certificates, or name "
          "your file of roots");
    }
    return;
  }
  if (!site.ca_file.empty()) {
    advice.done.push_back("smtp_tls_CAfile = " + site.ca_file);
    if (!site.ca_file_is_readable) {
      advice.warnings.emplace_back(
          "smtp_tls_CAfile = " + site.ca_file +
          " can't be read here; without it every delivery at level `secure` "
          "is deferred");
    }
    return;
  }
  advice.done.push_back("smtp_tls_CApath = " + site.ca_path);
  if (site.chroot == Chroot::kYes) {
    advice.warnings.emplace_back(
        fmt::format("smtp(8) runs in a chroot and reads smtp_tls_CApath inside of it: the hashed "
                    "certificates must be in {}{}. A smtp_tls_CAfile has no such condition",
                    site.queue_directory, site.ca_path));
  }
}

void warn_of_routes(const PostfixSite& site, Advice& advice) {
  if (!site.relay_host.empty()) {
    advice.warnings.emplace_back(fmt::format(
        "relayhost = {}: mail goes there, and strictmxd is asked about that name alone. "
        "Policies of recipients' domains must be enforced on the relay",
        site.relay_host));
  }
  if (!site.transport_maps.empty()) {
    advice.warnings.emplace_back(
        "transport_maps is set: what it sends elsewhere is looked up by its next hop, not by the "
        "recipient's domain, and only where that transport is smtp(8)");
  }
  const std::string transport = site.default_transport.substr(0, site.default_transport.find(':'));
  if (!transport.empty() && transport != "smtp") {
    advice.warnings.emplace_back("default_transport = " + site.default_transport +
                                 ": give that service the same settings in master.cf, if it is "
                                 "smtp(8)");
  }
  if (site.wrapper_mode) {
    advice.warnings.emplace_back(
        "smtp_tls_wrappermode = yes: TLS is spoken from the first byte, which MX hosts on port 25 "
        "do not; put it on the one service in master.cf that needs it");
  }
  if (site.chroot == Chroot::kNoService) {
    advice.warnings.emplace_back(
        "master.cf has no service smtp/unix: nothing delivers by SMTP here");
  }
}

void warn_of_versions(const PostfixSite& site, PostfixVersion version, Advice& advice) {
  if (version < kFirstWithMxPatterns) {
    advice.warnings.emplace_back(
        fmt::format("Postfix {} checks the policy's patterns against the certificate alone; from "
                    "3.10.5 on it also skips MX hosts whose name matches none",
                    site.version));
  } else if (!site.enforces_mx_patterns) {
    advice.settings.push_back({"smtp_tls_enforce_sts_mx_patterns", "yes",
                               "with `no`, MX hosts outside the policy are tried as well"});
  }
}

}  // namespace

std::optional<PostfixVersion> read_version(std::string_view text) {
  PostfixVersion version;
  int* const numbers[] = {&version.major, &version.minor, &version.patch};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  int count = 0;
  for (int* number : numbers) {
    const auto [next, error] = std::from_chars(at, end, *number);
    if (error != std::errc() || *number < 0) break;
    ++count;
    if (next == end || *next != '.') break;
    at = next + 1;
  }
  return count >= 2 ? std::optional(version) : std::nullopt;
}

std::vector<std::string> split_maps(std::string_view value) {
  std::vector<std::string> tables;
  std::string table;
  int depth = 0;
  for (const char c : value) {
    const bool is_separator = c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (is_separator && depth == 0) {
      if (!table.empty()) tables.push_back(std::move(table));
      table.clear();
      continue;
    }
    if (c == '{') ++depth;
    if (c == '}' && depth > 0) --depth;
    table += c;
  }
  if (!table.empty()) tables.push_back(std::move(table));
  return tables;
}

Advice advise(const PostfixSite& site, const StrictmxSite& own) {
  Advice advice;
  advice.dane = look_at_dane(site, own);
  advice.blocked = obstacle(site, advice.dane, asks_us(site, own));
  if (!advice.blocked.empty()) return advice;
  const PostfixVersion version = *read_version(site.version);
  const std::string reachable_at = endpoint(site, own.listeners);
  if (reachable_at.empty()) {
    advice.blocked =
        "strictmxd has no address that smtp(8) in its chroot can reach: listen.socketmap needs "
        "127.0.0.1:8461, or a UNIX socket below " +
        (site.queue_directory.empty() ? "the queue directory" : site.queue_directory);
    return advice;
  }
  advise_map(site, version, reachable_at, advice);
  advise_level(site, advice);
  advise_roots(site, own, advice);
  advise_dane(version, site.resolver, advice);
  warn_of_versions(site, version, advice);
  warn_of_routes(site, advice);
  return advice;
}

}  // namespace strictmx::cli
