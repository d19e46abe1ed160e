// ip_address_test.cc - addresses as text and as the bytes of A and AAAA records.
#include "common/base/ip_address.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace strictmx::base {
namespace {

using std::string_literals::operator""s;

TEST(Rfc5952IpAddress, TextIsParsedAndWritten) {
  struct Case {
    const char* name;
    const char* rule;
    std::string input;
    std::optional<std::string> want;
  };
  const std::vector<Case> cases = {
      {"IPv4", "dotted", "192.0.2.1", "192.0.2.1"},
      {"lowest", "dotted", "0.0.0.0", "0.0.0.0"},
      {"highest", "dotted", "255.255.255.255", "255.255.255.255"},
      {"256", "one byte each", "192.0.2.256", std::nullopt},
      {"three parts", "four", "192.0.2", std::nullopt},
      {"five parts", "four", "192.0.2.1.1", std::nullopt},
      {"leading zero", "none", "192.0.02.1", std::nullopt},
      {"octal", "decimal", "0300.0.2.1", std::nullopt},
      {"hexadecimal", "decimal", "0xC0.0.2.1", std::nullopt},
      {"one number", "four", "3221225985", std::nullopt},
      {"final dot", "none", "192.0.2.1.", std::nullopt},
      {"port", "one plain address", "192.0.2.1:25", std::nullopt},
      {"prefix length", "one plain address", "192.0.2.0/24", std::nullopt},
      {"space first", "not trimmed", " 192.0.2.1", std::nullopt},
      {"newline last", "not trimmed", "192.0.2.1\n", std::nullopt},
      {"NUL last", "not cut", "192.0.2.1\0"s, std::nullopt},
      {"NUL and text", "not cut", "192.0.2.1\0.example"s, std::nullopt},

      {"IPv6", "RFC 5952 §4", "2001:db8::1", "2001:db8::1"},
      {"upper case", "lower case (§4.3)", "2001:DB8::ABCD", "2001:db8::abcd"},
      {"leading zeros", "left out (§4.1)", "2001:0db8:0000::0001", "2001:db8::1"},
      {"longest run", "shortened (§4.2.3)", "2001:db8:0:0:1:0:0:0", "2001:db8:0:0:1::"},
      {"all zeros", "::", "0:0:0:0:0:0:0:0", "::"},
      {"loopback", "::1", "::1", "::1"},
      {"all parts", "nothing to shorten", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
      {"IPv4-mapped", "mixed text (§5)", "::ffff:192.0.2.1", "::ffff:192.0.2.1"},
      {"longest text", "45 characters", "0000:0000:0000:0000:0000:ffff:255.255.255.255",
       "::ffff:255.255.255.255"},
      {"46 characters", "too long", "0000:0000:0000:0000:0000:ffff:255.255.255.2550", std::nullopt},
      {"nine parts", "eight", "1:2:3:4:5:6:7:8:9", std::nullopt},
      {"seven parts", "eight", "1:2:3:4:5:6:7", std::nullopt},
      {"two runs", "one ::", "1::2::3", std::nullopt},
      {"five digits", "four a part", "2001:db8::12345", std::nullopt},
      {"single colon first", "::", ":1", std::nullopt},
      {"brackets", "one plain address", "[2001:db8::1]", std::nullopt},
      {"zone", "one plain address", "fe80::1%eth0", std::nullopt},
      {"tag of RFC 5321", "one plain address", "IPv6:2001:db8::1", std::nullopt},
      {"empty", "an address", "", std::nullopt},
      {"name", "an address", "mail.example.com", std::nullopt},
      {"megabyte", "too long", std::string(1 << 20, '1'), std::nullopt},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    const auto address = IpAddress::parse(c.input);
    EXPECT_EQ(address.has_value(), c.want.has_value());
    if (!address.has_value() || !c.want.has_value()) continue;
    EXPECT_EQ(address->text(), *c.want);
    EXPECT_EQ(address->is_ipv6(), c.want->find(':') != std::string::npos);
    EXPECT_EQ(IpAddress::parse(address->text()), address);
  }
}

TEST(IpAddress, DefaultTextIsNoAddress) {
  EXPECT_FALSE(IpAddress::parse(std::string_view()).has_value());
}

TEST(IpAddress, BytesAreThoseOfARecord) {
  const std::array<std::uint8_t, 4> a = {192, 0, 2, 1};
  const auto ipv4 = IpAddress::from_bytes(a);
  ASSERT_TRUE(ipv4.has_value());
  EXPECT_EQ(ipv4->text(), "192.0.2.1");
  EXPECT_FALSE(ipv4->is_ipv6());
  EXPECT_EQ(ipv4, IpAddress::parse("192.0.2.1"));

  const std::array<std::uint8_t, 16> aaaa = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
                                             0,    0,    0,    0,    0, 0, 0, 1};
  const auto ipv6 = IpAddress::from_bytes(aaaa);
  ASSERT_TRUE(ipv6.has_value());
  EXPECT_EQ(ipv6->text(), "2001:db8::1");
  EXPECT_TRUE(ipv6->is_ipv6());
  EXPECT_EQ(ipv6, IpAddress::parse("2001:db8::1"));

  for (const std::size_t size : {0, 1, 3, 5, 15, 17}) {
    SCOPED_TRACE(size);
    const std::vector<std::uint8_t> bytes(size, 1);
    EXPECT_FALSE(IpAddress::from_bytes(bytes).has_value());
  }
}

TEST(IpAddress, Ipv4IsNotEqualToIpv6OfTheSameBytes) {
  EXPECT_NE(IpAddress::parse("0.0.0.0"), IpAddress::parse("::"));
  EXPECT_NE(IpAddress::parse("32.1.13.184"), IpAddress::parse("2001:db8::"));
  EXPECT_NE(IpAddress::parse("192.0.2.1"), IpAddress::parse("::ffff:192.0.2.1"));
}

}  // namespace
}  // namespace strictmx::base
