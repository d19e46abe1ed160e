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

TEST(Rfc6890IpAddress, SpecialPurposeIsNotPublic) {
  struct Case {
    const char* rule;
    std::vector<const char*> is_not;  // first and last of the block, and what lies between
    std::vector<const char*> is;      // the neighbours
  };
  const std::vector<Case> cases = {
      {"this network", {"0.0.0.0", "0.0.0.1", "0.255.255.255"}, {"1.0.0.0"}},
      {"RFC 1918 10/8", {"10.0.0.0", "10.255.255.255"}, {"9.255.255.255", "11.0.0.0"}},
      {"RFC 6598", {"100.64.0.0", "100.127.255.255"}, {"100.63.255.255", "100.128.0.0"}},
      {"loopback", {"127.0.0.0", "127.0.0.1", "127.255.255.255"}, {"126.255.255.255", "128.0.0.0"}},
      {"link-local",
       {"169.254.0.0", "169.254.169.254", "169.254.255.255"},
       {"169.253.255.255", "169.255.0.0"}},
      {"RFC 1918 172.16/12", {"172.16.0.0", "172.31.255.255"}, {"172.15.255.255", "172.32.0.0"}},
      {"IETF protocols",
       {"192.0.0.0", "192.0.0.9", "192.0.0.255"},
       {"191.255.255.255", "192.0.1.0"}},
      {"TEST-NET-1", {"192.0.2.0", "192.0.2.255"}, {"192.0.1.255", "192.0.3.0"}},
      {"6to4 relays", {"192.88.99.0", "192.88.99.255"}, {"192.88.98.255", "192.88.100.0"}},
      {"RFC 1918 192.168/16",
       {"192.168.0.0", "192.168.255.255"},
       {"192.167.255.255", "192.169.0.0"}},
      {"benchmarking", {"198.18.0.0", "198.19.255.255"}, {"198.17.255.255", "198.20.0.0"}},
      {"TEST-NET-2", {"198.51.100.0", "198.51.100.255"}, {"198.51.99.255", "198.51.101.0"}},
      {"TEST-NET-3", {"203.0.113.0", "203.0.113.255"}, {"203.0.112.255", "203.0.114.0"}},
      {"multicast", {"224.0.0.0", "224.0.0.1", "239.255.255.255"}, {"223.255.255.255"}},
      {"reserved", {"240.0.0.0", "254.1.2.3", "255.255.255.254"}, {}},
      {"broadcast", {"255.255.255.255"}, {}},
      {"public", {}, {"8.8.8.8", "193.0.14.129", "100.1.1.1", "172.217.0.1", "198.41.0.4"}},

      {"unspecified", {"::"}, {}},
      {"loopback IPv6", {"::1"}, {}},
      {"compatible", {"::8.8.8.8", "::10.0.0.1"}, {}},
      {"mapped", {"::ffff:8.8.8.8", "::ffff:10.0.0.1", "::ffff:127.0.0.1"}, {}},
      {"translated", {"::ffff:0:8.8.8.8"}, {}},
      {"NAT64, as the one inside",
       {"64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::192.168.1.1", "64:ff9b::0.0.0.0"},
       {"64:ff9b::8.8.8.8"}},
      {"beside NAT64", {"64:ff9b::1:808:808", "64:ff9b:1::808:808", "64:ff9a::808:808"}, {}},
      {"discard", {"100::", "100::ffff:ffff:ffff:ffff"}, {}},
      {"before global unicast", {"1fff:ffff::1"}, {"2000::"}},
      {"after global unicast", {"4000::"}, {"3ffe::1"}},
      {"Teredo", {"2001::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:ffff::"}, {}},
      {"IETF protocols IPv6",
       {"2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"},
       {"2001:200::", "2000:ffff:ffff::1"}},
      {"documentation IPv6",
       {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
       {"2001:db7:ffff::1", "2001:db9::"}},
      {"6to4",
       {"2002::", "2002:a00:1::1", "2002:808:808::1", "2002:ffff::"},
       {"2001:ffff::1", "2003::"}},
      {"documentation, RFC 9637", {"3fff::", "3fff:fff:ffff::1"}, {"3ffe:ffff::1", "3fff:1000::"}},
      {"SRv6", {"5f00::1"}, {}},
      {"unique-local", {"fc00::", "fd12:3456::1", "fdff:ffff::1"}, {}},
      {"link-local IPv6", {"fe80::", "fe80::1", "febf:ffff::1"}, {}},
      {"site-local", {"fec0::1", "feff::1"}, {}},
      {"multicast IPv6", {"ff00::", "ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, {}},
      {"public IPv6", {}, {"2a00:1450:4001::1", "2606:4700:4700::1111", "2001:500:2f::f"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.rule);
    for (const char* text : c.is_not) {
      const auto address = IpAddress::parse(text);
      ASSERT_TRUE(address.has_value()) << text;
      EXPECT_FALSE(address->is_public()) << text;
    }
    for (const char* text : c.is) {
      const auto address = IpAddress::parse(text);
      ASSERT_TRUE(address.has_value()) << text;
      EXPECT_TRUE(address->is_public()) << text;
    }
  }
}

}  // namespace
}  // namespace strictmx::base
