// process.h - what a daemon does with its own process: user, limits, word to systemd.
//
// Use: find_user() and become_user() after all sockets are bound; notify_systemd() when ready.
// Threads: become_user() before the first thread is started.
// Errors: ProcessError with the reason.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace strictmx::base {

enum class ProcessError { kNoSuchUser, kSystem };

struct UserIds {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

Result<UserIds, ProcessError> find_user(const std::string& name);
// The user's own group alone (no supplementary groups), then its uid, for good: it is checked that
// root can't be had back.
Outcome<ProcessError> become_user(const UserIds& user);

// Lets the user own the file at `path` and what is beside it and begins with its name: files (a
// database's journal, a lock), and folders with the files in them (a spool). A missing folder is
// made (0750) for the user; an existing one stays as it is. Of files only regular ones with a
// single name are given away; no link is followed.
Outcome<ProcessError> give_store(const std::string& path, const UserIds& user);

// Who is at the other end of a connected UNIX socket; the kernel vouches for it.
struct PeerIds {
  uid_t uid = 0;
  pid_t pid = 0;
};
Result<PeerIds, ProcessError> peer_ids(int descriptor);

// Raises the soft limit of open files to the hard one; says what it is now.
unsigned long raise_open_files();

// Gives memory that was freed back to the system (glibc keeps it otherwise).
void release_free_memory();

// One datagram to $NOTIFY_SOCKET (sd_notify(3)): "READY=1", "RELOADING=1\n...", "STOPPING=1".
// Nothing happens without the variable.
void notify_systemd(std::string_view state);

}  // namespace strictmx::base
