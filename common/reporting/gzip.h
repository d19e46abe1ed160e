// gzip.h - compresses reports (RFC 8460 §5.2) and undoes others' compression within bounds.
//
// Use: gzip() on a whole report, gunzip() on bytes from anybody; is_gzip() tells the two forms
// apart (RFC 1952 §2.3.1).
// Ownership: values. Threads: pure functions.
// Compressed: one member, without name and time, operating system "unknown", level 6: with one
//   version of zlib equal texts give equal bytes.
// Uncompressed: up to kMaxGzipMembers members one after another (RFC 1952 §2.2), then nothing:
//   bytes behind the last one are refused, zeros too.
// Errors: GzipError. Limits: the constants below; no more than max_bytes is ever held.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace strictmx::reporting {

// Compressors make one member, joined files a few; each costs setting up.
inline constexpr std::size_t kMaxGzipMembers = 8;
// Deflate reaches 1032:1 on zeros. A report of a hundred thousand equal details, one a session,
// reaches 230:1; of different ones 20:1.
inline constexpr std::size_t kMaxGunzipRatio = 500;
// Small texts may be monotonous.
inline constexpr std::size_t kRatioFreeBytes = 1024 * 1024;

enum class GzipError {
  kNotGzip,
  kCorrupt,    // deflate, length or checksum
  kTruncated,  // ends within a member
  kTrailing,   // something else follows
  kTooLarge,   // over max_bytes, or more than kMaxGzipMembers
  kRatio,      // over kMaxGunzipRatio, a bomb
  kMemory,
};

bool is_gzip(std::string_view bytes);
base::Result<std::string, GzipError> gzip(std::string_view text);

struct GunzipBounds {
  std::size_t max_bytes;
  std::size_t max_ratio = kMaxGunzipRatio;
};
base::Result<std::string, GzipError> gunzip(std::string_view bytes, const GunzipBounds& bounds);
inline base::Result<std::string, GzipError> gunzip(std::string_view bytes, std::size_t max_bytes) {
  return gunzip(bytes, GunzipBounds{.max_bytes = max_bytes});
}

}  // namespace strictmx::reporting
