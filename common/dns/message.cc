// message.cc - see message.h. The wire format is read with the C library's ns_* functions.
#include "common/dns/message.h"

#include <arpa/nameser.h>
#include <resolv.h>

#include <algorithm>
#include <limits>
#include <map>

#include "common/base/domain_name.h"

namespace strictmx::dns {
namespace {

// The character-strings of a TXT record, joined without a space.
std::optional<std::string> read_text(std::span<const std::uint8_t> data) {
  std::string text;
  while (!data.empty()) {
    const std::size_t length = data.front();
    if (data.size() < length + 1) return std::nullopt;
    text.append(reinterpret_cast<const char*>(data.data()) + 1, length);
    data = data.subspan(length + 1);
  }
  return text;
}

// Host names in lower-case; the root as an empty text (the null MX).
std::optional<std::string> read_name(const ns_msg& handle, const std::uint8_t* at) {
  char name[NS_MAXDNAME];
  if (ns_name_uncompress(ns_msg_base(handle), ns_msg_end(handle), at, name, sizeof name) < 0) {
    return std::nullopt;
  }
  std::string text = base::ascii_lower(std::string_view(name));
  if (!text.empty() && text.back() == '.') text.pop_back();
  return text;
}

bool read_data(const ns_msg& handle, const ns_rr& record, Message& message) {
  const std::span<const std::uint8_t> data(ns_rr_rdata(record), ns_rr_rdlen(record));
  switch (static_cast<RecordType>(ns_rr_type(record))) {
    case RecordType::kTxt: {
      auto text = read_text(data);
      if (!text.has_value()) return false;
      message.texts.push_back(std::move(*text));
      return true;
    }
    case RecordType::kMx: {
      if (data.size() < 3) return false;
      auto host = read_name(handle, data.data() + 2);
      if (!host.has_value()) return false;
      message.mx.push_back({ns_get16(data.data()), std::move(*host)});
      return true;
    }
    case RecordType::kA:
    case RecordType::kAaaa: {
      const auto address = base::IpAddress::from_bytes(data);
      if (!address.has_value()) return false;
      message.addresses.push_back(*address);
      return true;
    }
    case RecordType::kTlsa: {
      if (data.size() < 3) return false;  // RFC 6698 §2.1: three numbers, then the data
      const auto rest = data.subspan(3);
      message.tlsa.push_back({data[0], data[1], data[2], std::string(rest.begin(), rest.end())});
      return true;
    }
    case RecordType::kCname: {
      auto target = read_name(handle, data.data());
      if (!target.has_value()) return false;
      message.cnames.push_back(std::move(*target));
      return true;
    }
    case RecordType::kSoa:
      return true;  // asked for its presence alone
  }
  return true;
}

// The CNAMEs of the answer section by their owner.
using Aliases = std::map<std::string, std::string>;

bool read_alias(const ns_msg& handle, const ns_rr& record, Aliases& aliases) {
  auto target = read_name(handle, ns_rr_rdata(record));
  if (!target.has_value()) return false;
  aliases.emplace(base::ascii_lower(std::string_view(ns_rr_name(record))), std::move(*target));
  return true;
}

std::string end_of_chain(const ns_msg& handle, const Aliases& aliases) {
  ns_msg copy = handle;  // ns_parserr() moves a cursor in it
  ns_rr question;
  if (aliases.empty() || ns_msg_count(handle, ns_s_qd) != 1 ||
      ns_parserr(&copy, ns_s_qd, 0, &question) != 0) {
    return {};
  }
  std::string name = base::ascii_lower(std::string_view(ns_rr_name(question)));
  bool is_alias = false;
  for (std::size_t step = 0; step < aliases.size(); ++step) {  // no longer, also in a circle
    const auto next = aliases.find(name);
    if (next == aliases.end()) break;
    name = next->second;
    is_alias = true;
  }
  return is_alias ? name : std::string();
}

// RFC 2308 §5: the lesser of the SOA's own TTL and its MINIMUM field, the last of the data.
std::optional<std::uint32_t> negative_ttl(const ns_rr& soa) {
  if (ns_rr_rdlen(soa) < 22) return std::nullopt;  // two names and five numbers
  const std::uint8_t* minimum = ns_rr_rdata(soa) + ns_rr_rdlen(soa) - 4;
  return std::min<std::uint32_t>(ns_rr_ttl(soa), static_cast<std::uint32_t>(ns_get32(minimum)));
}

}  // namespace

bool Message::has_records() const {
  return !texts.empty() || !mx.empty() || !addresses.empty() || !tlsa.empty() || !cnames.empty();
}

std::optional<Message> read_message(std::span<const std::uint8_t> bytes, RecordType type) {
  ns_msg handle;
  if (bytes.size() > std::numeric_limits<int>::max() ||
      ns_initparse(bytes.data(), static_cast<int>(bytes.size()), &handle) != 0) {
    return std::nullopt;
  }
  Message message;
  message.rcode = ns_msg_getflag(handle, ns_f_rcode);
  message.ttl = std::numeric_limits<std::uint32_t>::max();
  Aliases aliases;
  const unsigned answers = ns_msg_count(handle, ns_s_an);
  const unsigned authorities = ns_msg_count(handle, ns_s_ns);
  if (answers + authorities > kMaxMessageRecords) return std::nullopt;
  for (unsigned i = 0; i < answers; ++i) {
    ns_rr record;
    if (ns_parserr(&handle, ns_s_an, static_cast<int>(i), &record) != 0) return std::nullopt;
    message.ttl = std::min<std::uint32_t>(message.ttl, ns_rr_ttl(record));
    if (ns_rr_type(record) == ns_t_cname && !read_alias(handle, record, aliases)) {
      return std::nullopt;
    }
    if (static_cast<int>(ns_rr_type(record)) != static_cast<int>(type)) continue;
    if (!read_data(handle, record, message)) return std::nullopt;
  }
  message.alias_target = end_of_chain(handle, aliases);
  if (!message.has_records()) {
    for (unsigned i = 0; i < authorities; ++i) {
      ns_rr record;
      if (ns_parserr(&handle, ns_s_ns, static_cast<int>(i), &record) != 0) return std::nullopt;
      if (ns_rr_type(record) != ns_t_soa) continue;
      const auto ttl = negative_ttl(record);
      if (!ttl.has_value()) return std::nullopt;
      message.ttl = std::min(message.ttl, *ttl);
      message.has_soa = true;
    }
  }
  if (message.ttl == std::numeric_limits<std::uint32_t>::max()) message.ttl = 0;
  std::stable_sort(message.mx.begin(), message.mx.end(), [](const MxRecord& a, const MxRecord& b) {
    return a.preference < b.preference;
  });
  return message;
}

}  // namespace strictmx::dns
