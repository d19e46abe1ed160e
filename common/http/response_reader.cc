// response_reader.cc - see response_reader.h.
//
// Readings chosen where RFC 9112 leaves a choice: a bare LF ends a line (§2.2), a folded header is
// one value (§5.2), Transfer-Encoding beats Content-Length (§6.3) and may be "chunked" alone, equal
// Content-Length headers count as one; whatever else makes the end of the body uncertain is
// kProtocol, because a policy must never be taken for whole when it is not.
#include "common/http/response_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace strictmx::http {
namespace {

using base::fail;

constexpr std::string_view kVersionStart = "HTTP/1.";
constexpr std::size_t kStatusLineMin = 12;  // HTTP/1.1 200
// More digits than any size within the limits has; leading zeros count.
constexpr std::size_t kMaxChunkSizeDigits = 16;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";  // RFC 9110 §5.6.2

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kTokenMarks.find(c) != std::string_view::npos;
  });
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
         });
}

}  // namespace

ReadState ResponseReader::read(std::string_view bytes) {
  if (!bytes.empty()) has_begun_ = true;
  while (!bytes.empty() && step_ != Step::kDone && step_ != Step::kFailed) {
    const bool is_body =
        step_ == Step::kBody || step_ == Step::kBodyToEnd || step_ == Step::kChunkData;
    bytes.remove_prefix(is_body ? read_body(bytes) : read_line(bytes));
  }
  if (step_ == Step::kDone) return ReadState::kComplete;
  return step_ == Step::kFailed ? ReadState::kFailed : ReadState::kMore;
}

ReadState ResponseReader::end() {
  switch (step_) {
    case Step::kDone:
      return ReadState::kComplete;
    case Step::kFailed:
      return ReadState::kFailed;
    case Step::kBodyToEnd:
      step_ = Step::kDone;
      return ReadState::kComplete;
    case Step::kStatusLine:
    case Step::kHeader:
      fail_with(HttpError::kProtocol, "answer is cut short in its headers");
      return ReadState::kFailed;
    case Step::kBody:
    case Step::kChunkSize:
    case Step::kChunkData:
    case Step::kChunkEnd:
    case Step::kTrailer:
      fail_with(HttpError::kProtocol, "answer is cut short after " +
                                          std::to_string(response_.body.size()) +
                                          " bytes of its body");
      return ReadState::kFailed;
  }
  return ReadState::kFailed;
}

// Takes bytes up to the end of a line; says how many.
std::size_t ResponseReader::read_line(std::string_view bytes) {
  const std::size_t newline = bytes.find('\n');
  const std::size_t count = newline == std::string_view::npos ? bytes.size() : newline + 1;
  // The digits of a chunk's size are part of the body's framing, what follows them counts as
  // header.
  const std::size_t free_bytes =
      is_chunk_line() ? kMaxChunkSizeDigits + 2 - std::min(kMaxChunkSizeDigits + 2, line_.size())
                      : 0;
  const std::size_t allowed = free_bytes + limits_.max_header_bytes - header_bytes_;
  const std::size_t taken = std::min(count, allowed);
  header_bytes_ += taken - std::min(taken, free_bytes);
  line_.append(bytes.substr(0, taken));
  if (step_ == Step::kStatusLine) {
    // No line may ever end in what is not HTTP. Before the limit, so that it does not matter how
    // the bytes come.
    const std::string_view start = std::string_view(line_).substr(0, kVersionStart.size());
    if (start != kVersionStart.substr(0, start.size())) {
      fail_with(HttpError::kProtocol, "answer is not HTTP/1");
      return count;
    }
  }
  if (count > allowed) {
    fail_with(HttpError::kTooLarge,
              "headers are over " + std::to_string(limits_.max_header_bytes) + " bytes");
    return count;
  }
  if (newline == std::string_view::npos) return count;
  std::string_view line = line_;
  line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find('\r') != std::string_view::npos || line.find('\0') != std::string_view::npos) {
    fail_with(HttpError::kProtocol, "a line of the answer has a CR or NUL inside");
    return count;
  }
  take_line(line);
  line_.clear();
  return count;
}

std::size_t ResponseReader::read_body(std::string_view bytes) {
  if (step_ == Step::kBodyToEnd) {
    if (bytes.size() > limits_.max_body_bytes - response_.body.size()) {
      expect_body(limits_.max_body_bytes + 1);  // over the limit: fails
      return bytes.size();
    }
    response_.body.append(bytes);
    return bytes.size();
  }
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, bytes.size()));
  response_.body.append(bytes.substr(0, count));
  body_left_ -= count;
  if (body_left_ == 0) step_ = step_ == Step::kBody ? Step::kDone : Step::kChunkEnd;
  return count;
}

void ResponseReader::take_line(std::string_view line) {
  switch (step_) {
    case Step::kStatusLine:
      return take_status_line(line);
    case Step::kHeader:
      return take_header_line(line);
    case Step::kChunkSize:
      return take_chunk_size(line);
    case Step::kChunkEnd:
      if (!line.empty()) return fail_with(HttpError::kProtocol, "a chunk is not of the size told");
      step_ = Step::kChunkSize;
      return;
    case Step::kTrailer:
      if (line.empty()) step_ = Step::kDone;
      return;
    case Step::kBody:
    case Step::kBodyToEnd:
    case Step::kChunkData:
    case Step::kDone:
    case Step::kFailed:
      return;  // no lines there
  }
}

