// dns_message_test.cc - DNS messages in wire format (RFC 1035 §4), whole and broken.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/dns/message.h"

namespace strictmx::dns {
namespace {

using Bytes = std::vector<std::uint8_t>;

class Wire {
 public:
  Wire(int rcode, int answers, int authorities) {
    put16(0x1234);
    put16(0x8180 | rcode);
    put16(1);
    put16(answers);
    put16(authorities);
    put16(0);
    name({"a", "example"});
    put16(16);
    put16(1);
  }
  Wire& name(const std::vector<std::string>& labels) {
    for (const std::string& label : labels) {
      bytes.push_back(static_cast<std::uint8_t>(label.size()));
      bytes.insert(bytes.end(), label.begin(), label.end());
    }
    bytes.push_back(0);
    return *this;
  }
  Wire& record(int type, unsigned ttl, const Bytes& data) {
    return record({"a", "example"}, type, ttl, data);
  }
  Wire& record(const std::vector<std::string>& owner, int type, unsigned ttl, const Bytes& data) {
    name(owner);
    put16(type);
    put16(1);
    put16(static_cast<int>(ttl >> 16));
    put16(static_cast<int>(ttl & 0xffff));
    put16(static_cast<int>(data.size()));
    bytes.insert(bytes.end(), data.begin(), data.end());
    return *this;
  }
  void put16(int value) {
    bytes.push_back(static_cast<std::uint8_t>(value >> 8));
    bytes.push_back(static_cast<std::uint8_t>(value & 0xff));
  }
  Bytes bytes;
};

Bytes text(const std::vector<std::string>& strings) {
  Bytes data;
  for (const std::string& one : strings) {
    data.push_back(static_cast<std::uint8_t>(one.size()));
    data.insert(data.end(), one.begin(), one.end());
  }
  return data;
}

// RFC 8461 §3.1: several strings are joined without a space.
TEST(DnsMessage, TextStringsAreJoined) {
  Wire wire(0, 2, 0);
  wire.record(16, 300, text({"v=STSv1; ", "id=1;"})).record(16, 60, text({"other"}));
  const auto message = read_message(wire.bytes, RecordType::kTxt);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->texts, (std::vector<std::string>{"v=STSv1; id=1;", "other"}));
  EXPECT_EQ(message->ttl, 60u);
}

TEST(DnsMessage, TextWithNulAndEmptyStringsIsKept) {
  Wire wire(0, 1, 0);
  wire.record(16, 1, text({std::string("a\0b", 3), "", "c"}));
  const auto message = read_message(wire.bytes, RecordType::kTxt);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->texts.at(0), std::string("a\0bc", 4));
}

TEST(DnsMessage, CnamesOnTheWayLimitTheTtl) {
  Wire wire(0, 2, 0);
  Bytes target = {1, 'b', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0};
  wire.record(5, 30, target).record(16, 3600, text({"x"}));
  const auto message = read_message(wire.bytes, RecordType::kTxt);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->texts.size(), 1u);
  EXPECT_EQ(message->ttl, 30u);
}

// RFC 6698 §2.1: three numbers and the data.
TEST(DnsMessage, TlsaRecordsAreRead) {
  Wire wire(0, 2, 0);
  wire.record(52, 300, {3, 1, 1, 0xab, 0x00}).record(52, 60, {2, 0, 2});
  const auto message = read_message(wire.bytes, RecordType::kTlsa);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->tlsa.at(0), (TlsaRecord{3, 1, 1, std::string("\xab\0", 2)}));
  EXPECT_EQ(message->tlsa.at(1), (TlsaRecord{2, 0, 2, ""}));
  EXPECT_TRUE(message->has_records());
  Wire cut(0, 1, 0);
  cut.record(52, 300, {3, 1});
  EXPECT_FALSE(read_message(cut.bytes, RecordType::kTlsa).has_value());
}

