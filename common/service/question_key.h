// question_key.h - what a mail server's lookup key means: a policy domain, or nothing.
//
// Use: read_question_key() on the key of a socketmap request. Threads: pure.
// Source: Postfix asks with the next-hop as it stands in its configuration ("example.com",
// "[relay.example.com]:587", "relay.example.com:587") and then with parent domains (".com").
#pragma once

#include <optional>
#include <string_view>

#include "common/base/domain_name.h"

namespace strictmx::service {

struct QuestionKey {
  base::DomainName domain;    // of a smart host its own name (RFC 8461 §3.4)
  bool is_bracketed = false;  // "[host]": no MX lookup, the host is its own only MX
};

// No value: no policy can exist (parent domain, IP address, not a name); the answer is NOTFOUND.
std::optional<QuestionKey> read_question_key(std::string_view key);

}  // namespace strictmx::service
