// control_request_test.cc - requests of the control socket, and the admin HTTP's Host check.
#include <gtest/gtest.h>

#include <string>

#include "common/service/admin_http.h"
#include "common/service/control_server.h"

namespace strictmx::service {
namespace {

TEST(ControlRequest, IsOneJsonObjectWithACommand) {
  struct Case {
    const char* name;
    std::string payload;
    bool want;
  };
  const Case cases[] = {
      {"command", R"({"command":"policies.list"})", true},
      {"arguments", R"({"command":"explain","domain":"example.com"})", true},
      {"eight levels", R"({"command":"x","a":[[[[[[[1]]]]]]]})", true},
      {"nine levels", R"({"command":"x","a":[[[[[[[[1]]]]]]]]})", false},
      {"brackets inside a text", R"({"command":"x","a":"[[[[[[[[[[[["})", true},
      {"escaped quote inside a text", R"({"command":"x","a":"\"[[[[[[[[[["})", true},
      {"empty", "", false},
      {"no object", "[1]", false},
      {"no command", R"({"domain":"example.com"})", false},
      {"command is no text", R"({"command":1})", false},
      {"the same key twice", R"({"command":"a","command":"b"})", false},
      {"cut short", R"({"command":"a")", false},
      {"more after it", R"({"command":"a"} {"command":"b"})", false},
      {"not UTF-8", "{\"command\":\"\xff\"}", false},
      {"NUL", std::string("{\"command\":\"a\0\"}", 15), false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto request = read_control_request(c.payload);
    EXPECT_EQ(request.ok(), c.want) << (request.ok() ? "" : request.error().detail);
  }
}

TEST(ControlRequest, MembersAreTyped) {
  const auto request = read_control_request(R"({"command":"x","domain":"a.b","limit":7})");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request.value().text("domain"), "a.b");
  EXPECT_EQ(request.value().text("limit"), std::nullopt);
  EXPECT_EQ(request.value().number("limit"), 7);
  EXPECT_EQ(request.value().number("domain"), std::nullopt);
}

TEST(AdminHost, IsTheLoopbackOrWhatIsListenedOn) {
  struct Case {
    const char* host;
    const char* address;
    bool want;
  };
  const Case cases[] = {
      {"127.0.0.1:8462", "127.0.0.1:8462", true},
      {"localhost", "127.0.0.1:8462", true},
      {"[::1]:8462", "[::1]:8462", true},
      {"192.0.2.7:8462", "192.0.2.7:8462", true},
      {"192.0.2.7", "192.0.2.7:8462", true},
      {"evil.example:8462", "127.0.0.1:8462", false},
      {"", "127.0.0.1:8462", false},
      {"127.0.0.1.evil.example", "127.0.0.1:8462", false},
      {"localhost.evil.example", "[::]:80", false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    EXPECT_EQ(is_admin_host(c.host, c.address), c.want);
  }
}

}  // namespace
}  // namespace strictmx::service
