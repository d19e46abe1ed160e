// signed_header.h - the bytes of the header that a signature is made over (RFC 6376 §3.7 step 2).
//
// Threads: pure functions. The same for signing and for verifying.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/dkim/canonical.h"
#include "common/dkim/message.h"

namespace strictmx::dkim {

// The fields that `names` selects (§5.4.2: each further time a name stands there it selects the
// next field above; nothing once there is none), then `unsigned_text`, the DKIM-Signature field
// with an empty b=. `own` is the place of that field among `fields`, if it is there: it never
// selects itself (§3.5 h=).
std::string signed_header(Canonicalization form, std::span<const HeaderField> fields,
                          std::span<const std::string> names, std::optional<std::size_t> own,
                          std::string_view unsigned_text);

std::size_t count_fields(std::span<const HeaderField> fields, std::string_view name);
std::size_t count_names(std::span<const std::string> names, std::string_view name);

}  // namespace strictmx::dkim
