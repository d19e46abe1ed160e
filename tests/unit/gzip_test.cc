// gzip_test.cc - compression of RFC 8460 §5.2 by RFC 1952, and its bounds.
#include "common/reporting/gzip.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace strictmx::reporting {
namespace {

constexpr std::size_t kMaxBytes = 4 * 1024 * 1024;

std::string zip(const std::string& text) {
  auto zipped = gzip(text);
  EXPECT_TRUE(zipped.ok());
  return zipped.ok() ? std::move(zipped).value() : std::string();
}

// Bytes that hardly compress; the same each time.
std::string noise(std::size_t bytes) {
  std::string out;
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < bytes; ++i) {
    state = state * 1664525 + 1013904223;
    out += static_cast<char>(state >> 24);
  }
  return out;
}

TEST(Rfc1952Gzip, HeaderIsFixed) {
  const std::string zipped = zip("{}\n");
  // §2.3: magic, deflate, no flags, no time, no extra flags, system unknown.
  EXPECT_EQ(zipped.substr(0, 10), std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10));
  EXPECT_EQ(zip("{}\n"), zipped);
  EXPECT_TRUE(is_gzip(zipped));
  EXPECT_FALSE(is_gzip("{}"));
  EXPECT_FALSE(is_gzip(""));
  EXPECT_FALSE(is_gzip("\x1f"));
}

TEST(Rfc1952Gzip, RoundTrip) {
  for (const std::string& text : {std::string(), std::string("{}"), std::string(70000, 'a'),
                                  noise(65536), noise(200000), std::string(5, '\0')}) {
    const auto back = gunzip(zip(text), kMaxBytes);
    ASSERT_TRUE(back.ok()) << back.error().detail;
    EXPECT_EQ(back.value(), text);
  }
}

TEST(Rfc1952Gzip, WhatIsBrokenIsRefused) {
  const std::string zipped = zip(noise(3000));
  const auto flipped = [&zipped](std::size_t at) {
    std::string bytes = zipped;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    return bytes;
  };
  std::string members;
  for (std::size_t i = 0; i < kMaxGzipMembers; ++i) members += zip("ab");
  struct Case {
    const char* name;
    std::string input;
    GzipError want;
  };
  const std::vector<Case> cases = {
      {"empty", "", GzipError::kNotGzip},
      {"JSON", "{}", GzipError::kNotGzip},
      {"zlib format", std::string("\x78\x9c\x03\x00\x00\x00\x00\x01", 8), GzipError::kNotGzip},
      {"magic alone", "\x1f\x8b", GzipError::kTruncated},
      {"other method", std::string("\x1f\x8b\x07\0\0\0\0\0\0\xff", 10), GzipError::kCorrupt},
      {"reserved flag", flipped(3).replace(3, 1, "\xE0"), GzipError::kCorrupt},
      {"checksum", flipped(zipped.size() - 5), GzipError::kCorrupt},
      {"length", flipped(zipped.size() - 1), GzipError::kCorrupt},
      {"text", flipped(zipped.size() / 2), GzipError::kCorrupt},
      {"cut in the trailer", zipped.substr(0, zipped.size() - 1), GzipError::kTruncated},
      {"cut in the text", zipped.substr(0, 100), GzipError::kTruncated},
      {"cut behind the header", zipped.substr(0, 10), GzipError::kTruncated},
      {"garbage behind", zipped + "x", GzipError::kTrailing},
      {"zeros behind", zipped + std::string(512, '\0'), GzipError::kTrailing},
      {"half a magic behind", zipped + "\x1f", GzipError::kTrailing},
      {"second member is cut", zipped + zipped.substr(0, 20), GzipError::kTruncated},
      {"second member is broken", zipped + flipped(zipped.size() - 5), GzipError::kCorrupt},
      {"too many members", members + zip("ab"), GzipError::kTooLarge},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto out = gunzip(c.input, kMaxBytes);
    ASSERT_FALSE(out.ok());
    EXPECT_EQ(out.error().code, c.want) << out.error().detail;
    EXPECT_EQ(out.error().detail.find("gzip: "), 0U);
  }
  // RFC 1952 §2.2: members follow each other.
  const auto all = gunzip(members, kMaxBytes);
  ASSERT_TRUE(all.ok()) << all.error().detail;
  EXPECT_EQ(all.value().size(), 2 * kMaxGzipMembers);
}

TEST(Rfc8460Sec7Gzip, OutputIsBounded) {
  const std::string zipped = zip(noise(100000));
  EXPECT_TRUE(gunzip(zipped, 100000).ok());
  const auto beyond = gunzip(zipped, 99999);
  ASSERT_FALSE(beyond.ok());
  EXPECT_EQ(beyond.error().code, GzipError::kTooLarge);
  EXPECT_TRUE(gunzip(zip(""), 0).ok());
  EXPECT_FALSE(gunzip(zip("a"), 0).ok());
  // Over several members too.
  EXPECT_TRUE(gunzip(zipped + zipped, 200000).ok());
  EXPECT_FALSE(gunzip(zipped + zipped, 199999).ok());
}

TEST(Rfc8460Sec7Gzip, BombsAreSeenByTheirRatio) {
  // Monotony up to a mebibyte is nobody's harm.
  EXPECT_TRUE(gunzip(zip(std::string(kRatioFreeBytes, ' ')), kMaxBytes).ok());
  const std::string bomb = zip(std::string(100 * 1024 * 1024, ' '));
  ASSERT_LT(bomb.size(), 200000U);
  const auto out = gunzip(bomb, 1024 * 1024 * 1024);
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().code, GzipError::kRatio);
  const auto small = gunzip(bomb, kRatioFreeBytes);
  ASSERT_FALSE(small.ok());
  EXPECT_EQ(small.error().code, GzipError::kTooLarge);
  // Two bombs, each of them within what is free.
  const std::string half = zip(std::string(kRatioFreeBytes / 2 + 1, ' '));
  EXPECT_FALSE(gunzip(half + half, kMaxBytes).ok());
  // Just below the ratio: noise makes up for the blanks.
  EXPECT_TRUE(gunzip(zip(noise(40000) + std::string(3 * 1024 * 1024, ' ')), kMaxBytes).ok());
}

}  // namespace
}  // namespace strictmx::reporting
