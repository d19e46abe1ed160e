// record.h - the TXT record at _smtp._tls.<domain> that asks for reports (RFC 8460 §3).
//
// Use: find_record() on all TXT records found at the name, strings of each already joined.
// Ownership: values. Threads: pure functions.
// Errors: TlsrptRecordError; "nothing published" is an empty optional, not an error.
// Limits: kMaxRuaUris destinations are kept; a record with more is refused.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace strictmx::tlsrpt {

// No domain needs more; each one costs a report a day.
inline constexpr std::size_t kMaxRuaUris = 32;
inline constexpr std::size_t kMaxRecordBytes = 8192;

enum class TlsrptRecordError {
  kMultiple,  // more than one record begins with v=TLSRPTv1
  kSyntax,    // the grammar of §3 is broken
  kTooLarge,  // over kMaxRecordBytes or kMaxRuaUris
};

struct Record {
  std::vector<std::string> rua;  // in the order of the record, mailto: and https: alike
  bool operator==(const Record&) const = default;
};

using RecordResult = base::Result<std::optional<Record>, TlsrptRecordError>;

base::Result<Record, TlsrptRecordError> parse_record(std::string_view text);
RecordResult find_record(std::span<const std::string> texts);

}  // namespace strictmx::tlsrpt
