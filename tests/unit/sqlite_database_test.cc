// sqlite_database_test.cc - the store on a real file: commits, locks, damage.
#include "common/store/sqlite_database.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "common/base/log.h"

namespace strictmx::store {
namespace {

using base::Outcome;

class SqliteStore : public testing::Test {
 protected:
  SqliteStore() {
    char folder[] = "/tmp/strictmx-store-XXXXXX";
    folder_ = mkdtemp(folder);
    path_ = folder_ + "/strictmx.db";
    [[maybe_unused]] const auto opened = base::log_open("test", "error", "stderr");
  }
  ~SqliteStore() override {
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  base::Result<std::unique_ptr<SqliteDatabase>, StoreError> open() {
    return SqliteDatabase::open(*loop_, path_, [this] { ++resets_; });
  }
  void open_ok() {
    auto opened = open();
    ASSERT_TRUE(opened.ok()) << opened.error().detail;
    database_ = std::move(opened).value();
  }

  // Runs one work to its end.
  Outcome<StoreError> run(Work work) {
    std::unique_ptr<Outcome<StoreError>> result;
    database_->submit(Pace::kNow, std::move(work), [&](const Outcome<StoreError>& done) {
      result = std::make_unique<Outcome<StoreError>>(done);
      loop_->stop();
    });
    loop_->run();
    return *result;
  }
  Outcome<StoreError> insert(const std::string& domain) {
    return run([domain](Transaction& transaction) {
      return transaction.run(
          "INSERT INTO policies (domain, id, body, fetched, expires, refresh_at, last_used, "
          "days_used) VALUES (?1, '1', 'body', 1, 2, 3, 4, 5)",
          {domain});
    });
  }
  std::int64_t count() {
    std::int64_t rows = -1;
    const auto counted = run([&](Transaction& transaction) {
      return transaction.query("SELECT COUNT(*) FROM policies", {},
                               [&](const Row& row) { rows = row.number(0); });
    });
    EXPECT_TRUE(counted.ok());
    return rows;
  }
  std::size_t files_set_aside() const {
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("strictmx.db.corrupt-") && !name.ends_with("-wal")) ++found;
    }
    return found;
  }

  std::string folder_;
  std::string path_;
  int resets_ = 0;
  std::unique_ptr<base::EventLoop> loop_ = std::move(base::EventLoop::create()).value();
  std::unique_ptr<SqliteDatabase> database_;
};

TEST_F(SqliteStore, KeepsRowsOverAReopen) {
  open_ok();
  ASSERT_TRUE(insert("a.example").ok());
  database_.reset();
  open_ok();
  EXPECT_EQ(count(), 1);
}

TEST_F(SqliteStore, FailingWorkUndoesOnlyItself) {
  open_ok();
  ASSERT_TRUE(insert("a.example").ok());
  int answered = 0;
  int failed = 0;
  const auto done = [&](const Outcome<StoreError>& result) {
    if (!result.ok()) ++failed;
    if (++answered == 3) loop_->stop();
  };
  const auto add = [](const char* domain) {
    return [domain](Transaction& transaction) {
      return transaction.run(
          "INSERT INTO policies (domain, id, body, fetched, expires, refresh_at, last_used, "
          "days_used) VALUES (?1, '1', 'body', 1, 2, 3, 4, 5)",
          {std::string(domain)});
    };
  };
  database_->submit(Pace::kSoon, add("b.example"), done);
  database_->submit(Pace::kSoon, add("a.example"), done);  // is there already
  database_->submit(Pace::kSoon, add("c.example"), done);
  loop_->run();
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(count(), 3);
}

TEST_F(SqliteStore, WorkSubmittedBeforeTheEndIsDone) {
  open_ok();
  for (int i = 0; i < 100; ++i) {
    database_->submit(
        Pace::kSoon,
        [i](Transaction& transaction) {
          return transaction.run(
              "INSERT INTO policies (domain, id, body, fetched, expires, refresh_at, last_used, "
              "days_used) VALUES (?1, '1', 'body', 1, 2, 3, 4, 5)",
              {"d" + std::to_string(i) + ".example"});
        },
        [](const Outcome<StoreError>&) {});
  }
  database_.reset();
  open_ok();
  EXPECT_EQ(count(), 100);
}

TEST_F(SqliteStore, SecondDaemonIsRefusedAndToldWhoHasIt) {
  open_ok();
  const auto second = open();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, StoreError::kBusy);
  EXPECT_NE(second.error().detail.find(std::to_string(getpid())), std::string::npos);
}

TEST_F(SqliteStore, NewerSchemaIsRefusedAndLeftAlone) {
  open_ok();
  ASSERT_TRUE(insert("a.example").ok());
  ASSERT_TRUE(run([](Transaction& transaction) {
                return transaction.run("PRAGMA user_version = 99", {});
              }).ok());
  database_.reset();
  const auto opened = open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, StoreError::kNewer);
  EXPECT_NE(opened.error().detail.find("99"), std::string::npos);
  EXPECT_EQ(files_set_aside(), 0u);
}

