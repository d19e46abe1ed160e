// fuzz_tlsrpt_record.cc - fuzz target for the TLSRPT TXT record. Each line of the input is one TXT
// record at the name; the whole input is one as well.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/tlsrpt/record.h"
#include "tests/fuzz/require.h"

namespace {

using strictmx::fuzz::require;
using strictmx::tlsrpt::find_record;
using strictmx::tlsrpt::parse_record;
using strictmx::tlsrpt::Record;
using strictmx::tlsrpt::TlsrptRecordError;

bool is_printable(std::string_view detail) {
  return std::all_of(detail.begin(), detail.end(), [](unsigned char c) {
    return (c >= ' ' && c < 0x7F) || c == 0xC2 || c == 0xA7;  // the section sign in UTF-8
  });
}

void check_record(const Record& record) {
  require(!record.rua.empty(), "a record has a destination");
  require(record.rua.size() <= strictmx::tlsrpt::kMaxRuaUris, "destinations are bounded");
  std::string canonical = "v=TLSRPTv1; rua=";
  for (const std::string& uri : record.rua) {
    require(uri.starts_with("mailto:") || uri.starts_with("https://"), "the scheme is supported");
    require(std::all_of(uri.begin(), uri.end(), [](char c) { return c > ' ' && c <= '~'; }),
            "a URI is printable ASCII");
    require(uri.find_first_of(",!;\"<>\\^`{|}") == std::string::npos, "a URI is encoded");
    canonical += uri + " , ";
  }
  canonical.resize(canonical.size() - 3);
  const auto again = parse_record(canonical);
  require(again.ok() ? again.value() == record : again.error().code == TlsrptRecordError::kTooLarge,
          "the canonical record says the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(data, data + size);
  const auto record = parse_record(input);
  if (record.ok()) {
    check_record(record.value());
    const std::vector<std::string> alone = {input};
    const auto found = find_record(alone);
    require(found.ok() && found.value() == record.value(), "a valid record alone is found");
  } else {
    require(record.error().code != TlsrptRecordError::kMultiple, "one record is not several");
    require(is_printable(record.error().detail), "the detail is printable");
    require(record.error().detail.size() < 200, "the detail is short");
  }
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
