// question_key.h - what a mail server's lookup key means: a next hop, or nothing.
//
// Use: read_question_key() on the key of a socketmap request. Threads: pure.
// Source: Postfix asks with the next-hop as it stands in its configuration ("example.com",
// "[relay.example.com]:587", "relay.example.com:587") and then with parent domains (".com").
#pragma once

#include <optional>
#include <string_view>

#include "common/dane/next_hop.h"

namespace strictmx::service {

// No value: no policy can exist (parent domain, IP address, not a name, no port that the services
// database knows); the answer is NOTFOUND.
std::optional<dane::NextHop> read_question_key(std::string_view key);

}  // namespace strictmx::service
