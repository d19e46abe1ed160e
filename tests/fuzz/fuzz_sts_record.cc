// fuzz_sts_record.cc - fuzz target for the MTA-STS TXT record. Each line of the input is one TXT
// record at the name; the whole input is one as well.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/mta_sts/record.h"
#include "tests/fuzz/require.h"

namespace {

using strictmx::fuzz::require;
using strictmx::mta_sts::find_record;
using strictmx::mta_sts::kMaxIdBytes;
using strictmx::mta_sts::kMaxRecordBytes;
using strictmx::mta_sts::RecordError;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_printable(std::string_view detail) {
  return std::all_of(detail.begin(), detail.end(), [](unsigned char c) {
    return (c >= ' ' && c < 0x7F) || c == 0xC2 || c == 0xA7;  // the section sign in UTF-8
  });
}

void check_parse(const std::string& text) {
  const auto record = strictmx::mta_sts::parse_record(text);
  if (!record.ok()) {
    require(record.error().code != RecordError::kMultiple, "one record is not several");
    require(is_printable(record.error().detail), "the detail is printable");
    require(record.error().detail.size() < 200, "the detail is short");
    return;
  }
  const std::string& id = record.value().id;
  require(!id.empty() && id.size() <= kMaxIdBytes, "an id has 1 to 32 characters");
  require(std::all_of(id.begin(), id.end(), is_letter_or_digit), "an id is letters and digits");
  require(text.find("id=" + id) != std::string::npos, "the id stands in the record");
  const auto again = strictmx::mta_sts::parse_record("v=STSv1; id=" + id + ";");
  require(again.ok() && again.value() == record.value(), "the canonical record says the same");
  const std::vector<std::string> alone = {text};
  const auto found = find_record(alone);
  require(found.ok() && found.value() == record.value(), "a valid record alone is found");
  if (text.starts_with("v=STSv1;")) {
    const std::vector<std::string> twice = {text, text};
    const auto refused = find_record(twice);
    require(!refused.ok() && refused.error().code == RecordError::kMultiple,
            "two valid records are several");
  }
  const bool has_last_delimiter = text[text.find_last_not_of(" \t")] == ';';
  const std::string delimited = text + " ; ";
  if (delimited.size() <= kMaxRecordBytes) {
    require(strictmx::mta_sts::parse_record(delimited).ok() != has_last_delimiter,
            "one delimiter may end the record");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(data, data + size);
  check_parse(input);
  std::vector<std::string> texts;
  for (std::size_t at = 0; at <= input.size();) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    texts.push_back(input.substr(at, end - at));
    at = end + 1;
  }
  const auto found = find_record(texts);
  if (!found.ok()) {
    require(is_printable(found.error().detail), "the detail is printable");
  } else if (texts.size() > 1 && found.value().has_value()) {
    std::reverse(texts.begin(), texts.end());
    const auto reversed = find_record(texts);
    require(reversed.ok() && reversed.value() == found.value(), "the order is not significant");
  }
  return 0;
}