// RFC 9112 §4; the reason phrase is free text and ignored.
void ResponseReader::take_status_line(std::string_view line) {
  const bool is_status_line = line.size() >= kStatusLineMin && is_digit(line[7]) &&
                              line[8] == ' ' && line[9] >= '1' && is_digit(line[9]) &&
                              is_digit(line[10]) && is_digit(line[11]) &&
                              (line.size() == kStatusLineMin || line[kStatusLineMin] == ' ');
  if (!is_status_line) return fail_with(HttpError::kProtocol, "answer has no HTTP status line");
  response_.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  step_ = Step::kHeader;
}

void ResponseReader::take_header_line(std::string_view line) {
  const bool is_folded = line.starts_with(' ') || line.starts_with('\t');
  if (is_folded && !field_.empty()) {
    field_ += ' ';
    field_ += trimmed(line);
    return;
  }
  if (!field_.empty()) take_field();
  if (step_ != Step::kHeader) return;
  if (line.empty()) return end_headers();
  field_ = line;
  if (!is_token(line.substr(0, line.find(':'))) || line.find(':') == std::string_view::npos) {
    fail_with(HttpError::kProtocol, "answer has a header line without a name");
  }
}

void ResponseReader::take_field() {
  const std::string field = std::exchange(field_, {});
  if (response_.status < 200) return;
  const std::size_t colon = field.find(':');
  const std::string_view name = std::string_view(field).substr(0, colon);
  const std::string_view value = trimmed(std::string_view(field).substr(colon + 1));
  if (equals_ignoring_case(name, "content-length")) return take_content_length(value);
  if (equals_ignoring_case(name, "transfer-encoding")) {
    if (is_chunked_ || !equals_ignoring_case(value, "chunked")) {
      return fail_with(HttpError::kProtocol, "answer has a transfer coding besides chunked");
    }
    is_chunked_ = true;
  } else if (equals_ignoring_case(name, "content-type") && !has_content_type_) {
    has_content_type_ = true;
    response_.content_type = value;
  }
}

void ResponseReader::take_content_length(std::string_view value) {
  std::uint64_t length = 0;
  const char* end = value.data() + value.size();
  const auto parsed = std::from_chars(value.data(), end, length);
  if (value.empty() || !std::all_of(value.begin(), value.end(), is_digit)) {
    return fail_with(HttpError::kProtocol, "answer's Content-Length is no number");
  }
  // Out of range is larger than any limit.
  if (parsed.ec != std::errc()) length = UINT64_MAX;
  if (content_length_.has_value() && *content_length_ != length) {
    return fail_with(HttpError::kProtocol, "answer has two Content-Lengths");
  }
  content_length_ = length;
}

void ResponseReader::end_headers() {
  const int status = response_.status;
  if (status < 200) {
    if (status == 101) {
      return fail_with(HttpError::kProtocol, "answer changes the protocol unasked (101)");
    }
    if (++interim_answers_ > kMaxInterimAnswers) {
      return fail_with(HttpError::kProtocol, "answer has too many interim answers (1xx)");
    }
    step_ = Step::kStatusLine;
    return;
  }
  if (!limits_.has_body || status == 204 || status == 304) {  // RFC 9112 §6.3, rules 1 and 2
    step_ = Step::kDone;
  } else if (is_chunked_) {
    step_ = Step::kChunkSize;
  } else if (content_length_.has_value()) {
    step_ = Step::kBody;
    expect_body(*content_length_);
    if (step_ == Step::kBody && body_left_ == 0) step_ = Step::kDone;
  } else {
    step_ = Step::kBodyToEnd;
  }
}

// RFC 9112 §7.1; extensions are ignored (§7.1.1).
void ResponseReader::take_chunk_size(std::string_view line) {
  std::uint64_t size = 0;
  const std::size_t digits = std::min(line.find_first_of("; \t"), line.size());
  const auto parsed = std::from_chars(line.data(), line.data() + digits, size, 16);
  if (digits == 0 || digits > kMaxChunkSizeDigits || parsed.ec != std::errc() ||
      parsed.ptr != line.data() + digits) {
    return fail_with(HttpError::kProtocol, "a chunk of the answer has no size");
  }
  if (size == 0) {
    step_ = Step::kTrailer;
    return;
  }
  step_ = Step::kChunkData;
  expect_body(size);
}

void ResponseReader::expect_body(std::uint64_t bytes) {
  if (bytes > limits_.max_body_bytes - response_.body.size()) {
    return fail_with(HttpError::kTooLarge,
                     "answer is over " + std::to_string(limits_.max_body_bytes) + " bytes");
  }
  body_left_ = bytes;
}

void ResponseReader::fail_with(HttpError code, std::string detail) {
  step_ = Step::kFailed;
  failure_ = fail(code, std::move(detail));
}

}  // namespace strictmx::http
