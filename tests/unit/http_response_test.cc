// http_response_test.cc - HTTP answers as bytes, whole and in pieces, to values and failures.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/http/response_reader.h"

namespace strictmx::http {
namespace {

using std::string_literals::operator""s;

constexpr ReadLimits kLimits{.max_header_bytes = 200, .max_body_bytes = 10};

// "more", "STATUS [TYPE] BODY" or "ERROR: WHY", with the input given in pieces of that size.
std::string outcome(std::string_view input, std::size_t piece, bool is_ended) {
  ResponseReader reader(kLimits);
  ReadState state = ReadState::kMore;
  while (!input.empty() && state == ReadState::kMore) {
    const std::size_t count = std::min(piece, input.size());
    state = reader.read(input.substr(0, count));
    input.remove_prefix(count);
  }
  if (is_ended && state == ReadState::kMore) state = reader.end();
  if (state == ReadState::kMore) return "more";
  if (state == ReadState::kFailed) {
    return std::string(http_error_name(reader.failure().code)) + ": " + reader.failure().detail;
  }
  const HttpResponse response = reader.take();
  return std::to_string(response.status) + " [" + response.content_type + "] " + response.body;
}

TEST(Rfc9112ResponseReader, AnswersAreReadAsFramed) {
  struct Case {
    const char* name;
    const char* rule;
    std::string input;
    std::string want;  // before the end of the stream; "more" where it must go on
    std::string want_at_end;
  };
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string cut = "protocol: answer is cut short in its headers";
  const std::vector<Case> cases = {
      {"length", "§6.2", ok + "Content-Length: 3\r\n\r\nabc", "200 [] abc", ""},
      {"what follows", "left alone", ok + "Content-Length: 3\r\n\r\nabcdef", "200 [] abc", ""},
      {"at the limit", "10 bytes", ok + "Content-Length: 10\r\n\r\n0123456789", "200 [] 0123456789",
       ""},
      {"over the limit", "10 bytes", ok + "Content-Length: 11\r\n\r\n",
       "too-large: answer is over 10 bytes", ""},
      {"no reason phrase", "§4", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200 [] ", ""},
      {"HTTP/1.0", "§2.3", "HTTP/1.0 404 No\r\n\r\nabc", "more", "404 [] abc"},
      {"bare LF", "§2.2 allows it", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", "200 [] x", ""},
      {"to the end", "§6.3 rule 8", ok + "\r\nabc", "more", "200 [] abc"},
      {"to the end, at the limit", "10 bytes", ok + "\r\n0123456789", "more", "200 [] 0123456789"},
      {"to the end, over it", "10 bytes", ok + "\r\n01234567890",
       "too-large: answer is over 10 bytes", ""},
      {"204", "no body", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", "204 [] ", ""},
      {"304", "no body", "HTTP/1.1 304 No\r\n\r\n", "304 [] ", ""},
      {"folded type", "§5.2", ok + "Content-Type: text/plain;\r\n \t charset=x\r\n\r\n", "more",
       "200 [text/plain; charset=x] "},
      {"two types", "the first", ok + "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n", "more",
       "200 [a/b] "},
      {"equal lengths", "one", ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", "200 [] x",
       ""},

      {"chunks", "§7.1", chunked + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "200 [] abcde", ""},
      {"extension", "§7.1.1", chunked + "3;a=b\r\nabc\r\n0;c\r\n\r\n", "200 [] abc", ""},
      {"trailer", "§7.1.2", chunked + "3\r\nabc\r\n0\r\nA: b\r\n\r\n", "200 [] abc", ""},
      {"upper-case size", "hexadecimal", chunked + "A\r\n0123456789\r\n0\r\n\r\n",
       "200 [] 0123456789", ""},
      {"chunks beat length", "§6.3 rule 3",
       ok + "Content-Length: 9\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
       "200 [] x", ""},
      {"chunks over the limit", "10 bytes", chunked + "9\r\n012345678\r\n2\r\n",
       "too-large: answer is over 10 bytes", ""},
      {"huge chunk", "64 bits", chunked + "ffffffffffffffff\r\n",
       "too-large: answer is over 10 bytes", ""},
      {"chunk of 17 digits", "no size has", chunked + "00000000000000001\r\nx\r\n",
       "protocol: a chunk of the answer has no size", ""},
      {"chunk without a size", "§7.1", chunked + ";a\r\n",
       "protocol: a chunk of the answer has no size", ""},
      {"chunk with a sign", "§7.1", chunked + "-1\r\n",
       "protocol: a chunk of the answer has no size", ""},
      {"chunk with 0x", "§7.1", chunked + "0x1\r\n", "protocol: a chunk of the answer has no size",
       ""},
      {"chunk longer than told", "§7.1", chunked + "1\r\nxy\r\n",
       "protocol: a chunk is not of the size told", ""},
      {"endless chunk size", "bounded", chunked + std::string(300, '0'),
       "too-large: headers are over 200 bytes", ""},
      {"endless extension", "bounded", chunked + "1;" + std::string(300, 'x'),
       "too-large: headers are over 200 bytes", ""},
      {"endless trailers", "bounded", chunked + "0\r\nX: " + std::string(300, 'x'),
       "too-large: headers are over 200 bytes", ""},
      {"chunks, cut", "§8", chunked + "3\r\nabc\r\n", "more",
       "protocol: answer is cut short after 3 bytes of its body"},
      {"last chunk, cut", "§8", chunked + "3\r\nabc\r\n0\r\n", "more",
       "protocol: answer is cut short after 3 bytes of its body"},
      {"length, cut", "§8", ok + "Content-Length: 3\r\n\r\nab", "more",
       "protocol: answer is cut short after 2 bytes of its body"},

      {"interim", "RFC 9110 §15.2", "HTTP/1.1 103 x\r\nContent-Length: 9\r\n\r\n" + ok + "\r\nabc",
       "more", "200 [] abc"},
      {"interim alone", "no answer", "HTTP/1.1 100 Continue\r\n\r\n", "more", cut},
      {"switching", "never asked for", "HTTP/1.1 101 x\r\n\r\n",
       "protocol: answer changes the protocol unasked (101)", ""},
      {"nine interims", "8",
       "HTTP/1.1 100\r\n\r\nHTTP/1.1 100\r\n\r\nHTTP/1.1 100\r\n\r\nHTTP/1.1 100\r\n\r\n"
       "HTTP/1.1 100\r\n\r\nHTTP/1.1 100\r\n\r\nHTTP/1.1 100\r\n\r\nHTTP/1.1 100\r\n\r\n"
       "HTTP/1.1 100\r\n\r\n",
       "protocol: answer has too many interim answers (1xx)", ""},
      {"headers over the limit", "200 bytes", ok + "X: " + std::string(190, 'x'),
       "too-large: headers are over 200 bytes", ""},
      {"interim headers, at the limit", "200 bytes in all",
       "HTTP/1.1 103 x\r\nX: " + std::string(150, 'x') + "\r\n\r\n" + ok + "X: 789\r\n\r\n", "more",
       "200 [] "},
      {"interim headers, over it", "200 bytes in all",
       "HTTP/1.1 103 x\r\nX: " + std::string(151, 'x') + "\r\n\r\n" + ok + "X: 789\r\n\r\n",
       "too-large: headers are over 200 bytes", ""},

      {"empty", "nothing", "", "more", cut},
      {"no HTTP, over the limit", "what it is goes before how long it is", std::string(300, 'x'),
       "protocol: answer is not HTTP/1", ""},
      {"SMTP", "not HTTP", "220 ", "protocol: answer is not HTTP/1", ""},
      {"HTTP/2", "not HTTP/1", "HTTP/2 200\r\n", "protocol: answer is not HTTP/1", ""},
      {"lower case", "§2.3", "http/1.1 200\r\n", "protocol: answer is not HTTP/1", ""},
      {"two digits", "§4", "HTTP/1.1 20\r\n", "protocol: answer has no HTTP status line", ""},
      {"four digits", "§4", "HTTP/1.1 2000 x\r\n", "protocol: answer has no HTTP status line", ""},
      {"status 099", "100 or more", "HTTP/1.1 099 x\r\n",
       "protocol: answer has no HTTP status line", ""},
      {"no colon", "§5", ok + "Content-Length\r\n",
       "protocol: answer has a header line without a name", ""},
      {"space before the colon", "§5.1", ok + "Content-Length : 1\r\n",
       "protocol: answer has a header line without a name", ""},
      {"folded first line", "§5.2", ok + " x: y\r\n",
       "protocol: answer has a header line without a name", ""},
      {"NUL", "§5", ok + "X: a\0b\r\n"s, "protocol: a line of the answer has a CR or NUL inside",
       ""},
      {"CR", "§2.2", ok + "X: a\rContent-Length: 1\r\n",
       "protocol: a line of the answer has a CR or NUL inside", ""},
      {"other length", "§6.3 rule 5", ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
       "protocol: answer has two Content-Lengths", ""},
      {"list of lengths", "§6.3 rule 5", ok + "Content-Length: 1, 1\r\n\r\n",
       "protocol: answer's Content-Length is no number", ""},
      {"negative length", "digits", ok + "Content-Length: -1\r\n\r\n",
       "protocol: answer's Content-Length is no number", ""},
      {"empty length", "digits", ok + "Content-Length:\r\n\r\n",
       "protocol: answer's Content-Length is no number", ""},
      {"length over 64 bits", "larger than any",
       ok + "Content-Length: 99999999999999999999\r\n\r\n", "too-large: answer is over 10 bytes",
       ""},
      {"gzip coding", "not asked for", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n",
       "protocol: answer has a transfer coding besides chunked", ""},
      {"chunked twice", "§6.1",
       ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
       "protocol: answer has a transfer coding besides chunked", ""},
  };
  for (const Case& c : cases) {
    for (const std::size_t piece : {1U, 2U, 7U, 100000U}) {
      SCOPED_TRACE(std::string(c.name) + ": " + c.rule + ", pieces of " + std::to_string(piece));
      EXPECT_EQ(outcome(c.input, piece, false), c.want);
      if (c.want == "more") {
        EXPECT_EQ(outcome(c.input, piece, true), c.want_at_end);
      }
    }
  }
}

// Whatever is left out at the end of a whole answer, it is never taken for a whole one.
TEST(Rfc9112ResponseReader, NoBeginningOfAFramedAnswerIsWhole) {
  for (const std::string& answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"s,
        "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n"s}) {
    EXPECT_EQ(outcome(answer, 1, true), "200 [] abcde");
    for (std::size_t size = 0; size < answer.size(); ++size) {
      const std::string got = outcome(std::string_view(answer).substr(0, size), size + 1, true);
      EXPECT_EQ(got.substr(0, 29), "protocol: answer is cut short") << size;
    }
  }
}

TEST(Rfc9112ResponseReader, TunnelAnswersEndWithTheirHeaders) {
  ResponseReader reader({.max_header_bytes = 100, .has_body = false});
  EXPECT_EQ(reader.read("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n"), ReadState::kMore);
  EXPECT_EQ(reader.read("\r\n"), ReadState::kComplete);
  EXPECT_EQ(reader.take().status, 200);
}

}  // namespace
}  // namespace strictmx::http