TEST_F(SqliteStore, GarbageIsSetAsideAndANewStoreBegun) {
  {
    std::ofstream file(path_, std::ios::binary);
    for (int i = 0; i < 10000; ++i) file << "this is no database ";
  }
  open_ok();
  EXPECT_EQ(files_set_aside(), 1u);
  EXPECT_EQ(count(), 0);
  EXPECT_TRUE(insert("a.example").ok());
}

TEST_F(SqliteStore, DamageWhileRunningIsSetAsideAndTold) {
  open_ok();
  for (int i = 0; i < 2000; ++i) {
    database_->submit(
        Pace::kSoon,
        [i](Transaction& transaction) {
          return transaction.run(
              "INSERT INTO policies (domain, id, body, fetched, expires, refresh_at, last_used, "
              "days_used) VALUES (?1, '1', ?2, 1, 2, 3, 4, 5)",
              {"d" + std::to_string(i) + ".example", std::string(1500, 'x')});
        },
        [](const Outcome<StoreError>&) {});
  }
  database_.reset();  // all of it in the main file
  open_ok();
  {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    const auto size = std::filesystem::file_size(path_);
    file.seekp(static_cast<std::streamoff>(size / 4));
    file << std::string(size / 2, '\x5a');
  }
  const auto read = run([](Transaction& transaction) {
    return transaction.query("SELECT domain, body FROM policies", {}, [](const Row&) {});
  });
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, StoreError::kCorrupt) << read.error().detail;
  EXPECT_EQ(count(), 0);
  EXPECT_EQ(files_set_aside(), 1u);
  EXPECT_EQ(resets_, 1);
  EXPECT_TRUE(insert("a.example").ok());
}

TEST_F(SqliteStore, EachFileSetAsideIsKept) {
  // Most of these fall into one second, which is what the name tells.
  constexpr std::size_t kTimes = 5;
  for (std::size_t i = 1; i <= kTimes; ++i) {
    std::ofstream(path_, std::ios::binary) << std::string(10000 * i, 'x');
    open_ok();
    database_.reset();
    EXPECT_EQ(files_set_aside(), i);
  }
  std::size_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("strictmx.db.corrupt-")) bytes += entry.file_size();
  }
  EXPECT_EQ(bytes, 10000U * (1 + 2 + 3 + 4 + 5));
}

TEST_F(SqliteStore, WhatCantBeOpenedIsNotSetAside) {
  const auto say_corrupt = [](Transaction&) { return base::fail(StoreError::kCorrupt, "a test"); };
  struct Case {
    const char* name;
    std::function<void(const std::string&)> put;
  };
  const Case cases[] = {
      {"a folder", [](const std::string& path) { std::filesystem::create_directory(path); }},
      {"a link to itself",
       [](const std::string& path) { std::filesystem::create_symlink(path, path); }},
  };
  open_ok();
  ASSERT_TRUE(insert("a.example").ok());
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::filesystem::rename(path_, path_ + ".away");
    c.put(path_);
    EXPECT_FALSE(run(say_corrupt).ok());
    const auto refused = insert("b.example");
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, StoreError::kSystem);
    EXPECT_EQ(files_set_aside(), 0U);
    std::filesystem::remove(path_);
    std::filesystem::rename(path_ + ".away", path_);
    EXPECT_EQ(count(), 1);
    EXPECT_EQ(resets_, 0);
  }
}

TEST_F(SqliteStore, DamageOnAFullDiskKeepsTheDamagedFile) {
  open_ok();
  for (const char* domain : {"a.example", "b.example"}) ASSERT_TRUE(insert(domain).ok());
  database_.reset();  // all of it in the main file
  open_ok();
  const auto size = std::filesystem::file_size(path_);
  {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file << std::string(size, '\x5a');
  }
  // Files can't grow.
  const auto usual_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  const rlimit none{0, usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  const auto found = run([](Transaction&) { return base::fail(StoreError::kCorrupt, "a test"); });
  const auto refused = insert("c.example");
  const auto refused_again = insert("c.example");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &usual), 0);
  std::signal(SIGXFSZ, usual_handler);
  EXPECT_FALSE(found.ok() || refused.ok() || refused_again.ok());
  EXPECT_EQ(resets_, 0);

  const auto accepted = insert("d.example");
  EXPECT_TRUE(accepted.ok());
  EXPECT_EQ(resets_, 1);
  EXPECT_EQ(count(), 1);
  ASSERT_EQ(files_set_aside(), 1U);
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("strictmx.db.corrupt-")) continue;
    EXPECT_EQ(entry.file_size(), size);
  }
}

TEST_F(SqliteStore, MissingFolderIsAClearError) {
  path_ = folder_ + "/missing/strictmx.db";
  const auto opened = open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, StoreError::kSystem);
  EXPECT_NE(opened.error().detail.find("missing/strictmx.db"), std::string::npos);
}

}  // namespace
}  // namespace strictmx::store
