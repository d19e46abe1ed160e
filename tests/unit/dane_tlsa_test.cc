// dane_tlsa_test.cc - which TLSA records can be used for SMTP (RFC 6698 §2.1, RFC 7671, RFC 7672
// §3.1).
#include <gtest/gtest.h>

#include <string>

#include "common/dane/tlsa.h"

namespace strictmx::dane {
namespace {

std::string der_sequence(std::size_t content_bytes) {
  std::string out = "\x30";
  if (content_bytes < 128) {
    out += static_cast<char>(content_bytes);
  } else if (content_bytes < 256) {
    out += "\x81";
    out += static_cast<char>(content_bytes);
  } else {
    out += "\x82";
    out += static_cast<char>(content_bytes >> 8U);
    out += static_cast<char>(content_bytes & 0xffU);
  }
  return out + std::string(content_bytes, 'x');
}

TEST(Rfc7672Sec31Tlsa, UseFollowsTheNumbersAndTheForm) {
  const std::string digest256(32, 'a');
  const std::string digest512(64, 'a');
  struct Case {
    const char* name;
    dns::TlsaRecord record;
    TlsaUse want;
  };
  const Case cases[] = {
      {"3 1 1", {3, 1, 1, digest256}, TlsaUse::kUsable},
      {"3 0 1", {3, 0, 1, digest256}, TlsaUse::kUsable},
      {"3 1 2", {3, 1, 2, digest512}, TlsaUse::kUsable},
      {"2 0 1", {2, 0, 1, digest256}, TlsaUse::kUsable},
      {"2 1 2", {2, 1, 2, digest512}, TlsaUse::kUsable},
      {"3 0 0, short form", {3, 0, 0, der_sequence(127)}, TlsaUse::kUsable},
      {"3 0 0, one length byte", {3, 0, 0, der_sequence(128)}, TlsaUse::kUsable},
      {"2 0 0, two length bytes", {2, 0, 0, der_sequence(1000)}, TlsaUse::kUsable},
      {"3 1 0", {3, 1, 0, der_sequence(91)}, TlsaUse::kUsable},

      {"PKIX-TA, RFC 7672 §3.1.3", {0, 0, 1, digest256}, TlsaUse::kUsage},
      {"PKIX-EE, RFC 7672 §3.1.3", {1, 1, 1, digest256}, TlsaUse::kUsage},
      {"unassigned usage", {4, 1, 1, digest256}, TlsaUse::kUsage},
      {"private usage", {255, 1, 1, digest256}, TlsaUse::kUsage},
      {"unassigned selector", {3, 2, 1, digest256}, TlsaUse::kSelector},
      {"private selector", {3, 255, 1, digest256}, TlsaUse::kSelector},
      {"unassigned matching type", {3, 1, 3, digest256}, TlsaUse::kMatchingType},
      {"private matching type", {3, 1, 255, digest256}, TlsaUse::kMatchingType},
      {"SHA2-256 with 31 bytes", {3, 1, 1, std::string(31, 'a')}, TlsaUse::kData},
      {"SHA2-256 with 33 bytes", {3, 1, 1, std::string(33, 'a')}, TlsaUse::kData},
      {"SHA2-512 with 32 bytes", {3, 1, 2, digest256}, TlsaUse::kData},
      {"SHA2-512 with 65 bytes", {3, 1, 2, std::string(65, 'a')}, TlsaUse::kData},
      {"SHA2-256, empty", {3, 1, 1, ""}, TlsaUse::kData},
      {"whole, empty", {3, 0, 0, ""}, TlsaUse::kData},
      {"whole, no SEQUENCE", {3, 0, 0, "\x31\x01x"}, TlsaUse::kData},
      {"whole, cut", {3, 0, 0, der_sequence(200).substr(0, 200)}, TlsaUse::kData},
      {"whole, with a byte too many", {3, 0, 0, der_sequence(200) + "x"}, TlsaUse::kData},
      {"whole, length without bytes", {3, 0, 0, "\x30\x82"}, TlsaUse::kData},
      {"whole, indefinite length", {3, 0, 0, std::string("\x30\x80\0\0", 4)}, TlsaUse::kData},
      {"whole, three length bytes", {3, 0, 0, "\x30\x83xxx"}, TlsaUse::kData},
      {"whole, one byte", {3, 0, 0, "\x30"}, TlsaUse::kData},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(tlsa_use(c.record), c.want);
    EXPECT_FALSE(tlsa_use_name(c.want).empty());
  }
}

// RFC 8460 §4.5: the record as text, the data in hexadecimal without blanks.
TEST(Rfc8460Sec45Tlsa, TextIsThatOfReports) {
  EXPECT_EQ(tlsa_text({3, 1, 1, std::string("\x00\x9f\xa0\xff", 4)}), "3 1 1 009fa0ff");
  EXPECT_EQ(tlsa_text({255, 0, 2, ""}), "255 0 2 ");
}

TEST(Rfc7672Sec223Tlsa, NameHasPortAndProtocol) {
  EXPECT_EQ(tlsa_name(25, "mx.example.com"), "_25._tcp.mx.example.com");
  EXPECT_EQ(tlsa_name(587, "mx.example.com"), "_587._tcp.mx.example.com");
}

}  // namespace
}  // namespace strictmx::dane
