// process_test.cc - which files beside a store are given to the user that the daemon becomes.
#include "common/base/process.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace strictmx::base {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kUser = 65534;

uid_t owner_of(const fs::path& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 ? status.st_uid : ~uid_t{0};
}

TEST(GiveStore, WhatBeginsWithItsNameAndNoLinks) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  char name[] = "/tmp/strictmx-give-XXXXXX";
  const fs::path folder = mkdtemp(name);
  fs::create_directories(folder / "s.db.spool/deeper");
  fs::create_directories(folder / "other.spool");
  for (const char* file : {"s.db", "s.db-wal", "s.db.spool/results-1", "other", "other.spool/1",
                           "linked", "s.db.spool/deeper/file"}) {
    std::ofstream(folder / file) << "x";
  }
  fs::create_symlink(folder / "other", folder / "s.db-link");
  fs::create_symlink(folder / "other", folder / "s.db.spool/link");
  fs::create_directory_symlink(folder / "other.spool", folder / "s.db.folder-link");
  fs::create_hard_link(folder / "linked", folder / "s.db.spool/second-name");
  const auto given = give_store((folder / "s.db").string(), {"somebody", kUser, kUser});
  ASSERT_TRUE(given.ok()) << given.error().detail;
  for (const char* file : {"s.db", "s.db-wal", "s.db.spool", "s.db.spool/results-1"}) {
    EXPECT_EQ(owner_of(folder / file), kUser) << file;
  }
  for (const char* file : {".", "other", "other.spool", "other.spool/1", "linked", "s.db-link",
                           "s.db.spool/link", "s.db.spool/deeper/file"}) {
    EXPECT_EQ(owner_of(folder / file), 0U) << file;
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace strictmx::base
