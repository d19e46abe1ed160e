// mail_address.h - a plain mail address: one dot-string, "@", one domain.
//
// Use: domain_of_mail_address() before an address goes into a header or to another program.
// Threads: pure. Limits: RFC 5321 §4.5.3.1: local part 64, all 254 bytes. Known gaps: quoted local
// parts, address literals and SMTPUTF8 are no plain addresses here.
#pragma once

#include <optional>
#include <string_view>

#include "common/base/domain_name.h"

namespace strictmx::base {

// Atoms of RFC 5322 §3.2.3 joined by single dots: nothing in it needs quoting anywhere in a mail.
bool is_dot_atom(std::string_view text);

// The domain when the text is a plain address and nothing else, otherwise no value.
std::optional<DomainName> domain_of_mail_address(std::string_view text);

}  // namespace strictmx::base
