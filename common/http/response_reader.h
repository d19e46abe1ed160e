// response_reader.h - reads one HTTP/1.1 answer from the bytes of the connection (RFC 9112).
//
// Use: read() with bytes as they come, end() when the peer has ended the stream in good order; both
// say whether the answer is whole. Then take() or failure(), once.
// Threads: a value. Pure: no sockets, no clock.
// Errors: kTooLarge (headers or body over the limit, found as early as can be), kProtocol (not
// HTTP/1, framing that is not certain, cut short).
// Limits: max_header_bytes for the status line, headers, interim (1xx) answers, trailers and chunk
// extensions together; max_body_bytes for the body; kMaxInterimAnswers. Keeps no more than those.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/client.h"

namespace strictmx::http {

// RFC 9110 §15.2 allows any number; 103 comes a few times at most.
inline constexpr int kMaxInterimAnswers = 8;

struct ReadLimits {
  std::size_t max_header_bytes = kMaxHeaderBytes;
  std::size_t max_body_bytes = 0;
  bool has_body = true;  // false for answers to CONNECT and POST: the headers are all we need
};

enum class ReadState { kMore, kComplete, kFailed };

class ResponseReader {
 public:
  explicit ResponseReader(const ReadLimits& limits) : limits_(limits) {}

  // Bytes after a whole answer are left alone.
  ReadState read(std::string_view bytes);
  ReadState end();

  bool has_begun() const { return has_begun_; }
  HttpResponse take() { return std::move(response_); }
  const base::Failure<HttpError>& failure() const { return *failure_; }

 private:
  // kStatusLine -> kHeader -> kBody | kBodyToEnd | kChunkSize -> kDone
  //   kHeader -> kStatusLine after an interim answer
  //   kChunkSize -> kChunkData -> kChunkEnd -> kChunkSize, at the last one kTrailer
  enum class Step {
    kStatusLine,
    kHeader,
    kBody,
    kBodyToEnd,
    kChunkSize,
    kChunkData,
    kChunkEnd,
    kTrailer,
    kDone,
    kFailed,
  };

  std::size_t read_line(std::string_view bytes);
  std::size_t read_body(std::string_view bytes);
  void take_line(std::string_view line);
  void take_status_line(std::string_view line);
  void take_header_line(std::string_view line);
  void take_field();
  void take_content_length(std::string_view value);
  void take_chunk_size(std::string_view line);
  void end_headers();
  void expect_body(std::uint64_t bytes);
  void fail_with(HttpError code, std::string detail);
  bool is_chunk_line() const { return step_ == Step::kChunkSize || step_ == Step::kChunkEnd; }

  ReadLimits limits_;
  Step step_ = Step::kStatusLine;
  bool has_begun_ = false;
  std::string line_;   // the part of a line that came
  std::string field_;  // the header read last; folded lines may follow
  std::size_t header_bytes_ = 0;
  int interim_answers_ = 0;
  std::optional<std::uint64_t> content_length_;
  bool is_chunked_ = false;
  bool has_content_type_ = false;
  std::uint64_t body_left_ = 0;  // of the body, or of the chunk
  HttpResponse response_;
  std::optional<base::Failure<HttpError>> failure_;
};

}  // namespace strictmx::http
