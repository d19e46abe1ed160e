// netstring_test.cc - netstrings as socketmap and the control socket frame with them.
#include "common/base/netstring.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace strictmx::base {
namespace {

using std::string_literals::operator""s;
using enum NetstringState;

constexpr std::size_t kMax = 100;

TEST(Netstring, FrameIsLengthColonBytesComma) {
  struct Case {
    const char* name;
    const char* rule;
    std::string input;
    NetstringState want;
    std::string payload = {};
    std::size_t consumed = 0;
  };
  const std::string hundred(kMax, 'x');
  const std::vector<Case> cases = {
      {"word", "length:bytes,", "5:hello,", kComplete, "hello", 8},
      {"empty", "0:,", "0:,", kComplete, "", 3},
      {"two digits", "length:bytes,", "12:hello world!,", kComplete, "hello world!", 16},
      {"more behind it", "the rest is left", "1:a,1:b,", kComplete, "a", 4},
      {"comma inside", "bytes are free", "3:a,b,", kComplete, "a,b", 6},
      {"frame inside", "bytes are free", "4:1:a,,", kComplete, "1:a,", 7},
      {"NUL and newline", "bytes are free", "3:\0\n\xFF,"s, kComplete, "\0\n\xFF"s, 6},
      {"longest", "max_payload", "100:" + hundred + ",", kComplete, hundred, 105},

      {"nothing", "may follow", "", kIncomplete},
      {"digit", "may follow", "5", kIncomplete},
      {"zero", "may follow", "0", kIncomplete},
      {"colon", "may follow", "5:", kIncomplete},
      {"part", "may follow", "5:hell", kIncomplete},
      {"no comma yet", "may follow", "5:hello", kIncomplete},
      {"empty, no comma yet", "may follow", "0:", kIncomplete},
      {"longest length", "max_payload", "100", kIncomplete},

      {"letter", "a digit begins it", "x", kMalformed},
      {"HTTP", "a digit begins it", "GET / HTTP/1.1\r\n", kMalformed},
      {"colon first", "a digit begins it", ":,", kMalformed},
      {"minus", "digits only", "-1:a,", kMalformed},
      {"plus", "digits only", "+1:a,", kMalformed},
      {"space first", "digits only", " 1:a,", kMalformed},
      {"space after length", "digits only", "1 :a,", kMalformed},
      {"newline first", "digits only", "\n1:a,", kMalformed},
      {"NUL in length", "digits only", "1\0:a,"s, kMalformed},
      {"hexadecimal", "digits only", "1a:x,", kMalformed},
      {"leading zero", "no leading zero", "01:a,", kMalformed},
      {"leading zero, early", "known at once", "01", kMalformed},
      {"two zeros", "no leading zero", "00:,", kMalformed},
      {"too short", "comma is missing", "4:hello,", kMalformed},
      {"semicolon for comma", "comma is missing", "5:hello;", kMalformed},
      {"empty, no comma", "comma is missing", "0:a", kMalformed},

      {"one over", "max_payload", "101:" + hundred, kTooLong},
      {"one over, early", "known before the colon", "101", kTooLong},
      {"huge", "no overflow", "99999999999999999999999999:", kTooLong},
      {"2^64 + 1", "no overflow", "18446744073709551617:a,", kTooLong},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.rule);
    const Netstring got = parse_netstring(c.input, kMax);
    EXPECT_EQ(got.state, c.want);
    EXPECT_EQ(got.payload, c.payload);
    EXPECT_EQ(got.consumed, c.consumed);
  }
}

TEST(Netstring, PayloadPointsIntoTheInput) {
  const std::string input = "3:abc,rest";
  const Netstring got = parse_netstring(input, kMax);
  ASSERT_EQ(got.state, kComplete);
  EXPECT_EQ(got.payload.data(), input.data() + 2);
}

TEST(Netstring, OnlyTheEmptyOneFitsWithoutPayload) {
  EXPECT_EQ(parse_netstring("0:,", 0).state, kComplete);
  EXPECT_EQ(parse_netstring("1:a,", 0).state, kTooLong);
}

TEST(Netstring, AppendedFramesAreReadBack) {
  std::string frames = "kept";
  const std::vector<std::string> payloads = {"", "a", "9:hostile,,", std::string(kMax, '\0')};
  for (const std::string& payload : payloads) append_netstring(frames, payload);
  std::string_view rest = frames;
  ASSERT_TRUE(rest.starts_with("kept0:,1:a,"));
  rest.remove_prefix(4);
  for (const std::string& payload : payloads) {
    const Netstring got = parse_netstring(rest, kMax);
    ASSERT_EQ(got.state, kComplete);
    EXPECT_EQ(got.payload, payload);
    rest.remove_prefix(got.consumed);
  }
  EXPECT_TRUE(rest.empty());
}

}  // namespace
}  // namespace strictmx::base
