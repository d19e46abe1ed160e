// question_key_test.cc - what Postfix asks with (smtp_tls_policy_maps, TLS_README).
#include "common/service/question_key.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace strictmx::service {
namespace {

struct Case {
  const char* name;
  std::string key;
  std::optional<std::string> want;  // the domain
  bool is_bracketed = false;
  int port = 25;
};

TEST(QuestionKey, IsAPolicyDomainOrNothing) {
  const Case cases[] = {
      {"next-hop", "example.com", "example.com"},
      {"letter case as the sender typed it", "ExAmple.COM", "example.com"},
      {"final dot", "example.com.", "example.com"},
      {"one label", "localhost", "localhost"},
      {"smart host", "[relay.example.com]", "relay.example.com", true},
      {"smart host with port", "[relay.example.com]:587", "relay.example.com", true, 587},
      {"smart host with service", "[relay.example.com]:submission", "relay.example.com", true, 587},
      {"service that is none", "[relay.example.com]:no-such-service", std::nullopt},
      {"port 0", "example.com:0", std::nullopt},
      {"highest port", "example.com:65535", "example.com", false, 65535},
      {"port above", "example.com:65536", std::nullopt},
      {"negative port", "example.com:-1", std::nullopt},
      {"next-hop with port", "example.com:2525", "example.com", false, 2525},
      {"U-label",
       "b\xC3\xBC"
       "cher.example",
       "xn--bcher-kva.example"},
      {"U-label in capitals",
       "B\xC3\x9C"
       "CHER.example",
       "xn--bcher-kva.example"},
      {"A-label in capitals", "XN--BCHER-KVA.example", "xn--bcher-kva.example"},
      {"parent domain, RFC 8461 §3.4", ".example.com", std::nullopt},
      {"parent of all", ".com", std::nullopt},
      {"empty", "", std::nullopt},
      {"dot", ".", std::nullopt},
      {"empty brackets", "[]", std::nullopt},
      {"IPv4, RFC 8461 §3.4", "192.0.2.1", std::nullopt},
      {"IPv4 in brackets", "[192.0.2.1]", std::nullopt},
      {"IPv4 in brackets with port", "[192.0.2.1]:25", std::nullopt},
      {"IPv4 with port", "192.0.2.1:25", std::nullopt},
      {"IPv6", "2001:db8::1", std::nullopt},
      {"IPv6 in brackets", "[2001:db8::1]", std::nullopt},
      {"IPv6 as Postfix writes it", "[ipv6:2001:db8::1]:25", std::nullopt},
      {"no closing bracket", "[example.com", std::nullopt},
      {"text after the bracket", "[example.com]x", std::nullopt},
      {"no port after the colon", "example.com:", std::nullopt},
      {"blank", "example.com x", std::nullopt},
      {"two dots", "example..com", std::nullopt},
      {"hostile bytes", "exa\x01mple.com", std::nullopt},
      {"invalid UTF-8", "ex\xC3\x28mple.com", std::nullopt},
      {"NUL", std::string("exam\0ple.com", 12), std::nullopt},
      {"CR LF", "example.com\r\n", std::nullopt},
      {"brace", "{example.com}", std::nullopt},
      {"label of 63", std::string(63, 'a') + ".example", std::string(63, 'a') + ".example"},
      {"label of 64", std::string(64, 'a') + ".example", std::nullopt},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto key = read_question_key(c.key);
    EXPECT_EQ(key.has_value(), c.want.has_value());
    if (!key.has_value() || !c.want.has_value()) continue;
    EXPECT_EQ(key->domain.text(), c.want);
    EXPECT_EQ(key->is_bracketed, c.is_bracketed);
    EXPECT_EQ(key->port, c.port);
  }
}

}  // namespace
}  // namespace strictmx::service
