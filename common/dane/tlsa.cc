// tlsa.cc - see tlsa.h.
#include "common/dane/tlsa.h"

#include <cstddef>

namespace strictmx::dane {
namespace {

constexpr int kTrustAnchor = 2;  // DANE-TA
constexpr int kEndEntity = 3;    // DANE-EE
constexpr int kPublicKey = 1;
constexpr int kWhole = 0;
constexpr int kSha256 = 1;
constexpr int kSha512 = 2;
constexpr std::size_t kSha256Bytes = 32;
constexpr std::size_t kSha512Bytes = 64;

// One DER SEQUENCE that fills the data (X.690 §8.1, §10.1), as a certificate and a
// SubjectPublicKeyInfo are. What is inside, the judge of the certificate sees.
bool is_der_sequence(std::string_view data) {
  constexpr unsigned char kSequence = 0x30;
  constexpr unsigned char kLongForm = 0x80;
  const auto byte = [data](std::size_t at) { return static_cast<unsigned char>(data[at]); };
  if (data.size() < 2 || byte(0) != kSequence) return false;
  if (byte(1) < kLongForm) return data.size() == 2U + byte(1);
  const std::size_t length_bytes = byte(1) & 0x7fU;
  // A record has at most 65535 bytes: two bytes of length.
  if (length_bytes == 0 || length_bytes > 2 || data.size() < 2 + length_bytes) return false;
  std::size_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) length = length << 8U | byte(2 + i);
  return data.size() == 2 + length_bytes + length;
}

}  // namespace

TlsaUse tlsa_use(const dns::TlsaRecord& record) {
  if (record.usage != kTrustAnchor && record.usage != kEndEntity) return TlsaUse::kUsage;
  if (record.selector > kPublicKey) return TlsaUse::kSelector;
  bool is_well_formed = false;
  switch (record.matching_type) {
    case kWhole:
      is_well_formed = is_der_sequence(record.data);
      break;
    case kSha256:
      is_well_formed = record.data.size() == kSha256Bytes;
      break;
    case kSha512:
      is_well_formed = record.data.size() == kSha512Bytes;
      break;
    default:
      return TlsaUse::kMatchingType;
  }
  return is_well_formed ? TlsaUse::kUsable : TlsaUse::kData;
}

std::string_view tlsa_use_name(TlsaUse use) {
  switch (use) {
    case TlsaUse::kUsable:
      return "usable";
    case TlsaUse::kUsage:
      return "certificate usage is not one for SMTP (2 or 3)";
    case TlsaUse::kSelector:
      return "selector is unknown";
    case TlsaUse::kMatchingType:
      return "matching type is unknown";
    case TlsaUse::kData:
      return "data has not the form that the matching type demands";
  }
  return "";
}

std::string tlsa_text(const dns::TlsaRecord& record) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = std::to_string(record.usage) + ' ' + std::to_string(record.selector) + ' ' +
                    std::to_string(record.matching_type) + ' ';
  out.reserve(out.size() + 2 * record.data.size());
  for (const char c : record.data) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0x0fU];
  }
  return out;
}

std::string tlsa_name(std::uint16_t port, std::string_view base_domain) {
  std::string name = "_" + std::to_string(port) + "._tcp.";
  name += base_domain;
  return name;
}

}  // namespace strictmx::dane
