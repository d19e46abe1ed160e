// spool_segment.cc - see spool_segment.h.
#include "common/reporting/spool_segment.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "common/base/text_hash.h"
#include "common/base/unique_descriptor.h"

namespace strictmx::reporting {
namespace {

using base::fail;

constexpr std::size_t kPageBytes = 4096;  // or a part of a page; touching twice does no harm
constexpr std::size_t kAlignment = 8;

struct Header {
  std::uint32_t length;
  std::uint32_t checksum;
  std::int64_t received;
};
static_assert(sizeof(Header) == kRecordHeaderBytes);

std::size_t padded(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::uint32_t checksum_of(std::string_view text, std::int64_t received) {
  return static_cast<std::uint32_t>(base::text_hash({}, text) ^
                                    (static_cast<std::uint64_t>(received) * 0x9e3779b9U));
}

}  // namespace

base::Result<std::unique_ptr<SegmentWriter>, SpoolError> SegmentWriter::create(
    const std::string& path, std::size_t bytes) {
  const base::UniqueDescriptor file(
      open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file) {
    const auto code = errno == ENOSPC || errno == EDQUOT ? SpoolError::kFull : SpoolError::kSystem;
    return fail(code, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  const auto give_up = [&path](int error, const char* what) {
    unlink(path.c_str());
    const bool is_full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    return fail(is_full ? SpoolError::kFull : SpoolError::kSystem,
                fmt::format("{}: {}: {}", path, what, std::strerror(error)));
  };
  const int reserved = posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (reserved != 0) return give_up(reserved, "posix_fallocate");
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) return give_up(errno, "mmap");
  std::memcpy(memory, kSegmentMagic.data(), kSegmentMagic.size());
  return std::unique_ptr<SegmentWriter>(new SegmentWriter(static_cast<char*>(memory), bytes));
}

SegmentWriter::~SegmentWriter() { munmap(memory_, bytes_); }

bool SegmentWriter::has_room_for(std::size_t text_bytes) const {
  return end_ + kRecordHeaderBytes + text_bytes <= bytes_;
}

std::span<char> SegmentWriter::slot(std::size_t text_bytes, base::WallTime now) {
  char* const record = memory_ + end_;
  char* const text = record + kRecordHeaderBytes;
  const std::int64_t received = now.time_since_epoch().count();
  std::memcpy(record + offsetof(Header, received), &received, sizeof received);
  for (std::size_t at = 0; at < text_bytes; at += kPageBytes) {
    static_cast<volatile char*>(text)[at] = 0;
  }
  static_cast<volatile char*>(text)[text_bytes - 1] = 0;
  return {text, text_bytes};
}

void SegmentWriter::finish(std::size_t text_bytes) {
  char* const record = memory_ + end_;
  std::int64_t received = 0;
  std::memcpy(&received, record + offsetof(Header, received), sizeof received);
  const std::uint32_t checksum = checksum_of({record + kRecordHeaderBytes, text_bytes}, received);
  std::memcpy(record + offsetof(Header, checksum), &checksum, sizeof checksum);
  // The length last, in one store: from here on the record is whole.
  std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(record))
      .store(static_cast<std::uint32_t>(text_bytes), std::memory_order_release);
  end_ += kRecordHeaderBytes + padded(text_bytes);
}

void SegmentWriter::discard(std::size_t text_bytes) {
  std::memset(memory_ + end_ + kRecordHeaderBytes, 0, text_bytes);
}

bool SegmentWriter::sync() const { return msync(memory_, bytes_, MS_SYNC) == 0; }

ReadRecords read_records(std::string_view bytes, bool is_whole, SegmentState state,
                         std::size_t max_text_bytes) {
  ReadRecords read;
  while (true) {
    const std::string_view rest = bytes.substr(std::min(read.used, bytes.size()));
    if (!is_whole && rest.size() < kRecordHeaderBytes + max_text_bytes) return read;
    if (rest.size() <= kRecordHeaderBytes) break;
    Header header{};
    std::memcpy(&header, rest.data(), sizeof header);
    const base::WallTime received{std::chrono::seconds(header.received)};
    const std::string_view behind = rest.substr(kRecordHeaderBytes);
    if (header.length == 0) {
      const std::string_view text = behind.substr(0, std::min(behind.find('\0'), max_text_bytes));
      if (state == SegmentState::kLeft && !text.empty()) {
        read.records.push_back({text, received, bytes.size(), read.corrupt});
        ++read.recovered;
      }
      break;
    }
    if (header.length > max_text_bytes || header.length > behind.size()) {
      ++read.corrupt;  // where the next one begins can't be known
      break;
    }
    const std::string_view text = behind.substr(0, header.length);
    read.used += kRecordHeaderBytes + padded(header.length);
    if (header.checksum == checksum_of(text, header.received)) {
      read.records.push_back({text, received, read.used, read.corrupt});
    } else {
      ++read.corrupt;
    }
  }
  read.used = bytes.size();
  read.is_at_end = true;
  return read;
}

}  // namespace strictmx::reporting
