// record.h - the TXT record at _mta-sts.<policy domain> (RFC 8461 §3.1).
//
// Use: find_record() on all TXT records found at the name, character-strings of each already
// joined. Ownership: values. Threads: pure functions. Errors: RecordError with the reason in words;
// "nothing published" is an empty optional. Limits: records over kMaxRecordBytes or kMaxRecords
// many are refused before they are read.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace strictmx::mta_sts {

inline constexpr std::size_t kMaxRecordBytes = 8192;  // a TXT flood is no policy
inline constexpr std::size_t kMaxRecords = 64;
inline constexpr std::size_t kMaxIdBytes = 32;  // §3.1 sts-id

enum class RecordError {
  kMultiple,  // §3.1: not exactly one record is left
  kSyntax,    // §3.1: the record is syntactically invalid
  kTooLarge,
};

struct Record {
  std::string id;  // 1 to 32 letters and digits
  bool operator==(const Record&) const = default;
};

// One record by the grammar of §3.1. The failure's detail names the place and the section.
base::Result<Record, RecordError> parse_record(std::string_view text);

// The rule of §3.1 for several records at the name. A single record that does not begin with
// "v=STSv1" is an unrelated one (a wildcard zone): nothing is published.
base::Result<std::optional<Record>, RecordError> find_record(std::span<const std::string> texts);

}  // namespace strictmx::mta_sts
