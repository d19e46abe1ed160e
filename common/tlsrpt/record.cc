// record.cc - see record.h. Byte positions in failures count from 1.
#include "common/tlsrpt/record.h"

#include <algorithm>
#include <utility>

#include "common/base/domain_name.h"
#include "common/base/ip_address.h"
#include "common/base/log.h"

namespace strictmx::tlsrpt {
namespace {

using base::fail;
using base::Failure;
using base::Outcome;

constexpr std::string_view kVersion = "v=TLSRPTv1";       // §3 tlsrpt-version, case-sensitive
constexpr std::string_view kDiscardRule = "v=TLSRPTv1;";  // §3, several records at the name
constexpr std::string_view kWhiteSpace = " \t";           // RFC 5234 WSP
constexpr std::size_t kMaxExtensionNameBytes = 1 + 31;    // §3 tlsrpt-ext-name

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_letter_or_digit(char c) { return is_letter(c) || is_digit(c); }
bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// §3 tlsrpt-ext-name.
bool is_extension_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxExtensionNameBytes &&
         is_letter_or_digit(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.';
         });
}

// §3 tlsrpt-ext-value: printable US-ASCII without "=", ";" and the space.
bool is_extension_value(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '=' && c != ';';
  });
}

// A rua after the first: any printable text, as its URIs are of no interest.
bool is_ignored_rua(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return (c >= ' ' && c <= '~') || c == '\t'; });
}

struct Uri {
  std::string_view scheme;
  bool has_authority = false;
  std::string_view host;
  std::string_view path;
  std::string_view after_scheme;  // all after the ':'
};

// unreserved, pct-encoded and sub-delims of RFC 3986 §2, and what `extra` adds. Of the sub-delims
// ",", "!" and ";" are missing: RFC 8460 §3 wants them encoded.
bool is_uri_text(std::string_view text, std::string_view extra) {
  constexpr std::string_view kMarks = "-._~$&'()*+=";
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (is_letter_or_digit(c) || kMarks.find(c) != std::string_view::npos) continue;
    if (extra.find(c) != std::string_view::npos) continue;
    if (c != '%' || text.size() - at < 3) return false;
    if (!is_hex_digit(text[at + 1]) || !is_hex_digit(text[at + 2])) return false;
    at += 2;
  }
  return true;
}

// RFC 3986 §3.2 authority: the host in it, or no value when the grammar is broken. Of IP literals
// only IPv6 is known; IPvFuture has no use yet.
std::optional<std::string_view> host_of_authority(std::string_view authority) {
  if (const std::size_t at = authority.find('@'); at != std::string_view::npos) {
    if (!is_uri_text(authority.substr(0, at), ":")) return std::nullopt;
    authority.remove_prefix(at + 1);
  }
  std::string_view host = authority.substr(0, authority.find(':'));
  if (authority.starts_with('[')) {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) return std::nullopt;
    host = authority.substr(0, bracket + 1);
    const auto address = base::IpAddress::parse(authority.substr(1, bracket - 1));
    if (!address.has_value() || !address->is_ipv6()) return std::nullopt;
  } else if (!is_uri_text(host, "")) {
    return std::nullopt;
  }
  const std::string_view port = authority.substr(host.size());
  if (!port.empty() && (port[0] != ':' || !std::all_of(port.begin() + 1, port.end(), is_digit))) {
    return std::nullopt;
  }
  return host;
}

// RFC 3986 §3: scheme ":" hier-part [ "?" query ] [ "#" fragment ]; no value when it is none.
std::optional<Uri> split_uri(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || !is_letter(text[0])) return std::nullopt;
  Uri uri;
  uri.scheme = text.substr(0, colon);
  const bool is_scheme = std::all_of(uri.scheme.begin(), uri.scheme.end(), [](char c) {
    return is_letter_or_digit(c) || c == '+' || c == '-' || c == '.';
  });
  if (!is_scheme) return std::nullopt;
  uri.after_scheme = text.substr(colon + 1);

  std::string_view rest = uri.after_scheme;
  if (const std::size_t hash = rest.find('#'); hash != std::string_view::npos) {
    if (!is_uri_text(rest.substr(hash + 1), ":@/?")) return std::nullopt;
    rest = rest.substr(0, hash);
  }
  if (const std::size_t question = rest.find('?'); question != std::string_view::npos) {
    if (!is_uri_text(rest.substr(question + 1), ":@/?")) return std::nullopt;
    rest = rest.substr(0, question);
  }
  if (rest.starts_with("//")) {
    uri.has_authority = true;
    rest.remove_prefix(2);
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const auto host = host_of_authority(rest.substr(0, slash));
    if (!host.has_value()) return std::nullopt;
    uri.host = *host;
    rest.remove_prefix(slash);
  }
  if (!is_uri_text(rest, ":@/")) return std::nullopt;
  uri.path = rest;
  return uri;
}

// RFC 8460 §3 supports two schemes. A mailto: without an address or an https: without a host is a
// URI, but nothing can be sent there. Whether the address is one that we send to is decided where
// reports are sent.
bool is_usable(const Uri& uri, std::string_view lower_scheme) {
  if (lower_scheme == "https") return uri.has_authority && !uri.host.empty();
  if (lower_scheme != "mailto" || uri.has_authority) return false;
  const std::size_t at = uri.path.rfind('@');
  return at != std::string_view::npos && at > 0 && at + 1 < uri.path.size();
}

