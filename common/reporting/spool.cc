// spool.cc - see spool.h.
//
// A file's life: spare (made ahead by the keeper) -> active (records go in) -> closed (read until
// all is applied) -> deleted. A file of an earlier process is closed from the start.
#include "common/reporting/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/base/log.h"
#include "common/base/unique_descriptor.h"

namespace strictmx::reporting {
namespace {

using base::done;
using base::fail;

constexpr std::string_view kPrefix = "results-";
constexpr std::chrono::milliseconds kRoomWait{200};

std::uint64_t number_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return 0;
  std::uint64_t number = 0;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + kPrefix.size(), end, number);
  return parsed.ec == std::errc() && parsed.ptr == end ? number : 0;
}

base::Failure<SpoolError> system_failure(const std::string& path) {
  return fail(SpoolError::kSystem, path + ": " + std::strerror(errno));
}

// Exactly `bytes` from `offset`.
base::Result<std::string, SpoolError> read_at(int file, const std::string& path,
                                              std::uint64_t offset, std::size_t bytes) {
  std::string data(bytes, '\0');
  std::size_t got = 0;
  while (got < bytes) {
    const ssize_t now =
        pread(file, data.data() + got, bytes - got, static_cast<off_t>(offset + got));
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) return system_failure(path);
    if (now == 0) return fail(SpoolError::kSystem, path + ": was cut off while it was read");
    got += static_cast<std::size_t>(now);
  }
  return data;
}

enum class FileKind { kOurs, kUnwritten, kOther };

base::Result<FileKind, SpoolError> kind_of(int file, const std::string& path, std::uint64_t size) {
  const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(size, kSegmentMagic.size()));
  const auto magic = read_at(file, path, 0, bytes);
  if (!magic.ok()) return magic.error();
  if (magic.value() == kSegmentMagic) return FileKind::kOurs;
  const bool is_unwritten =
      std::all_of(magic.value().begin(), magic.value().end(), [](char c) { return c == 0; });
  return is_unwritten ? FileKind::kUnwritten : FileKind::kOther;
}

struct SegmentFile {
  base::UniqueDescriptor file;
  std::uint64_t size = 0;
  FileKind kind = FileKind::kOther;
};

base::Result<SegmentFile, SpoolError> open_segment(const std::string& path) {
  SegmentFile opened;
  opened.file = base::UniqueDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (!opened.file || fstat(opened.file.get(), &status) != 0) return system_failure(path);
  opened.size = static_cast<std::uint64_t>(status.st_size);
  const auto kind = kind_of(opened.file.get(), path, opened.size);
  if (!kind.ok()) return kind.error();
  opened.kind = kind.value();
  return {std::move(opened)};
}

}  // namespace

void SpoolBatch::keep_first(std::size_t count) {
  if (count == 0 || count >= records.size()) return;
  records.resize(count);
  const SpoolRecord& last = records.back();
  next = {first.segment, first.offset + last.end};
  recovered = 0;  // that is the last one of a file
  corrupt = last.corrupt;
  has_more = true;
}

Spool::Spool(SpoolSettings settings, const base::Clock& clock)
    : settings_(std::move(settings)), clock_(clock) {}

base::Result<std::unique_ptr<Spool>, SpoolError> Spool::open(SpoolSettings settings,
                                                             const base::Clock& clock,
                                                             SpoolPosition applied) {
  std::unique_ptr<Spool> spool(new Spool(std::move(settings), clock));
  auto found = spool->find_segments(applied);
  if (!found.ok()) return found.error();
  spool->make_spare();
  spool->keeper_ = std::thread([self = spool.get()] { self->keep(); });
  return spool;
}

Spool::~Spool() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  keeper_wake_.notify_all();
  room_.notify_all();
  if (keeper_.joinable()) keeper_.join();
  // A file that nothing was written to need not be looked at by the next process.
  if (spare_ != 0) unlink(segments_[spare_].path.c_str());
}

std::string Spool::path_of(std::uint64_t number) const {
  return fmt::format("{}/{}{:020}", settings_.folder, kPrefix, number);
}

