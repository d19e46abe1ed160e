// canonical.h - the forms of a header field and of a body that are signed (RFC 6376 §3.4).
//
// Use: append_canonical_field() for each signed field, write_canonical_body() once.
// Threads: pure functions. Line ends of the input are CRLF or LF; what comes out has CRLF.
// Limits: none of their own; what is written for a body is never more than its bytes, one CR for
// each LF and one last line end.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace strictmx::dkim {

enum class Canonicalization {
  kSimple,   // §3.4.1, §3.4.3: as it is
  kRelaxed,  // §3.4.2, §3.4.4: white space and the letter case of names do not count
};

std::string_view canonicalization_name(Canonicalization form);
std::optional<Canonicalization> canonicalization_from_name(std::string_view name);

// `field` is "Name: value" with its folding, without the last line end, and so is what is appended
// to `out`.
void append_canonical_field(Canonicalization form, std::string_view field, std::string& out);

// Hands the canonical body to `write`, in pieces of a few kB that are valid during the call.
void write_canonical_body(Canonicalization form, std::string_view body,
                          const std::function<void(std::string_view)>& write);

}  // namespace strictmx::dkim
