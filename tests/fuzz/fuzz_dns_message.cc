// fuzz_dns_message.cc - fuzz target for DNS answers in wire format (RFC 1035 §4), and for what is
// made of TLSA records in them (RFC 6698 §2.1). The first byte picks the record type.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>

#include "common/dane/tlsa.h"
#include "common/dns/message.h"
#include "tests/fuzz/require.h"

namespace {

using strictmx::dns::RecordType;
using strictmx::fuzz::require;

constexpr RecordType kTypes[] = {RecordType::kA,   RecordType::kCname, RecordType::kMx,
                                 RecordType::kTxt, RecordType::kAaaa,  RecordType::kTlsa};

void check_name(const std::string& name) {
  require(std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }),
          "names are lower-case");
  require(
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; }),
      "names are escaped");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto type = kTypes[data[0] % std::size(kTypes)];
  const auto message = strictmx::dns::read_message(std::span(data + 1, size - 1), type);
  if (!message.has_value()) return 0;
  check_name(message->alias_target);
  for (const std::string& target : message->cnames) check_name(target);
  unsigned last = 0;
  for (const auto& mx : message->mx) {
    check_name(mx.host);
    require(mx.preference >= last, "MX hosts are in order");
    last = mx.preference;
  }
  for (const auto& record : message->tlsa) {
    const auto use = strictmx::dane::tlsa_use(record);
    require(!strictmx::dane::tlsa_use_name(use).empty(), "every use has a name");
    const std::string text = strictmx::dane::tlsa_text(record);
    require(text.size() >= 6 + 2 * record.data.size(), "the whole record is told");
    require(std::all_of(text.begin(), text.end(),
                        [](char c) {
                          return c == ' ' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                        }),
            "in digits alone");
  }
  return 0;
}