base::Outcome<SpoolError> Spool::find_segments(SpoolPosition applied) {
  std::error_code error;
  std::filesystem::create_directories(settings_.folder, error);
  std::filesystem::directory_iterator entries(settings_.folder, error);
  if (error) return fail(SpoolError::kSystem, settings_.folder + ": " + error.message());
  next_number_ = applied.segment + 1;
  for (; entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::uint64_t number = number_of(entries->path().filename().string());
    if (number == 0) continue;
    const auto bytes = entries->file_size(error);
    if (error) return fail(SpoolError::kSystem, entries->path().string() + ": " + error.message());
    segments_[number] = Segment{entries->path().string(), bytes, nullptr, 0};
    next_number_ = std::max(next_number_, number + 1);
  }
  if (error) return fail(SpoolError::kSystem, settings_.folder + ": " + error.message());
  return done();
}

// With mutex_ held. The active file gets a successor when the longest text does not fit any more.
bool Spool::make_room() {
  if (active_ != 0 && segments_[active_].writer->has_room_for(settings_.max_text_bytes))
    return true;
  if (active_ != 0) {
    Segment& closed = segments_[active_];
    closed.end = closed.writer->end();
    unsynced_.push_back(std::exchange(closed.writer, nullptr));
    active_ = 0;
  }
  // The keeper knows why there is none: it is about to make one, or there is no room.
  may_try_ = true;
  keeper_wake_.notify_one();
  if (spare_ == 0) return false;
  active_ = std::exchange(spare_, 0);
  return true;
}

// With mutex_ held, when the next file can't be made: that matters once the last one is used up.
void Spool::note_full() {
  may_try_ = false;
  if (active_ != 0 || is_full_) return;
  is_full_ = true;
  ++full_;
  base::log_error("spool of results is full: they wait in the kernel until there is room",
                  {{"folder", settings_.folder}, {"bytes", std::to_string(total_bytes())}});
}

Received Spool::receive(int socket, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < limit; ++i) {
    if (!make_room()) return Received::kFull;
    SegmentWriter& writer = *segments_[active_].writer;
    const std::span<char> slot = writer.slot(settings_.max_text_bytes, clock_.now());
    iovec part{slot.data(), slot.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return errno == EAGAIN || errno == EWOULDBLOCK ? Received::kAll : Received::kError;
    }
    const auto bytes = static_cast<std::size_t>(got);
    if (bytes == 0 || (message.msg_flags & MSG_TRUNC) != 0) {
      writer.discard(bytes);
      ++refused_;
      continue;
    }
    writer.finish(bytes);
    ++taken_;
    is_dirty_ = true;
    if (appenders_.load(std::memory_order_relaxed) > 0) return Received::kSome;
  }
  return Received::kSome;
}

base::Outcome<SpoolError> Spool::append(std::string_view text) {
  if (text.empty() || text.size() > settings_.max_text_bytes) {
    return fail(SpoolError::kSystem, "a result of this size is not taken");
  }
  ++appenders_;
  const std::lock_guard lock(mutex_);
  --appenders_;
  if (!make_room()) return fail(SpoolError::kFull, "the spool of results is full");
  SegmentWriter& writer = *segments_[active_].writer;
  std::memcpy(writer.slot(text.size(), clock_.now()).data(), text.data(), text.size());
  writer.finish(text.size());
  ++taken_;
  is_dirty_ = true;
  return done();
}

void Spool::wait_for_room() {
  std::unique_lock lock(mutex_);
  room_.wait_for(lock, kRoomWait, [this] { return spare_ != 0 || is_ending_; });
}

