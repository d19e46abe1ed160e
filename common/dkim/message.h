// message.h - a mail as header fields and body, cut out of its bytes (RFC 5322 §2.1).
//
// Use: split_message() once; the parts are views.
// Ownership: borrows the bytes, which must outlive the Message. Threads: pure function.
// Errors: MessageError. Line ends are CRLF or LF, also mixed; a CR anywhere else is a byte like any
// other. A first line "From ..." as local delivery writes it into pipes and mailboxes is left out.
// Limits: kMaxMessageBytes, kMaxHeaderBytes, kMaxHeaderFields.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace strictmx::dkim {

// Mail servers take 10 to 50 MB; a report is far smaller.
inline constexpr std::size_t kMaxMessageBytes = 64 * 1024 * 1024;
// Mail servers stop at 100 kB or so (Postfix header_size_limit, Sendmail MaxHeadersLength).
inline constexpr std::size_t kMaxHeaderBytes = 256 * 1024;
// A mail has some dozens. Work is bounded by signatures x names in h= x fields.
inline constexpr std::size_t kMaxHeaderFields = 1000;

enum class MessageError {
  kTooLarge,  // over a limit above
  kSyntax,    // a line of the header is no header field and continues none
};

struct HeaderField {
  std::string_view name;  // as written, without white space before the ":"
  std::string_view text;  // all of the field, its folding included, without the last line end
};

struct Message {
  std::vector<HeaderField> fields;  // from top to bottom
  std::string_view body;            // what follows the first empty line; empty when there is none
};

base::Result<Message, MessageError> split_message(std::string_view bytes);

// The name of a header field without letter case (RFC 5322 §1.2.2).
bool is_same_name(std::string_view one, std::string_view other);

}  // namespace strictmx::dkim