TEST(DnsMessage, EndOfAnAliasChainIsTold) {
  const Bytes b = {1, 'b', 7, 'E', 'X', 'a', 'm', 'p', 'l', 'e', 0};
  const Bytes c = {1, 'c', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0};
  Wire chain(0, 3, 0);
  chain.record({"b", "Example"}, 5, 300, c)
      .record(5, 300, b)
      .record({"c", "example"}, 1, 300, {192, 0, 2, 1});
  const auto message = read_message(chain.bytes, RecordType::kA);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->alias_target, "c.example");
  EXPECT_EQ(message->addresses.size(), 1u);
  Wire none(0, 1, 0);
  none.record(1, 300, {192, 0, 2, 1});
  EXPECT_EQ(read_message(none.bytes, RecordType::kA)->alias_target, "");
  // A circle ends.
  const Bytes a = {1, 'a', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0};
  Wire circle(0, 2, 0);
  circle.record(5, 300, b).record({"b", "example"}, 5, 300, a);
  EXPECT_TRUE(read_message(circle.bytes, RecordType::kA).has_value());
}

TEST(DnsMessage, CnameAskedForIsARecord) {
  const Bytes target = {1, 'B', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0};
  Wire wire(0, 1, 0);
  wire.record(5, 300, target);
  const auto message = read_message(wire.bytes, RecordType::kCname);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->cnames, std::vector<std::string>{"b.example"});
}

TEST(DnsMessage, MxHostsAreSortedAndLowerCase) {
  Wire wire(0, 3, 0);
  wire.record(15, 60, {0, 20, 2, 'M', 'X', 0}).record(15, 60, {0, 10, 1, 'b', 0});
  wire.record(15, 60, {0, 0, 0});
  const auto message = read_message(wire.bytes, RecordType::kMx);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->mx, (std::vector<MxRecord>{{0, ""}, {10, "b"}, {20, "mx"}}));
}

TEST(DnsMessage, AddressesOfBothFamilies) {
  Wire wire(0, 2, 0);
  wire.record(1, 60, {192, 0, 2, 1}).record(1, 60, {192, 0, 2, 2});
  const auto message = read_message(wire.bytes, RecordType::kA);
  ASSERT_TRUE(message.has_value());
  ASSERT_EQ(message->addresses.size(), 2u);
  EXPECT_EQ(message->addresses[0].text(), "192.0.2.1");
}

// RFC 2308 §5: the lesser of the SOA's TTL and its MINIMUM.
TEST(DnsMessage, AbsenceLivesByTheSoa) {
  struct Case {
    const char* name;
    unsigned ttl;
    std::uint8_t minimum;
    std::uint32_t want;
  };
  const Case cases[] = {{"MINIMUM is less", 3600, 120, 120}, {"TTL is less", 60, 120, 60}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Wire wire(3, 0, 1);
    Bytes soa = {1, 'n', 0, 1, 'h', 0};
    soa.insert(soa.end(), 16, 0);
    soa.insert(soa.end(), {0, 0, 0, c.minimum});
    wire.record(6, c.ttl, soa);
    const auto message = read_message(wire.bytes, RecordType::kTxt);
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->rcode, 3);
    EXPECT_EQ(message->ttl, c.want);
  }
}

TEST(DnsMessage, BrokenMessagesAreRefused) {
  Wire whole(0, 1, 0);
  whole.record(16, 300, text({"v=STSv1; id=1;"}));
  for (std::size_t length = 0; length < whole.bytes.size(); ++length) {
    SCOPED_TRACE(length);
    const Bytes cut(whole.bytes.begin(), whole.bytes.begin() + static_cast<long>(length));
    EXPECT_FALSE(read_message(cut, RecordType::kTxt).has_value());
  }
  Wire overlong(0, 1, 0);
  overlong.record(16, 300, {200, 'x'});  // a string that ends beyond its record
  EXPECT_FALSE(read_message(overlong.bytes, RecordType::kTxt).has_value());
  Wire short_address(0, 1, 0);
  short_address.record(1, 300, {192, 0, 2});
  EXPECT_FALSE(read_message(short_address.bytes, RecordType::kA).has_value());
  Wire many(0, 2000, 0);
  for (int i = 0; i < 2000; ++i) many.record(16, 1, text({"x"}));
  EXPECT_FALSE(read_message(many.bytes, RecordType::kTxt).has_value());
}

}  // namespace
}  // namespace strictmx::dns
