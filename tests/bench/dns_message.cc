// dns_message.cc - just enough of the DNS wire format for the benchmark's two ends.
#include "dns_message.h"

namespace strictmx::bench {
namespace {

constexpr std::uint16_t kRecursionDesired = 0x0100;
constexpr std::uint16_t kClassIn = 1;
constexpr std::uint8_t kDnssecOk = 0x80;
constexpr std::uint16_t kEdnsBytes = 1232;
constexpr std::size_t kMaxNameBytes = 255;

}  // namespace

std::uint16_t read_u16(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void append_u16(std::vector<std::uint8_t>& out, std::uint16_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

void append_u32(std::vector<std::uint8_t>& out, std::uint32_t value) {
  append_u16(out, static_cast<std::uint16_t>(value >> 16));
  append_u16(out, static_cast<std::uint16_t>(value));
}

void append_name(std::vector<std::uint8_t>& out, std::string_view name) {
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out.push_back(static_cast<std::uint8_t>(label.size()));
    out.insert(out.end(), label.begin(), label.end());
    name.remove_prefix(label.size() == name.size() ? label.size() : label.size() + 1);
  }
  out.push_back(0);
}

void build_query(std::vector<std::uint8_t>& out, std::uint16_t id, std::string_view name,
                 DnsType type, Signatures signatures) {
  out.clear();
  append_u16(out, id);
  append_u16(out, kRecursionDesired);
  for (const std::uint16_t count : {1, 0, 0, 1}) append_u16(out, count);
  append_name(out, name);
  append_u16(out, static_cast<std::uint16_t>(type));
  append_u16(out, kClassIn);
  append_name(out, "");
  append_u16(out, static_cast<std::uint16_t>(DnsType::kOpt));
  append_u16(out, kEdnsBytes);
  append_u32(out, signatures == Signatures::kWanted ? kDnssecOk << 8 : 0);
  append_u16(out, 0);
}

bool read_question(std::span<const std::uint8_t> message, Question& question) {
  if (message.size() < kDnsHeaderBytes || read_u16(message, 4) != 1) return false;
  question.name.clear();
  std::size_t at = kDnsHeaderBytes;
  while (at < message.size() && message[at] != 0) {
    const std::size_t length = message[at];
    if (length > 63 || at + 1 + length >= message.size()) return false;
    if (!question.name.empty()) question.name.push_back('.');
    question.name.append(reinterpret_cast<const char*>(&message[at + 1]), length);
    at += 1 + length;
  }
  if (at + 5 > message.size() || question.name.size() > kMaxNameBytes) return false;
  question.type = read_u16(message, at + 1);
  question.end = at + 5;
  question.has_edns = read_u16(message, 10) != 0;
  // The root's name, type, class, then the four bytes with the flags of EDNS.
  const std::size_t flags = question.end + 7;
  question.wants_signatures =
      question.has_edns && flags + 2 <= message.size() && (message[flags] & kDnssecOk) != 0;
  return true;
}

}  // namespace strictmx::bench
