// mail_submission_test.cc - mails handed to a made-up sendmail and to a made-up SMTP server.
#include "common/reporting/mail_submission.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/smtp_test_server.h"
#include "tests/unit/submission_words.h"

namespace strictmx::reporting {
namespace {

using namespace std::chrono_literals;
using testing::kDrop;
using testing::kHang;
using testing::SmtpPlan;
using testing::SmtpTestServer;
using testing::words;
namespace fs = std::filesystem;

const std::atomic<bool> kGoesOn = false;

const OutgoingMail kMail{"reports@sender.example", "tls@receiver.example",
                         "Subject: a\r\n\r\n.dot first\r\n..two\r\n.\r\nFrom here\r\nend\r\n"};

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A folder with a program that stands for sendmail.
class Sendmail : public ::testing::Test {
 protected:
  Sendmail() {
    std::signal(SIGPIPE, SIG_IGN);
    char name[] = "/tmp/strictmx-sendmail-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~Sendmail() override { fs::remove_all(folder_); }

  MailSettings sendmail(const std::string& script, std::chrono::seconds timeout = 30s) const {
    const fs::path program = folder_ / "sendmail";
    std::ofstream(program) << "#!/bin/sh\ncd " << folder_.string() << "\n" << script << "\n";
    chmod(program.c_str(), 0755);
    return {program.string(), "", timeout};
  }

  std::string submit(const std::string& script, const OutgoingMail& mail = kMail) const {
    return words(submit_mail(sendmail(script), mail, kGoesOn));
  }

  // What the words begin with where the program itself is named.
  std::string program() const { return (folder_ / "sendmail").string(); }

  fs::path folder_;
};

TEST_F(Sendmail, GetsArgumentsAndTextAndNothingElse) {
  setenv("STRICTMX_SECRET", "x", 1);
  EXPECT_EQ(submit("printf '%s\\n' \"$@\" >argv; cat >stdin; env | grep -v -e ^PWD= -e ^OLDPWD= "
                   "-e ^_= -e ^SHLVL= | sort >env"),
            "sent");
  unsetenv("STRICTMX_SECRET");
  EXPECT_EQ(contents(folder_ / "argv"),
            "-i\n-f\nreports@sender.example\n--\ntls@receiver.example\n");
  EXPECT_EQ(contents(folder_ / "stdin"), "Subject: a\n\n.dot first\n..two\n.\nFrom here\nend\n");
  EXPECT_EQ(contents(folder_ / "env"), "LANG=C\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n");
}

TEST_F(Sendmail, ALargeMailArrivesWhole) {
  OutgoingMail mail = kMail;
  std::string want;
  while (want.size() < 2'000'000) {
    mail.text += std::to_string(want.size()) + "\r\n";
    want += std::to_string(want.size()) + "\n";
  }
  EXPECT_EQ(submit("cat >stdin", mail), "sent");
  EXPECT_TRUE(contents(folder_ / "stdin").ends_with(want));
}

TEST_F(Sendmail, ExitStatusDecides) {
  struct Case {
    const char* name;
    std::string script;
    std::string want;  // PROGRAM stands for its path
  };
  const std::vector<Case> cases = {
      {"taken", "cat >/dev/null", "sent"},
      {"taken, with words", "cat >/dev/null; echo queued; echo warning >&2", "sent"},
      {"usage", "exit 64", "temporary: PROGRAM: exit status 64"},
      {"data", "exit 65", "temporary: PROGRAM: exit status 65"},
      {"no user", "echo unknown user >&2; exit 67",
       "temporary: PROGRAM: exit status 67: unknown user"},
      {"no host", "echo on stdout; exit 68", "temporary: PROGRAM: exit status 68: on stdout"},
      {"unavailable", "exit 69", "temporary: PROGRAM: exit status 69"},
      {"queue full", "echo a; echo b >&2; exit 75", "temporary: PROGRAM: exit status 75: b"},
      {"configuration", "exit 78", "temporary: PROGRAM: exit status 78"},
      {"shell's not found", "exit 127", "temporary: PROGRAM: exit status 127"},
      {"status 1", "exit 1", "temporary: PROGRAM: exit status 1"},
      {"input closed early", "exec 0<&-; exit 75", "temporary: PROGRAM: exit status 75"},
      {"killed", "kill -9 $$", "temporary: PROGRAM: ended by signal 9"},
      {"hostile words", "printf 'a\\033[31m\\r\\nb\\n' >&2; exit 75",
       "temporary: PROGRAM: exit status 75: a\\x1b[31m\\x0d\\x0ab"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::string want = c.want;
    if (const auto at = want.find("PROGRAM"); at != std::string::npos) {
      want.replace(at, 7, program());
    }
    EXPECT_EQ(submit(c.script), want);
  }
}

TEST_F(Sendmail, AFloodOfWordsIsCut) {
  const std::string got = submit("head -c 1000000 /dev/zero | tr '\\0' e >&2; exit 75");
  EXPECT_TRUE(got.starts_with("temporary: " + program() + ": exit status 75: eeee"));
  EXPECT_TRUE(got.ends_with("eee..."));
  EXPECT_LT(got.size(), 500U);
}

TEST_F(Sendmail, WhatCantBeRunIsOurOwnTrouble) {
  MailSettings settings;
  settings.sendmail = "/nonexistent/sendmail";
  EXPECT_EQ(words(submit_mail(settings, kMail, kGoesOn)),
            "system: /nonexistent/sendmail: No such file or directory");
}

TEST_F(Sendmail, HangsAndIsStopped) {
  EXPECT_EQ(words(submit_mail(sendmail("sleep 1000", 1s), kMail, kGoesOn)),
            "timeout: " + program() + ": no end within 1000 ms, ended it");
  const std::atomic<bool> is_stopping = true;
  EXPECT_EQ(words(submit_mail(sendmail("sleep 1000"), kMail, is_stopping)),
            "stopped: " + program() + ": told to stop, ended it");
}

TEST_F(Sendmail, AddressesAreCheckedOnceMore) {
  const std::vector<std::string> bad = {"",
                                        "-oQ/tmp@b.example",
                                        "a@b.example,c@d.example",
                                        "a@b.example\r\nBcc: c@d.example",
                                        "a b@c.example",
                                        "\"a\"@b.example",
                                        "a",
                                        "<a@b.example>",
                                        std::string("a@b.example\0", 12)};
  for (const std::string& address : bad) {
    SCOPED_TRACE(address);
    for (const bool is_from : {true, false}) {
      OutgoingMail mail = kMail;
      (is_from ? mail.from : mail.to) = address;
      const std::string got = submit("echo >ran", mail);
      EXPECT_TRUE(got.starts_with("refused: '")) << got;
      EXPECT_TRUE(got.ends_with("' is not one plain mail address")) << got;
      EXPECT_EQ(got.find('\n'), std::string::npos);
    }
  }
  EXPECT_FALSE(fs::exists(folder_ / "ran"));
}

class Smtp : public ::testing::Test {
 protected:
  Smtp() { std::signal(SIGPIPE, SIG_IGN); }

  static std::string submit(const SmtpTestServer& server, std::chrono::seconds timeout = 30s,
                            const OutgoingMail& mail = kMail) {
    // The program is not there: the server alone is asked.
    return words(submit_mail({"/nonexistent", server.address(), timeout}, mail, kGoesOn));
  }
};

TEST_F(Smtp, ATransactionAsItShouldBe) {
  const SmtpTestServer server({});
  EXPECT_EQ(submit(server), "sent");
  auto commands = server.commands();
  ASSERT_GE(commands.size(), 4U);
  EXPECT_TRUE(commands[0].starts_with("EHLO ")) << commands[0];
  EXPECT_GT(commands[0].size(), 5U);
  EXPECT_TRUE(commands[1].starts_with("MAIL FROM:<reports@sender.example>")) << commands[1];
  EXPECT_EQ(commands[2], "RCPT TO:<tls@receiver.example>");
  EXPECT_EQ(commands[3], "DATA");
  // RFC 5321 §4.5.2: each dot at the start of a line is doubled.
  EXPECT_EQ(server.text(), "Subject: a\r\n\r\n..dot first\r\n...two\r\n..\r\nFrom here\r\nend\r\n");
}

TEST_F(Smtp, ALargeMailArrivesWhole) {
  const SmtpTestServer server({});
  OutgoingMail mail = kMail;
  mail.text = "Subject: b\r\n\r\n";
  while (mail.text.size() < 2'000'000) mail.text += std::to_string(mail.text.size()) + "\r\n";
  EXPECT_EQ(submit(server, 30s, mail), "sent");
  EXPECT_TRUE(server.text() == mail.text);
}

TEST_F(Smtp, RepliesDecide) {
  struct Case {
    const char* name;
    SmtpPlan plan;
    std::string want;  // SERVER stands for its address
  };
  const std::vector<Case> cases = {
      {"HELO will do", {{"EHLO", "502 unknown\r\n"}}, "sent"},
      {"251", {{"RCPT", "251 will forward\r\n"}}, "sent"},
      {"greeting 554", {{"greeting", "554 no service\r\n"}}, "temporary: SERVER: 554 no service"},
      {"greeting 421", {{"greeting", "421 busy\r\n"}}, "temporary: SERVER: 421 busy"},
      {"MAIL 550", {{"MAIL", "550 5.7.1 not you\r\n"}}, "temporary: SERVER: 550 5.7.1 not you"},
      {"MAIL 451", {{"MAIL", "451 4.3.0 disk\r\n"}}, "temporary: SERVER: 451 4.3.0 disk"},
      {"RCPT 550",
       {{"RCPT", "550 5.1.1 no such user\r\n"}},
       "temporary: SERVER: 550 5.1.1 no such user"},
      {"RCPT 450",
       {{"RCPT", "450 4.7.1 greylisted\r\n"}},
       "temporary: SERVER: 450 4.7.1 greylisted"},
      {"RCPT of several lines",
       {{"RCPT", "550-5.1.1 no such\r\n550 5.1.1 user\r\n"}},
       "temporary: SERVER: 550 5.1.1 user"},
      {"DATA 554", {{"DATA", "554 no\r\n"}}, "temporary: SERVER: 554 no"},
      {"text 550", {{"text", "550 5.6.0 spam\r\n"}}, "temporary: SERVER: 550 5.6.0 spam"},
      {"text 452", {{"text", "452 4.3.1 full\r\n"}}, "temporary: SERVER: 452 4.3.1 full"},
      {"hostile words",
       {{"RCPT", "550 a\x1b[31m\xff\r\n"}},
       "temporary: SERVER: 550 a\\x1b[31m\\xff"},
      {"TLS refused is no matter",
       {{"EHLO", "250-sink.test\r\n250 STARTTLS\r\n"}, {"STAR", "454 not now\r\n"}},
       "sent"},
      {"an old refusal does not count",
       {{"EHLO", "502 unknown\r\n"}, {"MAIL", kDrop}},
       "temporary: SERVER: "},
      {"words of QUIT are not the reason",
       {{"RCPT", "550 no such user\r\n"}, {"QUIT", "421 going\r\n"}},
       "temporary: SERVER: "},
      {"QUIT dropped", {{"QUIT", kDrop}}, "sent"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const SmtpTestServer server(c.plan);
    std::string want = c.want;
    if (const auto at = want.find("SERVER"); at != std::string::npos) {
      want.replace(at, 6, server.address());
    }
    const std::string got = submit(server);
    EXPECT_EQ(want.ends_with(": ") ? got.substr(0, want.size()) : got, want);
    EXPECT_EQ(got.find("421 going"), std::string::npos);
  }
}

TEST_F(Smtp, AServerThatGoesOrIsNotThereIsTemporary) {
  for (const char* command : {"greeting", "EHLO", "MAIL", "RCPT", "DATA", "text"}) {
    SCOPED_TRACE(command);
    const SmtpTestServer server({{command, kDrop}});
    const std::string got = submit(server);
    EXPECT_TRUE(got.starts_with("temporary: " + server.address() + ": ")) << got;
  }
  std::string nobody;
  {
    const SmtpTestServer server({});
    nobody = server.address();
  }
  const auto got = submit_mail({"", nobody, 30s}, kMail, kGoesOn);
  EXPECT_TRUE(words(got).starts_with("temporary: " + nobody + ": ")) << words(got);
}

TEST_F(Smtp, AServerThatHangsMeetsTheDeadline) {
  for (const char* command : {"greeting", "RCPT", "text"}) {
    SCOPED_TRACE(command);
    const SmtpTestServer server({{command, kHang}});
    const std::string got = submit(server, 1s);
    EXPECT_TRUE(got.starts_with("timeout: " + server.address() + ": ")) << got;
  }
  const SmtpTestServer server({{"QUIT", kHang}});
  EXPECT_EQ(submit(server, 1s), "sent");  // the mail was taken before
}

TEST_F(Smtp, AnEndlessReplyIsCut) {
  const SmtpTestServer server({{"RCPT", "550 " + std::string(10'000, 'e') + "\r\n"}});
  const std::string got = submit(server);
  EXPECT_TRUE(got.starts_with("temporary: " + server.address() + ": 550 eee")) << got;
  EXPECT_TRUE(got.ends_with("eee...")) << got;
  EXPECT_LT(got.size(), 500U);
}

TEST_F(Smtp, TheWordToStopEndsIt) {
  const SmtpTestServer server({{"RCPT", kHang}});
  std::atomic<bool> is_stopping = false;
  std::thread stopper([&] {
    while (server.commands().size() < 3) std::this_thread::sleep_for(1ms);
    is_stopping = true;
  });
  const auto got = submit_mail({"", server.address(), 60s}, kMail, is_stopping);
  stopper.join();
  EXPECT_EQ(words(got), "stopped: " + server.address() + ": stopped");
}

TEST_F(Smtp, NeitherEnvironmentNorUrlChangesTheServer) {
  const SmtpTestServer server({});
  const SmtpTestServer proxy({});
  const std::string proxy_url = "http://" + proxy.address();
  const char* names[] = {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "smtp_proxy"};
  for (const char* name : names) setenv(name, proxy_url.c_str(), 1);
  EXPECT_EQ(submit(server), "sent");
  for (const char* name : names) unsetenv(name);
  EXPECT_FALSE(proxy.is_connected());
  EXPECT_EQ(server.text().substr(0, 10), "Subject: a");

  const auto got = submit_mail({"", "me:secret@" + server.address(), 30s}, kMail, kGoesOn);
  EXPECT_FALSE(got.ok());
}

TEST_F(Smtp, AddressesAreCheckedOnceMore) {
  const SmtpTestServer server({});
  OutgoingMail mail = kMail;
  mail.to = "a@b.example>\r\nRCPT TO:<c@d.example";
  EXPECT_TRUE(submit(server, 30s, mail).starts_with("refused: '"));
  mail = kMail;
  mail.from = "-f@b.example";
  EXPECT_TRUE(submit(server, 30s, mail).starts_with("refused: '"));
  EXPECT_FALSE(server.is_connected());
}

}  // namespace
}  // namespace strictmx::reporting
