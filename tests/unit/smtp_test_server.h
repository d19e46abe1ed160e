// smtp_test_server.h - an SMTP server in a thread that answers as a test says and keeps what it
// got.
//
// Use: a plan of replies, then lines() and text() once the client is done. Commands without a plan
// get what a server that takes everything says. Ownership: the destructor ends the thread and all
// connections. Errors: whatever the kernel refuses aborts the test program.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/unique_descriptor.h"

namespace strictmx::reporting::testing {

// By command ("EHLO", "MAIL", ...), "greeting", and "text" for the end of the text: the whole reply
// with its line ends, or one of these two.
using SmtpPlan = std::map<std::string, std::string>;
inline const std::string kHang = "hang";  // nothing until the client goes
inline const std::string kDrop = "drop";  // the connection closes

class SmtpTestServer {
 public:
  explicit SmtpTestServer(SmtpPlan plan);
  ~SmtpTestServer();
  SmtpTestServer(const SmtpTestServer&) = delete;
  SmtpTestServer& operator=(const SmtpTestServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::vector<std::string> commands() const;  // lines, without their ends
  std::string text() const;                   // as it came, dots and all, without the last line
  bool is_connected() const { return is_connected_; }

 private:
  class Session;
  void run();

  const SmtpPlan plan_;
  base::UniqueDescriptor listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> is_stopping_ = false;
  std::atomic<bool> is_connected_ = false;
  mutable std::mutex mutex_;
  std::vector<std::string> commands_;  // under mutex_
  std::string text_;                   // under mutex_
  std::thread thread_;
};

}  // namespace strictmx::reporting::testing
