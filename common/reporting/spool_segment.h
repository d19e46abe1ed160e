// spool_segment.h - one file of the spool: how records stand in it, written and read.
//
//   0   kSegmentMagic, 16 bytes
//   16  records, each at a multiple of 8:
//       0   u32 length of the text; 0 until the record is whole
//       4   u32 checksum over text and time
//       8   i64 UTC seconds of the receipt
//       16  the text
//   Behind the last record all bytes are zero. Numbers are in the machine's own order: a spool is
//   read by the machine that wrote it.
//
// The text is received where it will stay, and the length is filled in last. So a process that is
// killed in between leaves text behind a zero length, and read_records() finds it: results are
// JSON, which holds no NUL byte, so the text ends at the first one.
// Use: SegmentWriter::create(), then slot(), put text there, and finish() or discard().
// read_records() on bytes of a file.
// Threads: one at a time for each writer, but for sync(). Errors: SpoolError.
// Known gaps: a page that can't be written ends the process (SIGBUS). So does a file that somebody
// cuts off under a running writer, and a full disk under a file system that copies on write and
// does not keep for a mapped write what posix_fallocate() reserved (btrfs of older kernels). What
// was taken before is read by the next process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace strictmx::reporting {

inline constexpr std::string_view kSegmentMagic = "strictmx spool1\n";
inline constexpr std::size_t kRecordHeaderBytes = 16;

enum class SpoolError {
  kFull,    // no room: the disk, or the spool's own bound
  kSystem,  // anything else
};

class SegmentWriter {
 public:
  // A new file, all of its blocks reserved, so that writing needs no room later, where the file
  // system keeps them for it (see the known gaps).
  static base::Result<std::unique_ptr<SegmentWriter>, SpoolError> create(const std::string& path,
                                                                         std::size_t bytes);
  ~SegmentWriter();
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  bool has_room_for(std::size_t text_bytes) const;
  // Where the next record's text goes, and that the pages are there to be written: a page fault
  // inside recv() could be cut short by a kill, with the datagram gone.
  std::span<char> slot(std::size_t text_bytes, base::WallTime now);
  // So many bytes of text stand in the slot.
  void finish(std::size_t text_bytes);
  // What stands in the slot is no record.
  void discard(std::size_t text_bytes);

  std::uint64_t end() const { return end_; }
  // Onto the disk. From any thread.
  bool sync() const;

 private:
  SegmentWriter(char* memory, std::size_t bytes) : memory_(memory), bytes_(bytes) {}

  char* const memory_;
  const std::size_t bytes_;
  std::uint64_t end_ = kSegmentMagic.size();
};

struct SpoolRecord {
  std::string_view text;  // into the bytes that were read
  base::WallTime received;
  std::size_t end = 0;        // of those bytes: where the next one begins
  std::uint64_t corrupt = 0;  // damaged ones before it
};

struct ReadRecords {
  std::vector<SpoolRecord> records;
  std::size_t used = 0;         // bytes read off
  std::uint64_t recovered = 0;  // texts without a length
  std::uint64_t corrupt = 0;    // records that are not what was written
  bool is_at_end = false;       // nothing more is in this file
};

// What stands at the beginning of the bytes (without the magic). is_whole: they go on to the end of
// the file; otherwise reading stops where a record of max_text_bytes might be cut.
// is_live: a running writer's records, all of them whole; else a zero length may have a text.
enum class SegmentState { kLive, kLeft };
ReadRecords read_records(std::string_view bytes, bool is_whole, SegmentState state,
                         std::size_t max_text_bytes);

}  // namespace strictmx::reporting
