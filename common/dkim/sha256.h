// sha256.h - the only hash of DKIM (RFC 8301 §3.1).
//
// Threads: pure functions. Errors: no value when OpenSSL fails (out of memory).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/dkim/canonical.h"

namespace strictmx::dkim {

// 32 bytes.
std::optional<std::string> sha256(std::string_view bytes);

// Of the canonical body (RFC 6376 §3.7 step 1), without a copy of it.
std::optional<std::string> body_hash(Canonicalization form, std::string_view body);

}  // namespace strictmx::dkim
