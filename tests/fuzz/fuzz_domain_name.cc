// fuzz_domain_name.cc - fuzz target for domain names and addresses.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/domain_name.h"
#include "common/base/ip_address.h"
#include "tests/fuzz/require.h"

namespace {

using strictmx::base::DomainName;
using strictmx::base::IpAddress;
using strictmx::fuzz::require;

constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-_.";

void check_name(const DomainName& name) {
  const std::string& text = name.text();
  require(!text.empty() && text.size() <= strictmx::base::kMaxNameBytes,
          "a name has 1 to 253 bytes");
  require(text.find_first_not_of(kNameCharacters) == std::string::npos,
          "a name is lower-case ASCII");
  require(text.front() != '.' && text.back() != '.' && text.find("..") == std::string::npos,
          "no label is empty");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('.', at), text.size());
    require(end - at <= strictmx::base::kMaxLabelBytes, "a label has 63 bytes at most");
    at = end + 1;
  }
  require(!IpAddress::parse(text).has_value(), "a name is no address");
  const auto again = DomainName::parse(text);
  require(again.ok() && again.value() == name, "a parsed name parses to itself");
  const bool has_underscore = text.find('_') != std::string::npos;
  require(strictmx::base::is_rfc5321_domain(text) != has_underscore,
          "a name is an RFC 5321 domain unless it has an underscore");
  const std::string prefixed = name.with_prefix("_mta-sts.");
  require(prefixed.empty() || DomainName::parse(prefixed).ok(), "a prefixed name is a name");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(data, data + size);
  const auto name = DomainName::parse(input);
  if (name.ok()) check_name(name.value());
  if (strictmx::base::is_rfc5321_domain(input)) {
    const auto parsed = DomainName::parse(input);
    require(parsed.ok() ? parsed.value().text() == strictmx::base::ascii_lower(input)
                        : parsed.error().code == strictmx::base::NameError::kAddress,
            "an RFC 5321 domain is a name or an address");
  }
  const auto address = IpAddress::parse(input);
  if (address.has_value()) {
    require(IpAddress::parse(address->text()) == address, "an address parses to itself");
    require(!name.ok(), "an address is no name");
  }
  return 0;
}