// The peer's text for a failure: escaped, 60 characters at most. Thirteen bytes of four
// characters each, the quotes and the dots still fit.
std::string shown(std::string_view text) {
  std::string out;
  base::append_log_value(out, text, 55);
  if (out.size() <= 60) return out;
  out.clear();
  base::append_log_value(out, text, 13);
  return out;
}

Failure<TlsrptRecordError> syntax_error(std::size_t at, std::string_view problem) {
  std::string detail = "byte " + std::to_string(at + 1) + ": ";
  detail.append(problem).append(" (RFC 8460 §3)");
  return fail(TlsrptRecordError::kSyntax, std::move(detail));
}

std::size_t after_white_space(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(kWhiteSpace, at), text.size());
}

std::string_view without_trailing_white_space(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kWhiteSpace) + 1);
}

// §3 tlsrpt-rua after "rua=": tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri). `start` is the byte of the
// record that `list` begins at.
//
// Reading chosen for other schemes: "URI" is that of RFC 3986, so the record is valid, but only
// "mailto" and "https" are supported, so such a URI is left out. When none is left the record
// names no place to report to and is a failure. A text that is no URI breaks the record.
base::Result<Record, TlsrptRecordError> parse_rua(std::string_view list, std::size_t start) {
  Record record;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    const std::string_view text = without_trailing_white_space(list.substr(at, comma - at));
    const auto uri = split_uri(text);
    if (!uri.has_value()) {
      return syntax_error(start + at, "rua: found " + shown(text) +
                                          ", want a URI with ',', '!' and ';' percent-encoded");
    }
    // RFC 3986 §3.1: schemes have no letter case; the lower-case form is the one to compare.
    std::string kept = base::ascii_lower(uri->scheme);
    if (is_usable(*uri, kept)) {
      if (record.rua.size() == kMaxRuaUris) {
        return fail(TlsrptRecordError::kTooLarge,
                    "rua: more than " + std::to_string(kMaxRuaUris) + " destinations");
      }
      kept.append(":").append(uri->after_scheme);
      record.rua.push_back(std::move(kept));
    }
    if (comma == list.size()) break;
    at = after_white_space(list, comma + 1);
  }
  if (record.rua.empty()) return syntax_error(start, "rua: no usable mailto: or https: URI");
  return record;
}

}  // namespace

base::Result<Record, TlsrptRecordError> parse_record(std::string_view text) {
  if (text.size() > kMaxRecordBytes) {
    return fail(TlsrptRecordError::kTooLarge,
                "record is over " + std::to_string(kMaxRecordBytes) + " bytes");
  }
  if (!text.starts_with(kVersion)) {
    return syntax_error(0, "found " + shown(text) + ", want v=TLSRPTv1 first");
  }
  std::optional<Record> record;
  std::size_t at = kVersion.size();
  while (at < text.size()) {
    // §3 field-delim: *WSP ";" *WSP
    at = after_white_space(text, at);
    if (at == text.size()) return syntax_error(at, "white space at the end needs a ';' before it");
    if (text[at] != ';') {
      return syntax_error(at, "found " + shown(text.substr(at)) + ", want ';' between fields");
    }
    at = after_white_space(text, at + 1);
    if (at == text.size()) break;  // §3: one more delimiter may end the record

    // White space may stand inside a rua, so a field reaches to the next ";" or the record's end.
    const std::size_t end = std::min(text.find(';', at), text.size());
    const std::string_view field = without_trailing_white_space(text.substr(at, end - at));
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos) {
      return syntax_error(at, field.empty() ? "empty field between two ';'"
                                            : "found " + shown(field) + ", want name=value");
    }
    const std::string_view name = field.substr(0, equals);
    const std::string_view value = field.substr(equals + 1);
    if (name == "rua" && !record.has_value()) {
      auto parsed = parse_rua(value, at + equals + 1);
      if (!parsed.ok()) return parsed;
      record = std::move(parsed).value();
    } else if (name == "rua") {
      // Only RFC 8461 §3.2 says what a repeat means; the same is done here: the first counts.
      if (!is_ignored_rua(value)) return syntax_error(at, "found " + shown(field));
    } else if (!is_extension_name(name) || !is_extension_value(value)) {
      // §3: unknown fields are ignored, but must be fields of the grammar.
      return syntax_error(at, "found " + shown(field) + ", which is no valid name=value");
    }
    at += field.size();
  }
  if (!record.has_value()) return syntax_error(text.size(), "rua is missing");
  return *std::move(record);
}

RecordResult find_record(std::span<const std::string> texts) {
  // §3 states the discard rule for several records only. By the grammar white space may stand
  // before the first ";", so a single record with it is valid (as in erratum 6285 of RFC 8461).
  const std::string_view wanted = texts.size() == 1 ? kVersion : kDiscardRule;
  const std::string* found = nullptr;
  std::size_t count = 0;
  for (const std::string& text : texts) {
    if (!text.starts_with(wanted)) continue;
    found = &text;
    ++count;
  }
  // Only unrelated records (a wildcard, another service's): nothing is published, nobody's error.
  if (found == nullptr) return std::optional<Record>();
  if (count > 1) {
    return fail(TlsrptRecordError::kMultiple, std::to_string(count) +
                                                  " records begin with v=TLSRPTv1; where one may "
                                                  "(RFC 8460 §3)");
  }
  auto record = parse_record(*found);
  if (!record.ok()) return record.error();
  return std::optional<Record>(std::move(record).value());
}

}  // namespace strictmx::tlsrpt
