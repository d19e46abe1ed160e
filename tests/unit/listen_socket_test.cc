// listen_socket_test.cc - UNIX sockets: their mode, and a link put in the place of one.
#include "common/base/listen_socket.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

// What the owner of the socket's folder makes of its path right before a call that changes it.
std::string link_target;

void put_link(const char* path) {
  if (link_target.empty()) return;
  unlink(path);
  EXPECT_EQ(symlink(link_target.c_str(), path), 0);
}

}  // namespace

// These stand before those of the C library, and do the same.
extern "C" int chmod(const char* file, mode_t mode) noexcept {
  put_link(file);
  return fchmodat(AT_FDCWD, file, mode, 0);
}
extern "C" int chown(const char* file, uid_t owner, gid_t group) noexcept {
  put_link(file);
  return fchownat(AT_FDCWD, file, owner, group, 0);
}
extern "C" int lchown(const char* file, uid_t owner, gid_t group) noexcept {
  put_link(file);
  return fchownat(AT_FDCWD, file, owner, group, AT_SYMLINK_NOFOLLOW);
}

namespace strictmx::base {
namespace {

class ListenSocket : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "listen_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    setting_.address = "unix:" + (folder_ / "a.sock").string();
  }
  void TearDown() override {
    link_target.clear();
    std::filesystem::remove_all(folder_);
  }

  struct stat status_of(const std::string& name) const {
    struct stat status {};
    EXPECT_EQ(lstat((folder_ / name).c_str(), &status), 0) << name;
    return status;
  }

  std::filesystem::path folder_;
  ListenerSetting setting_;
  PassedSockets passed_;
};

TEST_F(ListenSocket, HasTheModeAskedForWhateverTheUmask) {
  struct Case {
    const char* name;
    std::uint32_t mode;  // 0: not set
    std::uint32_t default_mode;
    std::uint32_t want;
  };
  const Case cases[] = {
      {"default for all", 0, 0666, 0666},
      {"default for one", 0, 0600, 0600},
      {"set narrower", 0620, 0666, 0620},
      {"set wider", 0777, 0600, 0777},
  };
  const mode_t usual = umask(027);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    setting_.mode = c.mode;
    const auto stream = open_listener(setting_, c.default_mode, passed_);
    ASSERT_TRUE(stream.ok()) << stream.error().detail;
    const struct stat status = status_of("a.sock");
    EXPECT_TRUE(S_ISSOCK(status.st_mode));
    EXPECT_EQ(status.st_mode & 07777, c.want);
    EXPECT_EQ(umask(027), 027U);
  }
  umask(usual);
}

TEST_F(ListenSocket, FollowsNoLinkThatStandsInItsPlace) {
  const std::string target = folder_ / "target";
  std::ofstream(target) << "another user's";
  ASSERT_EQ(fchmodat(AT_FDCWD, target.c_str(), 0600, 0), 0);
  const struct stat before = status_of("target");
  // A group that the file does not have and this process may give.
  gid_t groups[64];
  int count = getgroups(64, groups);
  if (geteuid() == 0) {
    groups[0] = 1;
    count = 1;
  }
  for (int i = 0; i < count; ++i) {
    const group* entry = getgrgid(groups[i]);
    if (entry != nullptr && groups[i] != before.st_gid) setting_.group = entry->gr_name;
  }
  link_target = target;
  [[maybe_unused]] const auto opened = open_datagram_socket(setting_, 0666, passed_);
  const struct stat after = status_of("target");
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_gid, before.st_gid);
}

}  // namespace
}  // namespace strictmx::base
