// gzip.cc - see gzip.h. The only user of zlib.
#include "common/reporting/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>

namespace strictmx::reporting {
namespace {

using base::fail;
using base::Failure;

constexpr std::string_view kMagic = "\x1f\x8b";
constexpr int kLevel = 6;
constexpr int kMemoryLevel = 8;                // zlib's default
constexpr int kGzipWindow = MAX_WBITS + 16;    // zlib: 16 more means the gzip format, no other
constexpr int kUnknownSystem = 255;            // RFC 1952 §2.3
constexpr std::size_t kStepBytes = 64 * 1024;  // written at a time

struct DeflateEnd {
  void operator()(z_stream* stream) const { deflateEnd(stream); }
};
struct InflateEnd {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

Bytef* bytes_of(char* text) { return reinterpret_cast<Bytef*>(text); }

// zlib reads only, but takes no pointer to const.
void set_input(z_stream& stream, std::string_view bytes) {
  stream.next_in = bytes_of(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
}

constexpr std::size_t kMaxInputBytes = std::numeric_limits<uInt>::max();

Failure<GzipError> out_of_memory() { return fail(GzipError::kMemory, "out of memory"); }

// What a step of inflate says about the member, once it made no end.
Failure<GzipError> inflate_failure(int code, const z_stream& stream) {
  switch (code) {
    case Z_MEM_ERROR:
      return out_of_memory();
    case Z_OK:
    case Z_BUF_ERROR:
      return fail(GzipError::kTruncated, "gzip: ends too early (RFC 1952)");
    default:
      return fail(GzipError::kCorrupt,
                  fmt::format("gzip: {} (RFC 1952)",
                              stream.msg == nullptr ? "corrupt" : std::string(stream.msg)));
  }
}

// Is the text of so many bytes out of proportion to the bytes it came from?
bool is_bomb(std::size_t text_bytes, std::size_t bytes, std::size_t max_ratio) {
  return text_bytes > kRatioFreeBytes && text_bytes / max_ratio > bytes;
}

// Inflates one member at the stream's input behind what `out` has.
base::Outcome<GzipError> inflate_member(z_stream& stream, std::size_t input_bytes,
                                        const GunzipBounds& bounds, std::string& out) {
  const std::size_t max_bytes = bounds.max_bytes;
  int code = Z_OK;
  while (code == Z_OK) {
    // One byte more than allowed, so that exactly max_bytes can end well.
    const std::size_t room = std::min(kStepBytes, max_bytes - out.size() + 1);
    const std::size_t before = out.size();
    out.resize(before + room);
    stream.next_out = bytes_of(out.data() + before);
    stream.avail_out = static_cast<uInt>(room);
    code = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (out.size() > max_bytes) {
      return fail(GzipError::kTooLarge,
                  fmt::format("gzip: over {} bytes uncompressed (RFC 8460 §7)", max_bytes));
    }
    if (is_bomb(out.size(), input_bytes - stream.avail_in, bounds.max_ratio)) {
      return fail(GzipError::kRatio, fmt::format("gzip: over {} times its size uncompressed "
                                                 "(RFC 8460 §7)",
                                                 bounds.max_ratio));
    }
    if (code == Z_OK && stream.avail_in == 0 && stream.avail_out > 0) break;  // it wants more
  }
  if (code != Z_STREAM_END) return inflate_failure(code, stream);
  return base::done();
}

}  // namespace

bool is_gzip(std::string_view bytes) { return bytes.starts_with(kMagic); }

base::Result<std::string, GzipError> gzip(std::string_view text) {
  if (text.size() > kMaxInputBytes) return fail(GzipError::kTooLarge, "gzip: over 4 GiB");
  z_stream stream{};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    return out_of_memory();
  }
  const std::unique_ptr<z_stream, DeflateEnd> owned(&stream);
  gz_header header{};
  header.os = kUnknownSystem;
  deflateSetHeader(&stream, &header);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  set_input(stream, text);
  stream.next_out = bytes_of(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return out_of_memory();
  out.resize(out.size() - stream.avail_out);
  return out;
}

base::Result<std::string, GzipError> gunzip(std::string_view bytes, const GunzipBounds& bounds) {
  if (!is_gzip(bytes)) return fail(GzipError::kNotGzip, "gzip: no gzip file (RFC 1952 §2.3.1)");
  if (bytes.size() > kMaxInputBytes) return fail(GzipError::kTooLarge, "gzip: over 4 GiB");
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) return out_of_memory();
  const std::unique_ptr<z_stream, InflateEnd> owned(&stream);
  set_input(stream, bytes);
  std::string out;
  for (std::size_t members = 1;; ++members) {
    const auto outcome = inflate_member(stream, bytes.size(), bounds, out);
    if (!outcome.ok()) return outcome.error();
    if (stream.avail_in == 0) return out;
    if (!is_gzip(bytes.substr(bytes.size() - stream.avail_in))) {
      return fail(GzipError::kTrailing,
                  fmt::format("gzip: {} bytes behind its end (RFC 1952)", stream.avail_in));
    }
    if (members == kMaxGzipMembers) {
      return fail(GzipError::kTooLarge,
                  fmt::format("gzip: over {} members (RFC 1952 §2.2)", kMaxGzipMembers));
    }
    inflateReset(&stream);
  }
}

}  // namespace strictmx::reporting
