// spool_test.cc - the spool on real files: nothing lost, whatever ends the process.
#include "common/reporting/spool.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/log.h"
#include "common/base/unique_descriptor.h"
#include "tests/fakes/fake_clock.h"

namespace strictmx::reporting {
namespace {

using base::UniqueDescriptor;
using Texts = std::vector<std::string>;

constexpr std::size_t kSegment = 4096;
constexpr std::size_t kMaxText = 512;
constexpr std::size_t kRead = 2048;

class SpoolFiles : public testing::Test {
 protected:
  SpoolFiles() {
    char folder[] = "/tmp/strictmx-spool-XXXXXX";
    folder_ = mkdtemp(folder);
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    sender_ = UniqueDescriptor(pair[0]);
    receiver_ = UniqueDescriptor(pair[1]);
    [[maybe_unused]] const auto opened = base::log_open("test", "error", "stderr");
  }
  ~SpoolFiles() override {
    spool_.reset();
    std::filesystem::remove_all(folder_);
  }

  SpoolSettings settings(std::uint64_t max_bytes = 16 * kSegment) const {
    return {folder_ + "/spool", max_bytes, kSegment, kMaxText, std::chrono::milliseconds(50)};
  }
  void open(SpoolPosition applied = {}, std::uint64_t max_bytes = 16 * kSegment) {
    spool_.reset();
    auto opened = Spool::open(settings(max_bytes), clock_, applied);
    ASSERT_TRUE(opened.ok()) << opened.error().detail;
    spool_ = std::move(opened).value();
  }
  // The next file is made by another thread: waits for it.
  bool append(const std::string& text) {
    for (int i = 0; i < 50; ++i) {
      if (spool_->append(text).ok()) return true;
      spool_->wait_for_room();
      if (spool_->counters().is_full) return false;
    }
    return false;
  }
  void send(const std::string& text) const {
    ASSERT_EQ(::send(sender_.get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
  }
  // All behind the position, which goes on.
  Texts read_on(SpoolPosition& position) {
    Texts texts;
    while (true) {
      const SpoolBatch batch = spool_->read(position, kRead).value();
      for (const SpoolRecord& record : batch.records) texts.emplace_back(record.text);
      recovered_ += batch.recovered;
      corrupt_ += batch.corrupt;
      position = batch.next;
      if (!batch.has_more) return texts;
    }
  }
  // The files, oldest first.
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/spool")) {
      found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  static void write_at(const std::filesystem::path& path, std::size_t offset,
                       const std::string& bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file << bytes;
  }

  std::string folder_;
  fakes::FakeClock clock_;
  UniqueDescriptor sender_;
  UniqueDescriptor receiver_;
  std::uint64_t recovered_ = 0;
  std::uint64_t corrupt_ = 0;
  std::unique_ptr<Spool> spool_;
};

TEST_F(SpoolFiles, WhatIsReceivedIsRead) {
  open();
  send("one");
  send("two, a little longer");
  EXPECT_EQ(spool_->receive(receiver_.get(), 10), Received::kAll);
  EXPECT_TRUE(append("three"));
  SpoolPosition position;
  EXPECT_EQ(read_on(position), (Texts{"one", "two, a little longer", "three"}));
  EXPECT_EQ(read_on(position), Texts{});
  EXPECT_TRUE(append("four"));
  EXPECT_EQ(read_on(position), Texts{"four"});
  EXPECT_EQ(spool_->counters().taken, 4U);
}

TEST_F(SpoolFiles, RecordHasTheTimeOfItsReceipt) {
  open();
  const base::WallTime before = clock_.now();
  EXPECT_TRUE(append("one"));
  clock_.advance(std::chrono::hours(30));
  EXPECT_TRUE(append("two"));
  const SpoolBatch batch = spool_->read({}, kRead).value();
  ASSERT_EQ(batch.records.size(), 2U);
  EXPECT_EQ(batch.records[0].received, before);
  EXPECT_EQ(batch.records[1].received, before + std::chrono::hours(30));
}

TEST_F(SpoolFiles, LimitOfOneCall) {
  open();
  for (const char* text : {"a", "b", "c"}) send(text);
  EXPECT_EQ(spool_->receive(receiver_.get(), 2), Received::kSome);
  EXPECT_EQ(spool_->receive(receiver_.get(), 2), Received::kAll);
  SpoolPosition position;
  EXPECT_EQ(read_on(position), (Texts{"a", "b", "c"}));
}

TEST_F(SpoolFiles, SizesAtTheLimit) {
  open();
  const std::string longest(kMaxText, 'x');
  send(longest);
  send(longest + "y");
  send("");
  send("after");
  EXPECT_EQ(spool_->receive(receiver_.get(), 10), Received::kAll);
  EXPECT_EQ(spool_->counters().refused, 2U);
  EXPECT_FALSE(spool_->append("").ok());
  EXPECT_FALSE(spool_->append(longest + "y").ok());
  SpoolPosition position;
  EXPECT_EQ(read_on(position), (Texts{longest, "after"}));
  spool_.reset();  // and nothing of the refused one is taken for a text later
  open();
  position = {};
  EXPECT_EQ(read_on(position), (Texts{longest, "after"}));
  EXPECT_EQ(recovered_, 0U);
}

TEST_F(SpoolFiles, ManyFilesInTheirOrderAndDroppedWhenApplied) {
  open();
  Texts want;
  for (int i = 0; i < 60; ++i) {
    want.push_back("number " + std::to_string(i) + std::string(200, '.'));
    ASSERT_TRUE(append(want.back()));
  }
  EXPECT_GT(files().size(), 3U);
  SpoolPosition position;
  EXPECT_EQ(read_on(position), want);
  spool_->drop_before(position);
  EXPECT_EQ(spool_->first_segment(), position.segment);
  EXPECT_LE(files().size(), 2U);  // the active one and the next
}

TEST_F(SpoolFiles, FilesOfEarlierProcessesComeFirstAndOnce) {
  open();
  EXPECT_TRUE(append("first"));
  EXPECT_TRUE(append("second"));
  const SpoolPosition behind_first{1, kSegmentMagic.size() + kRecordHeaderBytes + 8};
  open(behind_first);
  EXPECT_TRUE(append("third"));
  SpoolPosition position = behind_first;
  EXPECT_EQ(read_on(position), (Texts{"second", "third"}));
  open(position);
  EXPECT_EQ(read_on(position), Texts{});
}

TEST_F(SpoolFiles, NumbersAreNeverUsedTwice) {
  open({41, 100});  // the store knows more than the folder: somebody emptied it
  EXPECT_TRUE(append("new"));
  SpoolPosition position{41, 100};
  EXPECT_EQ(read_on(position), Texts{"new"});
  EXPECT_EQ(position.segment, 42U);
}

TEST_F(SpoolFiles, TextWithoutALengthIsFound) {
  struct Case {
    const char* name;
    std::string text;
    Texts want;
  };
  const std::vector<Case> cases = {
      {"as recv left it", "{\"d\": 1}", {"{\"d\": 1}"}},
      {"longest", std::string(kMaxText, 'x'), {std::string(kMaxText, 'x')}},
      {"nothing", "", {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    spool_.reset();
    std::filesystem::remove_all(folder_ + "/spool");
    open();
    ASSERT_TRUE(append("whole"));
    const auto path = files().front();
    spool_.reset();
    write_at(path, kSegmentMagic.size() + kRecordHeaderBytes + 8 + kRecordHeaderBytes, c.text);
    recovered_ = 0;
    open();
    SpoolPosition position;
    Texts want{"whole"};
    want.insert(want.end(), c.want.begin(), c.want.end());
    EXPECT_EQ(read_on(position), want);
    EXPECT_EQ(recovered_, c.want.size());
    open(position);
    EXPECT_EQ(read_on(position), Texts{});
  }
}

TEST_F(SpoolFiles, KilledBetweenReceiptAndHeader) {
  // What a process does that dies right behind recv(): SegmentWriter::finish() is not reached.
  const std::string path = folder_ + "/spool/results-7";
  std::filesystem::create_directories(folder_ + "/spool");
  const pid_t child = fork();
  if (child == 0) {
    auto writer = SegmentWriter::create(path, kSegment);
    if (!writer.ok()) _exit(1);
    const auto slot = writer.value()->slot(kMaxText, clock_.now());
    [[maybe_unused]] const auto got = recv(receiver_.get(), slot.data(), slot.size(), 0);
    kill(getpid(), SIGKILL);
  }
  send("received and then killed");
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  open();
  const SpoolBatch batch = spool_->read({}, kRead).value();
  ASSERT_EQ(batch.records.size(), 1U);
  EXPECT_EQ(batch.records[0].text, "received and then killed");
  EXPECT_EQ(batch.records[0].received, clock_.now());
  EXPECT_EQ(batch.recovered, 1U);
}

TEST_F(SpoolFiles, DamagedFiles) {
  const std::size_t first = kSegmentMagic.size();
  const std::size_t second = first + kRecordHeaderBytes + 8;
  struct Case {
    const char* name;
    std::size_t offset;
    std::string bytes;
    Texts want;
    std::uint64_t corrupt;
  };
  const std::vector<Case> cases = {
      {"a changed text", first + kRecordHeaderBytes, "X", {"second", "third"}, 1},
      {"a changed time", second + 8, "X", {"first", "third"}, 1},
      {"a length beyond the file", second, "\x01\x02\x03\x7f", {"first"}, 1},
      {"a length over the limit", second, "\x01\x02", {"first"}, 1},
      {"another magic", 0, "strictmx spool9", {}, 1},
      {"no magic yet", 0, std::string(16, '\0'), {}, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    spool_.reset();
    std::filesystem::remove_all(folder_ + "/spool");
    open();
    for (const char* text : {"first", "second", "third"}) ASSERT_TRUE(append(text));
    const auto path = files().front();
    spool_.reset();
    write_at(path, c.offset, c.bytes);
    corrupt_ = 0;
    open();
    ASSERT_TRUE(append("later"));
    SpoolPosition position;
    Texts want = c.want;
    want.emplace_back("later");
    EXPECT_EQ(read_on(position), want);
    EXPECT_EQ(corrupt_, c.corrupt);
  }
}

TEST_F(SpoolFiles, FileCutOffAtAnyLength) {
  open();
  for (const char* text : {"first", "second", "third"}) ASSERT_TRUE(append(text));
  const auto path = files().front();
  spool_.reset();
  std::string whole(200, '\0');
  std::ifstream(path, std::ios::binary).read(whole.data(), 200);
  for (std::size_t length = 200; length-- > 0;) {
    std::filesystem::resize_file(path, length);
    open();
    SpoolPosition position;
    const Texts texts = read_on(position);
    EXPECT_LE(texts.size(), 3U) << length;
    if (length >= 64) {
      EXPECT_GE(texts.size(), 2U) << length;
    }
    spool_.reset();
    for (const auto& file : files()) {
      if (file != path) std::filesystem::remove(file);
    }
  }
}

TEST_F(SpoolFiles, WhatCantBeReadIsNoEndOfAFile) {
  open();
  ASSERT_TRUE(append("kept"));
  const auto path = files().front();
  spool_.reset();
  open();  // the file is an earlier process's
  const auto away = folder_ + "/away";
  struct Case {
    const char* name;
    std::function<void()> spoil;
  };
  const std::vector<Case> cases = {
      {"open fails", [&] { std::filesystem::create_symlink(away, path); }},
      {"is not there", [] {}},
      {"read fails", [&] { std::filesystem::create_directory(path); }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::filesystem::rename(path, away);
    c.spoil();
    const auto failed = spool_->read({}, kRead);
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().code, SpoolError::kSystem);
    std::filesystem::remove(path);
    std::filesystem::rename(away, path);
    SpoolPosition position;
    EXPECT_EQ(read_on(position), Texts{"kept"});
  }
}

TEST_F(SpoolFiles, FileOfUnknownSizeIsNotLeftOut) {
  open();
  ASSERT_TRUE(append("kept"));
  spool_.reset();
  std::filesystem::create_symlink("results-7", folder_ + "/spool/results-7");
  const auto opened = Spool::open(settings(), clock_, {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, SpoolError::kSystem);
}

TEST_F(SpoolFiles, FullStopsReceivingAndGoesOn) {
  open({}, 2 * kSegment);
  const std::string text(400, 'x');
  std::size_t appended = 0;
  while (append(text)) ++appended;
  EXPECT_GT(appended, 10U);
  EXPECT_TRUE(spool_->counters().is_full);
  EXPECT_EQ(spool_->counters().full, 1U);
  send("waits in the kernel");
  EXPECT_EQ(spool_->receive(receiver_.get(), 10), Received::kFull);
  SpoolPosition position;
  EXPECT_EQ(read_on(position).size(), appended);
  spool_->drop_before(position);
  for (int i = 0; i < 50 && spool_->receive(receiver_.get(), 10) == Received::kFull; ++i) {
    spool_->wait_for_room();
  }
  EXPECT_EQ(read_on(position), Texts{"waits in the kernel"});
  EXPECT_FALSE(spool_->counters().is_full);
}

TEST_F(SpoolFiles, DiskWithoutRoomIsFull) {
  open();
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{kSegment / 2, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);  // what there is stays writable, a new file can't be made
  const std::string text(400, 'x');
  std::size_t appended = 0;
  while (append(text)) ++appended;
  EXPECT_TRUE(spool_->counters().is_full);
  setrlimit(RLIMIT_FSIZE, &before);
  bool has_room = false;
  for (int i = 0; i < 50 && !has_room; ++i) {
    spool_->wait_for_room();
    has_room = append(text);
  }
  EXPECT_TRUE(has_room);
  SpoolPosition position;
  EXPECT_EQ(read_on(position).size(), appended + 1);
}

TEST_F(SpoolFiles, FailureThatLastsIsToldOnce) {
  open();
  std::filesystem::rename(folder_ + "/spool", folder_ + "/away");
  testing::internal::CaptureStderr();
  [[maybe_unused]] const auto to_capture = base::log_open("test", "error", "stderr");
  while (append(std::string(400, 'x'))) continue;
  for (int i = 0; i < 8; ++i) std::this_thread::sleep_for(settings().sync_interval);
  const std::string log = testing::internal::GetCapturedStderr();
  const std::string line = "can't be extended";
  const auto first = log.find(line);
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(log.find(line, first + 1), std::string::npos) << log;
  std::filesystem::rename(folder_ + "/away", folder_ + "/spool");
}

TEST_F(SpoolFiles, FolderThatCantBe) {
  std::ofstream(folder_ + "/spool") << "a file";
  const auto opened = Spool::open(settings(), clock_, {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, SpoolError::kSystem);
}

TEST_F(SpoolFiles, AppendersAndReceiverAtTheSameTime) {
  open({}, 1024 * kSegment);
  constexpr int kEach = 500;
  std::thread sender([this] {
    for (int i = 0; i < kEach; ++i) send("sent");
  });
  std::thread appender([this] {
    for (int i = 0; i < kEach; ++i) EXPECT_TRUE(append("appended"));
  });
  std::thread receiver([this] {
    while (spool_->counters().taken < 2 * kEach) {
      if (spool_->receive(receiver_.get(), 64) == Received::kFull) spool_->wait_for_room();
    }
  });
  SpoolPosition position;
  Texts texts;
  while (texts.size() < 2 * kEach) {
    for (std::string& text : read_on(position)) texts.push_back(std::move(text));
  }
  sender.join();
  appender.join();
  receiver.join();
  EXPECT_EQ(std::count(texts.begin(), texts.end(), "sent"), kEach);
  EXPECT_EQ(std::count(texts.begin(), texts.end(), "appended"), kEach);
  EXPECT_EQ(corrupt_, 0U);
}

}  // namespace
}  // namespace strictmx::reporting
