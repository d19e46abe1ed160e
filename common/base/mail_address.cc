// mail_address.cc - see mail_address.h.
#include "common/base/mail_address.h"

#include <utility>

namespace strictmx::base {
namespace {

constexpr std::size_t kMaxLocalPartBytes = 64;
constexpr std::size_t kMaxAddressBytes = 254;

bool is_atom_character(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-/=?^_`{|}~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kMarks.find(c) != std::string_view::npos;
}

}  // namespace

bool is_dot_atom(std::string_view text) {
  bool is_atom_open = false;  // since the start or the last dot
  for (const char c : text) {
    if (c == '.' ? !is_atom_open : !is_atom_character(c)) return false;
    is_atom_open = c != '.';
  }
  return is_atom_open;
}

std::optional<DomainName> domain_of_mail_address(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos || text.size() > kMaxAddressBytes) return std::nullopt;
  const std::string_view domain = text.substr(at + 1);
  if (at > kMaxLocalPartBytes || !is_dot_atom(text.substr(0, at))) return std::nullopt;
  if (!is_rfc5321_domain(ascii_lower(domain))) return std::nullopt;
  auto name = DomainName::parse(domain);
  if (!name.ok()) return std::nullopt;
  return std::move(name).value();
}

}  // namespace strictmx::base
