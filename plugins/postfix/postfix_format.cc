// postfix_format.cc - see postfix_format.h.
#include "plugins/postfix/postfix_format.h"

namespace strictmx::postfix {
namespace {

using service::kMaxReplyBytes;
using verdict::Verdict;

// Patterns are lower-case domains, "*." in front of some; Postfix writes those ".example.com".
// They hold no ":" and no blank (policy.cc), so they can't end the attribute.
std::string match_attribute(const Verdict& verdict) {
  std::string out = "match=";
  for (const std::string& pattern : verdict.mx) {
    if (out.back() != '=') out += ':';
    out += pattern.starts_with("*.") ? pattern.substr(1) : pattern;
  }
  return out;
}

// A value with a brace could end the `{ policy_string = ... }` around it.
bool can_be_told(const std::string& line) { return line.find_first_of("{}") == line.npos; }

std::string mx_host_patterns(const Verdict& verdict) {
  std::string out;
  for (const std::string& pattern : verdict.mx) out += " mx_host_pattern=" + pattern;
  return out;
}

std::string policy_strings(const Verdict& verdict) {
  std::string out;
  for (const std::string& line : verdict.policy_lines) {
    if (can_be_told(line)) out += " { policy_string = " + line + " }";
  }
  return out;
}

}  // namespace

service::Status PostfixFormat::format(const Verdict& verdict, std::string& out) const {
  using verdict::Level;
  // Postfix takes no STS attribute at the DANE levels: it reports these itself.
  const char* const end = attributes_ == Attributes::kTlsrpt ? " " : "";
  switch (verdict::level_of(verdict.rule)) {
    case Level::kSecure:
      return secure(verdict, out);
    case Level::kDaneOnly:
      out += std::string("OK dane-only") + end;
      return service::Status::kOk;
    case Level::kDane:
      out += std::string("OK dane") + end;
      return service::Status::kOk;
    case Level::kSite:
      out += "NOTFOUND ";
      return service::Status::kNotFound;
    case Level::kTemp:
      break;  // append_answer() has seen to it
  }
  out += "TEMP ";
  return service::Status::kTemp;
}

service::Status PostfixFormat::secure(const Verdict& verdict, std::string& out) const {
  // servername=hostname: SNI is the MX host's name (RFC 8461 §7.1 MUST).
  std::string reply = "OK secure " + match_attribute(verdict) + " servername=hostname";
  if (attributes_ == Attributes::kTlsrpt) {
    std::string more = " policy_type=sts policy_domain=" + verdict.domain;
    const std::string patterns = mx_host_patterns(verdict);
    if (reply.size() + more.size() + patterns.size() <= kMaxReplyBytes) more += patterns;
    const std::string strings = policy_strings(verdict);
    if (reply.size() + more.size() + strings.size() <= kMaxReplyBytes) more += strings;
    if (reply.size() + more.size() <= kMaxReplyBytes) reply += more;
  }
  out += reply;
  return service::Status::kOk;
}

}  // namespace strictmx::postfix
