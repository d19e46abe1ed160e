// report_target.cc - see report_target.h.
#include "common/reporting/report_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "common/base/domain_name.h"
#include "common/base/mail_address.h"
#include "common/base/printable.h"

namespace strictmx::reporting {
namespace {

using base::fail;
using base::Failure;

constexpr std::uint16_t kHttpsPort = 443;
constexpr std::size_t kMaxPortDigits = 5;
// Of a peer's text in a failure.
constexpr std::size_t kMaxShownBytes = 100;

std::string quoted(std::string_view text) { return "'" + base::shown(text, kMaxShownBytes) + "'"; }

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = base::ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The byte of a percent-escape (RFC 3986 §2.1) that the text begins with; no value when it is none.
std::optional<char> escaped_byte(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return std::nullopt;
  const int high = hex_digit(text[1]);
  const int low = hex_digit(text[2]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    const auto byte = escaped_byte(text);
    if (text[0] == '%' && !byte.has_value()) return std::nullopt;
    decoded += byte.value_or(text[0]);
    text.remove_prefix(byte.has_value() ? 3 : 1);
  }
  return decoded;
}

// As RFC 6068 §2 wants a local part, and RFC 8460 §3 a URI in a record: what has a meaning in
// either is encoded.
std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kPlain = "-._~$'*+";
  std::string encoded;
  for (const char c : text) {
    if (is_letter_or_digit(c) || kPlain.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

bool has_dot(std::string_view name) { return name.find('.') != std::string_view::npos; }

base::Result<ReportTarget, TargetError> read_mail(std::string_view rest) {
  const std::string_view encoded = rest.substr(0, rest.find_first_of("?#"));
  const auto address = percent_decoded(encoded);
  if (!address.has_value()) {
    return fail(TargetError::kSyntax, "broken percent-escape in " + quoted(encoded));
  }
  const auto domain = base::domain_of_mail_address(*address);
  if (!domain.has_value() || encoded.starts_with("//")) {
    return fail(TargetError::kAddress, quoted(*address) + " is not one plain mail address");
  }
  if (!has_dot(domain->text())) {
    return fail(TargetError::kAddress, quoted(*address) + ": the domain is not fully qualified");
  }
  if (address->starts_with('-')) {  // to a mail program it would look like an option
    return fail(TargetError::kAddress, quoted(*address) + " begins with a dash");
  }
  const std::string local_part = address->substr(0, address->find('@'));
  ReportTarget target;
  target.kind = TargetKind::kMail;
  target.mailbox = local_part + "@" + domain->text();
  target.uri = "mailto:" + percent_encoded(local_part) + "@" + domain->text();
  return target;
}

struct Authority {
  std::string host;
  std::uint16_t port = kHttpsPort;
};

// RFC 3986 §3.2.3: digits, or nothing for the scheme's own.
std::optional<std::uint16_t> read_port(std::string_view digits) {
  if (digits.empty()) return kHttpsPort;
  std::uint16_t port = 0;
  const char* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, port);
  if (digits.size() > kMaxPortDigits || parsed.ec != std::errc() || parsed.ptr != end ||
      port == 0) {
    return std::nullopt;
  }
  return port;
}

base::Result<Authority, TargetError> read_authority(std::string_view text) {
  if (text.find('@') != std::string_view::npos) {
    return fail(TargetError::kHost, "user or password before the host; none is ever sent");
  }
  if (text.starts_with('[')) {
    return fail(TargetError::kHost, quoted(text) + " is an IP address, not a host's name");
  }
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto name = base::DomainName::parse(text.substr(0, colon));
  if (!name.ok()) {
    const bool is_address = name.error().code == base::NameError::kAddress;
    return fail(TargetError::kHost,
                quoted(text.substr(0, colon)) + (is_address ? " is an IP address, not a host's name"
                                                            : " is not a host's name"));
  }
  if (!has_dot(name.value().text())) {
    return fail(TargetError::kHost, quoted(text) + ": the host is not fully qualified");
  }
  const auto port = read_port(text.substr(std::min(colon + 1, text.size())));
  if (!port.has_value()) {
    return fail(TargetError::kHost, quoted(text) + ": the port is not in 1 to 65535");
  }
  return Authority{name.value().text(), *port};
}

// Path and query stay as they are, but for what could end or split a line of the request, here or
// behind the server.
std::optional<Failure<TargetError>> path_problem(std::string_view path) {
  if (path.size() > kMaxPathBytes) {
    return fail(TargetError::kPath, fmt::format("path and query over {} bytes", kMaxPathBytes));
  }
  constexpr std::string_view kLineEnds("\0\r\n", 3);
  for (std::size_t at = path.find('%'); at < path.size(); at = path.find('%', at + 1)) {
    const auto byte = escaped_byte(path.substr(at));
    if (!byte.has_value()) {
      return fail(TargetError::kSyntax, "broken percent-escape in " + quoted(path));
    }
    if (kLineEnds.find(*byte) != std::string_view::npos) {
      return fail(TargetError::kPath, "NUL or line end in " + quoted(path));
    }
  }
  return std::nullopt;
}

base::Result<ReportTarget, TargetError> read_https(std::string_view rest) {
  if (!rest.starts_with("//")) {
    return fail(TargetError::kHost, "no host; https: goes on with //");
  }
  rest = rest.substr(2);
  rest = rest.substr(0, rest.find('#'));
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  const auto authority = read_authority(rest.substr(0, end));
  if (!authority.ok()) return authority.error();
  ReportTarget target;
  target.kind = TargetKind::kHttps;
  target.host = authority.value().host;
  target.port = authority.value().port;
  target.path = rest.substr(end);
  if (!target.path.starts_with('/')) target.path.insert(0, "/");
  if (const auto problem = path_problem(target.path)) return *problem;
  target.uri = "https://" + target.host;
  if (target.port != kHttpsPort) target.uri += ":" + std::to_string(target.port);
  target.uri += target.path;
  return target;
}

}  // namespace

base::Result<ReportTarget, TargetError> read_target(std::string_view uri) {
  if (uri.size() > kMaxTargetUriBytes) {
    return fail(TargetError::kSyntax, fmt::format("URI over {} bytes", kMaxTargetUriBytes));
  }
  if (!std::all_of(uri.begin(), uri.end(), [](char c) { return c > ' ' && c <= '~'; })) {
    return fail(TargetError::kSyntax, "a URI is printable ASCII without spaces (RFC 3986 §2)");
  }
  const std::size_t colon = uri.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return fail(TargetError::kSyntax, "no URI: it has no scheme");
  }
  const std::string scheme = base::ascii_lower(uri.substr(0, colon));
  if (scheme == "mailto") return read_mail(uri.substr(colon + 1));
  if (scheme == "https") return read_https(uri.substr(colon + 1));
  return fail(TargetError::kScheme, "scheme not supported (RFC 8460 §3): " + quoted(scheme));
}

TargetList read_targets(std::span<const std::string> uris, std::size_t max_targets) {
  TargetList list;
  for (const std::string& uri : uris) {
    auto target = read_target(uri);
    if (!target.ok()) {
      list.refused.push_back({base::shown(uri, kMaxShownBytes), target.error().detail});
    } else if (std::find(list.targets.begin(), list.targets.end(), target.value()) !=
               list.targets.end()) {
      continue;  // named twice; one report is enough
    } else if (list.targets.size() >= max_targets) {
      list.refused.push_back({base::shown(uri, kMaxShownBytes),
                              fmt::format("more than {} destinations in the record", max_targets)});
    } else {
      list.targets.push_back(std::move(target).value());
    }
  }
  return list;
}

}  // namespace strictmx::reporting
