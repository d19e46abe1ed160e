// zone_signer.cc - see zone_signer.h.
#include "zone_signer.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>

#include "fd.h"

namespace strictmx::bench {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t kAlgorithm = 13;  // ECDSAP256SHA256
constexpr std::uint16_t kKeyFlags = 257;
constexpr std::uint8_t kKeyProtocol = 3;
constexpr std::size_t kPointBytes = 64;
constexpr int kNumberBytes = 32;
constexpr std::uint32_t kDaySeconds = 86400;
constexpr std::size_t kBitmapBytes = 32;  // of window block 0: types below 256

std::uint8_t label_count(std::string_view owner) {
  return owner.empty() ? 0
                       : static_cast<std::uint8_t>(std::count(owner.begin(), owner.end(), '.') + 1);
}

}  // namespace

ZoneSigner::ZoneSigner(std::string zone) : zone_(std::move(zone)), key_(EVP_EC_gen("P-256")) {
  if (key_ == nullptr) die("a key for the zone");
}

Bytes ZoneSigner::key_data() const {
  std::array<std::uint8_t, kPointBytes + 1> point;  // 0x04 in front: uncompressed
  std::size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                      point.size(), &size) != 1 ||
      size != point.size()) {
    die("the public key");
  }
  Bytes data;
  append_u16(data, kKeyFlags);
  data.push_back(kKeyProtocol);
  data.push_back(kAlgorithm);
  data.insert(data.end(), point.begin() + 1, point.end());
  return data;
}

std::string ZoneSigner::anchor() const {
  const Bytes data = key_data();
  std::array<unsigned char, kPointBytes * 2> text;
  const int size = EVP_EncodeBlock(text.data(), data.data() + 4, static_cast<int>(kPointBytes));
  return zone_ + ". IN DNSKEY 257 3 13 " +
         std::string(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size)) + "\n";
}

// RFC 4034, appendix B.
std::uint16_t ZoneSigner::key_tag() const {
  std::uint32_t sum = 0;
  const Bytes data = key_data();
  for (std::size_t i = 0; i < data.size(); ++i) sum += i % 2 == 1 ? data[i] : data[i] << 8;
  return static_cast<std::uint16_t>(sum + (sum >> 16));
}

// RFC 6605 §4: r and s, 32 bytes each.
Bytes ZoneSigner::sign(std::span<const std::uint8_t> bytes) const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  std::array<std::uint8_t, 128> der;
  std::size_t size = der.size();
  if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), der.data(), &size, bytes.data(), bytes.size()) != 1) {
    die("a signature");
  }
  const std::uint8_t* at = der.data();
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> parts(
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)), ECDSA_SIG_free);
  Bytes out(kPointBytes);
  BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), out.data(), kNumberBytes);
  BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), out.data() + kNumberBytes, kNumberBytes);
  return out;
}

const Bytes& ZoneSigner::signature_data(const RecordSet& records) {
  Bytes& data = signatures_[std::to_string(static_cast<int>(records.type)) + records.owner];
  if (!data.empty()) return data;
  const auto now = static_cast<std::uint32_t>(std::time(nullptr));
  append_u16(data, static_cast<std::uint16_t>(records.type));
  data.push_back(kAlgorithm);
  data.push_back(label_count(records.owner));
  append_u32(data, records.ttl);
  append_u32(data, now + kDaySeconds);
  append_u32(data, now - kDaySeconds);
  append_u16(data, key_tag());
  append_name(data, zone_);
  Bytes covered = data;  // RFC 4034 §3.1.8.1
  append_name(covered, records.owner);
  append_u16(covered, static_cast<std::uint16_t>(records.type));
  append_u16(covered, 1);
  append_u32(covered, records.ttl);
  append_u16(covered, static_cast<std::uint16_t>(records.data.size()));
  covered.insert(covered.end(), records.data.begin(), records.data.end());
  const Bytes signature = sign(covered);
  data.insert(data.end(), signature.begin(), signature.end());
  return data;
}

Bytes nsec_data(std::string_view owner, std::span<const DnsType> types) {
  Bytes data{1, 0};  // the label \000
  append_name(data, owner);
  std::array<std::uint8_t, kBitmapBytes> bitmap{};
  std::size_t used = 0;
  for (const DnsType type : types) {
    const auto number = static_cast<std::size_t>(type);
    bitmap[number / 8] = static_cast<std::uint8_t>(bitmap[number / 8] | 0x80 >> number % 8);
    used = std::max(used, number / 8 + 1);
  }
  data.push_back(0);  // window block
  data.push_back(static_cast<std::uint8_t>(used));
  data.insert(data.end(), bitmap.begin(), bitmap.begin() + static_cast<std::ptrdiff_t>(used));
  return data;
}

}  // namespace strictmx::bench