base::Result<SpoolBatch, SpoolError> Spool::read(SpoolPosition from, std::size_t max_bytes) const {
  SpoolBatch batch;
  batch.next = from;
  Segment segment;
  bool is_active = false;
  std::uint64_t following = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = segments_.lower_bound(from.segment);
    if (found == segments_.end() || found->first == spare_) return batch;
    if (found->first > from.segment) batch.next = {found->first, kSegmentMagic.size()};
    segment = found->second;
    is_active = segment.writer != nullptr;
    if (is_active) segment.end = segment.writer->end();
    const auto after = std::next(found);
    following = after == segments_.end() ? found->first + 1 : after->first;
  }
  const std::uint64_t offset = std::max<std::uint64_t>(batch.next.offset, kSegmentMagic.size());
  const auto opened = open_segment(segment.path);
  if (!opened.ok()) return opened.error();
  // Whoever cut a file off took what was in it; we read what there is.
  const std::uint64_t size = opened.value().size;
  const std::uint64_t end = segment.end == 0 ? size : std::min(segment.end, size);
  if (opened.value().kind == FileKind::kOther) ++batch.corrupt;
  if (segment.end > size) ++batch.corrupt;
  bool is_at_end = true;
  if (opened.value().kind == FileKind::kOurs && offset < end) {
    const std::size_t bytes = std::min<std::uint64_t>(end - offset, max_bytes);
    auto data = read_at(opened.value().file.get(), segment.path, offset, bytes);
    if (!data.ok()) return data.error();
    batch.bytes = std::move(data).value();
    auto read = read_records(batch.bytes, bytes == end - offset,
                             segment.end == 0 ? SegmentState::kLeft : SegmentState::kLive,
                             settings_.max_text_bytes);
    batch.records = std::move(read.records);
    batch.recovered = read.recovered;
    batch.corrupt += read.corrupt;
    batch.first = {batch.next.segment, offset};
    batch.next.offset = offset + read.used;
    is_at_end = read.is_at_end;
  }
  if (!is_at_end) {
    batch.has_more = true;
  } else if (!is_active) {
    batch.next = {following, kSegmentMagic.size()};
    const std::lock_guard lock(mutex_);
    batch.has_more = segments_.contains(following) && following != spare_;
  }
  return batch;
}

void Spool::drop_before(SpoolPosition position) {
  std::vector<std::string> paths;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = segments_.begin(); at != segments_.end() && at->first < position.segment;) {
      const bool is_in_use = at->first == active_ || at->first == spare_;
      if (is_in_use) break;
      paths.push_back(at->second.path);
      at = segments_.erase(at);
    }
    may_try_ = may_try_ || !paths.empty();
  }
  for (const std::string& path : paths) unlink(path.c_str());
  keeper_wake_.notify_one();
}

std::uint64_t Spool::first_segment() const {
  const std::lock_guard lock(mutex_);
  return segments_.empty() ? 0 : segments_.begin()->first;
}

SpoolCounters Spool::counters() const {
  const std::lock_guard lock(mutex_);
  return {taken_, refused_, full_, total_bytes(), is_full_};
}

std::uint64_t Spool::total_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [number, segment] : segments_) bytes += segment.bytes;
  return bytes;
}

void Spool::keep() {
  auto next_sync = std::chrono::steady_clock::now() + settings_.sync_interval;
  while (true) {
    std::vector<std::shared_ptr<SegmentWriter>> writers;
    bool is_ending = false;
    {
      std::unique_lock lock(mutex_);
      keeper_wake_.wait_until(lock, next_sync,
                              [this] { return is_ending_ || (spare_ == 0 && may_try_); });
      is_ending = is_ending_;
      if (is_ending || std::chrono::steady_clock::now() >= next_sync) {
        writers.swap(unsynced_);
        if (std::exchange(is_dirty_, false) && active_ != 0) {
          writers.push_back(segments_[active_].writer);
        }
        next_sync = std::chrono::steady_clock::now() + settings_.sync_interval;
        may_try_ = true;  // the disk may have room again
      }
    }
    if (!is_ending) make_spare();
    sync(writers);
    if (is_ending) return;
  }
}

// The next file, if there is none yet and room for one.
void Spool::make_spare() {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (spare_ != 0) return;
    if (total_bytes() + settings_.segment_bytes > settings_.max_bytes) {
      note_full();
      return;
    }
    number = next_number_++;
  }
  const std::string path = path_of(number);
  auto created = SegmentWriter::create(path, settings_.segment_bytes);
  const std::lock_guard lock(mutex_);
  if (!created.ok()) {
    // Tried again each second: told once.
    if (created.error().code != SpoolError::kFull && extend_error_.empty()) {
      extend_error_ = created.error().detail;
      base::log_error("spool of results can't be extended", {{"reason", extend_error_}});
    }
    note_full();
    return;
  }
  extend_error_.clear();
  segments_[number] = Segment{path, settings_.segment_bytes, std::move(created).value(), 0};
  spare_ = number;
  if (std::exchange(is_full_, false)) base::log_info("spool of results has room again");
  room_.notify_all();
}

void Spool::sync(const std::vector<std::shared_ptr<SegmentWriter>>& writers) const {
  for (const auto& writer : writers) {
    if (writer->sync()) continue;
    base::log_error("spool of results can't be written to the disk",
                    {{"folder", settings_.folder}, {"reason", std::strerror(errno)}});
  }
}

}  // namespace strictmx::reporting
