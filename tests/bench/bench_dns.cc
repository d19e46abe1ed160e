// bench_dns.cc - a DNS server for the benchmark's world, over UDP and TCP, as cheap as can be.
//
// Answers TXT of _mta-sts.dN.test, A of mta-sts.dN.test and mx1.*.test, MX of dN.test and
// noneN.test, TLSA of _25._tcp.mx1.dN.test; the other types of these names have no data, and every
// other name does not exist, both with the zone's SOA (RFC 2308). EDNS is answered where it was
// asked. With --anchor the zone is signed for those who want signatures (DO), and every other name
// is one without data.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "bench_world.h"
#include "dns_message.h"
#include "options.h"
#include "sockets.h"
#include "zone_signer.h"

namespace strictmx::bench {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kTtl = 3600;
constexpr std::uint32_t kNegativeTtl = 900;
constexpr std::uint16_t kPointerToQuestion = 0xC00C;
constexpr std::size_t kBatch = 64;
constexpr std::size_t kMaxQueryBytes = 2048;

enum class Owner { kUnknown, kApex, kTxt, kPolicyHost, kMailDomain, kMailHost, kTlsa };

// Letter case is left to number_of_domain(): only resolvers with 0x20 mix it.
bool strip_prefix(std::string_view& name, std::string_view prefix) {
  if (name.size() < prefix.size()) return false;
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20) || a == b; };
  if (!std::equal(prefix.begin(), prefix.end(), name.begin(), same)) return false;
  name.remove_prefix(prefix.size());
  return true;
}

struct Place {
  Owner owner = Owner::kUnknown;
  unsigned number = 0;
};

Place find_place(std::string_view name) {
  Owner owner = Owner::kMailDomain;
  if (strip_prefix(name, "_mta-sts.")) {
    owner = Owner::kTxt;
  } else if (strip_prefix(name, kPolicyHostLabel)) {
    owner = Owner::kPolicyHost;
  } else if (strip_prefix(name, "_25._tcp.mx1.")) {
    owner = Owner::kTlsa;
  } else if (strip_prefix(name, "mx1.")) {
    owner = Owner::kMailHost;
  } else if (strip_prefix(name, kZoneName) && name.empty()) {
    return {Owner::kApex, 0};
  }
  if (const std::optional<unsigned> number = number_of_domain(name)) return {owner, *number};
  const bool has_mail = owner == Owner::kMailDomain || owner == Owner::kMailHost;
  if (has_mail && strip_prefix(name, "none")) return {owner, 0};
  return {};
}

Bytes txt_data(unsigned number) {
  const std::string text = "v=STSv1; id=" + std::to_string(number) + ";";
  Bytes data;
  data.reserve(1 + text.size());
  data.push_back(static_cast<std::uint8_t>(text.size()));
  data.insert(data.end(), text.begin(), text.end());
  return data;
}

Bytes address_data(unsigned number) {
  Bytes data;
  append_u32(data, policy_host_address(number));
  return data;
}

Bytes mx_data(std::string_view domain) {
  Bytes data;
  append_u16(data, 10);
  append_name(data, std::string("mx1.").append(domain));
  return data;
}

// DANE-EE, the key, SHA-256 (RFC 7672 §3.1.1): of no key in particular, nobody connects.
Bytes tlsa_data() {
  Bytes data{3, 1, 1};
  data.resize(data.size() + 32, 0x5a);
  return data;
}

Bytes soa_data() {
  Bytes data;
  append_name(data, "ns.test");
  append_name(data, "hostmaster.test");
  for (const std::uint32_t field : {1u, 3600u, 600u, 86400u, kNegativeTtl}) append_u32(data, field);
  return data;
}

// The one type that each place has data of.
DnsType type_of(Owner owner) {
  switch (owner) {
    case Owner::kTxt:
      return DnsType::kTxt;
    case Owner::kPolicyHost:
    case Owner::kMailHost:
      return DnsType::kA;
    case Owner::kMailDomain:
      return DnsType::kMx;
    case Owner::kTlsa:
      return DnsType::kTlsa;
    case Owner::kApex:
      return DnsType::kDnskey;
    case Owner::kUnknown:
      break;
  }
  return DnsType::kNsec;  // has nothing else
}

class Zone {
 public:
  void sign() { signer_ = std::make_unique<ZoneSigner>(std::string(kZoneName)); }
  const ZoneSigner& signer() const { return *signer_; }
  // Leaves `out` empty when the query deserves no answer.
  void answer(std::span<const std::uint8_t> query, Bytes& out);

 private:
  // Empty: there is none.
  Bytes data_of(const Place& place, std::string_view name) const;
  void append(Bytes& out, const RecordSet& records, bool is_signed);
  unsigned append_absence(Bytes& out, std::string_view name, const Place& place, bool is_signed);

  Question question_;
  std::unique_ptr<ZoneSigner> signer_;
};

Bytes Zone::data_of(const Place& place, std::string_view name) const {
  switch (place.owner) {
    case Owner::kTxt:
      return txt_data(place.number);
    case Owner::kPolicyHost:
    case Owner::kMailHost:
      return address_data(place.number);
    case Owner::kMailDomain:
      return mx_data(name);
    case Owner::kTlsa:
      return tlsa_data();
    case Owner::kApex:
      return signer_ == nullptr ? Bytes{} : signer_->key_data();
    case Owner::kUnknown:
      break;
  }
  return {};
}

void append_record(Bytes& out, std::string_view owner, DnsType type, std::uint32_t ttl,
                   const Bytes& data) {
  if (owner.empty()) {
    append_u16(out, kPointerToQuestion);
  } else {
    append_name(out, owner);
  }
  append_u16(out, static_cast<std::uint16_t>(type));
  append_u16(out, 1);
  append_u32(out, ttl);
  append_u16(out, static_cast<std::uint16_t>(data.size()));
  out.insert(out.end(), data.begin(), data.end());
}

void Zone::append(Bytes& out, const RecordSet& records, bool is_signed) {
  // Owners are those of the question, but for the SOA.
  std::string_view owner;
  if (records.type == DnsType::kSoa) owner = records.owner;
  append_record(out, owner, records.type, records.ttl, records.data);
  if (!is_signed) return;
  append_record(out, owner, DnsType::kRrsig, records.ttl, signer_->signature_data(records));
}

unsigned Zone::append_absence(Bytes& out, std::string_view name, const Place& place,
                              bool is_signed) {
  append(out, {std::string(kZoneName), DnsType::kSoa, kNegativeTtl, soa_data()}, is_signed);
  if (!is_signed) return 1;
  const std::array types{DnsType::kRrsig, DnsType::kNsec, type_of(place.owner)};
  append(out, {std::string(name), DnsType::kNsec, kNegativeTtl, nsec_data(name, types)}, true);
  return 4;
}

void append_edns(Bytes& out, bool is_signed) {
  out.push_back(0);
  append_u16(out, static_cast<std::uint16_t>(DnsType::kOpt));
  append_u16(out, 1232);
  append_u32(out, is_signed ? 0x8000 : 0);
  append_u16(out, 0);
}

void Zone::answer(std::span<const std::uint8_t> query, Bytes& out) {
  out.clear();
  if (!read_question(query, question_)) return;
  std::string name = question_.name;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const Place place = find_place(name);
  const auto type = static_cast<DnsType>(question_.type);
  const bool is_signed = signer_ != nullptr && question_.wants_signatures;
  out.insert(out.end(), query.begin(), query.begin() + static_cast<std::ptrdiff_t>(question_.end));
  const Bytes data = type == type_of(place.owner) ? data_of(place, name) : Bytes{};
  unsigned absence = 0;
  if (data.empty()) {
    absence = append_absence(out, name, place, is_signed);
  } else {
    append(out, {name, type, kTtl, data}, is_signed);
  }
  if (question_.has_edns) append_edns(out, is_signed);
  const std::uint8_t code = place.owner == Owner::kUnknown && !is_signed ? 3 : 0;
  out[2] = static_cast<std::uint8_t>(0x84 | (query[2] & 0x01));  // QR, AA, RD as asked.
  out[3] = static_cast<std::uint8_t>(0x80 | code);               // RA.
  out[6] = out[8] = out[10] = 0;
  out[7] = data.empty() ? 0 : is_signed ? 2 : 1;
  out[9] = static_cast<std::uint8_t>(absence);
  out[11] = question_.has_edns ? 1 : 0;
}

class UdpService {
 public:
  UdpService(Fd fd, Zone& zone) : fd_(std::move(fd)), zone_(zone) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      query_parts_[i] = {queries_[i].data(), queries_[i].size()};
      received_[i].msg_hdr.msg_iov = &query_parts_[i];
      received_[i].msg_hdr.msg_iovlen = 1;
      received_[i].msg_hdr.msg_name = &senders_[i];
    }
  }

  const Fd& fd() const { return fd_; }

  void serve() {
    for (mmsghdr& message : received_) message.msg_hdr.msg_namelen = sizeof(sockaddr_in);
    const int count = recvmmsg(fd_.get(), received_.data(), kBatch, MSG_DONTWAIT, nullptr);
    unsigned ready = 0;
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      zone_.answer({queries_[at].data(), received_[at].msg_len}, answers_[ready]);
      if (answers_[ready].empty()) continue;
      answer_parts_[ready] = {answers_[ready].data(), answers_[ready].size()};
      sent_[ready] = {};
      sent_[ready].msg_hdr.msg_iov = &answer_parts_[ready];
      sent_[ready].msg_hdr.msg_iovlen = 1;
      sent_[ready].msg_hdr.msg_name = &senders_[at];
      sent_[ready].msg_hdr.msg_namelen = sizeof(sockaddr_in);
      ++ready;
    }
    // A datagram that does not fit is lost, as on any network; the asker tries again.
    if (ready != 0) sendmmsg(fd_.get(), sent_.data(), ready, 0);
  }

 private:
  Fd fd_;
  Zone& zone_;
  std::array<std::array<std::uint8_t, kMaxQueryBytes>, kBatch> queries_{};
  std::array<sockaddr_in, kBatch> senders_{};
  std::array<iovec, kBatch> query_parts_{};
  std::array<mmsghdr, kBatch> received_{};
  std::array<Bytes, kBatch> answers_{};
  std::array<iovec, kBatch> answer_parts_{};
  std::array<mmsghdr, kBatch> sent_{};
};

struct TcpClient {
  Fd fd;
  Bytes input;
};

// False when the connection is over.
bool serve_tcp(Zone& zone, TcpClient& client) {
  std::array<std::uint8_t, kMaxQueryBytes> buffer;
  const ssize_t count = recv(client.fd.get(), buffer.data(), buffer.size(), 0);
  if (count <= 0) return count < 0 && errno == EAGAIN;
  client.input.insert(client.input.end(), buffer.begin(), buffer.begin() + count);
  Bytes reply;
  while (client.input.size() >= 2) {
    const std::size_t length = read_u16(client.input, 0);
    if (client.input.size() < 2 + length) break;
    Bytes framed;
    zone.answer({client.input.data() + 2, length}, reply);
    append_u16(framed, static_cast<std::uint16_t>(reply.size()));
    framed.insert(framed.end(), reply.begin(), reply.end());
    if (reply.empty() || send(client.fd.get(), framed.data(), framed.size(), MSG_NOSIGNAL) < 0) {
      return false;
    }
    client.input.erase(client.input.begin(),
                       client.input.begin() + static_cast<std::ptrdiff_t>(2 + length));
  }
  return true;
}

constexpr std::uint64_t kUdpTag = UINT64_MAX;
constexpr std::uint64_t kListenerTag = UINT64_MAX - 1;

// Every signature that resolving these domains needs, so that making them is not measured.
void prepare(Zone& zone, unsigned domains) {
  Bytes query;
  Bytes reply;
  for (unsigned number = 0; number < domains; ++number) {
    const std::string domain = domain_name(DomainKind::kWithPolicy, number);
    const std::string mail_host = std::string("mx1.").append(domain);
    const std::pair<std::string, DnsType> questions[] = {
        {std::string("_mta-sts.").append(domain), DnsType::kTxt},
        {policy_host(number), DnsType::kA},
        {policy_host(number), DnsType::kAaaa},
        {domain, DnsType::kMx},
        {mail_host, DnsType::kA},
        {mail_host, DnsType::kAaaa},
        {std::string("_25._tcp.").append(mail_host), DnsType::kTlsa}};
    for (const auto& [name, type] : questions) {
      build_query(query, 0, name, type, Signatures::kWanted);
      zone.answer(query, reply);
    }
  }
}

void serve(Zone& zone, const sockaddr_in& address) {
  const auto udp = std::make_unique<UdpService>(bind_udp(address), zone);
  const Fd listener = listen_tcp(address);
  std::unordered_map<std::uint64_t, TcpClient> clients;
  Epoll epoll;
  epoll.add(udp->fd(), EPOLLIN, kUdpTag);
  epoll.add(listener, EPOLLIN, kListenerTag);
  announce_ready();
  std::array<epoll_event, kBatch> events;
  for (;;) {
    const int count = epoll_wait(epoll.get(), events.data(), kBatch, -1);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
      if (tag == kUdpTag) {
        udp->serve();
      } else if (tag == kListenerTag) {
        Fd fd = accept_tcp(listener);
        if (fd.get() < 0) continue;
        const auto key = static_cast<std::uint64_t>(fd.get());
        epoll.add(fd, EPOLLIN, key);
        clients[key] = {std::move(fd), {}};
      } else if (!serve_tcp(zone, clients.at(tag))) {
        clients.erase(tag);
      }
    }
  }
}

constexpr OptionSpec kOptions[] = {
    {"listen", "127.0.0.1:53", "address and port, UDP and TCP"},
    {"anchor", "", "sign the zone, and write its trust anchor here"},
    {"prepare", "0", "domains whose signatures are made before the first answer"}};

}  // namespace
}  // namespace strictmx::bench

int main(int argc, char** argv) {
  using namespace strictmx::bench;
  const Options options(argc, argv, kOptions);
  Zone zone;
  const std::string& anchor = options.text("anchor");
  if (!anchor.empty()) {
    zone.sign();
    prepare(zone, static_cast<unsigned>(options.number("prepare")));
    std::ofstream file(anchor);
    if (!(file << zone.signer().anchor()).flush()) die(anchor);
  }
  serve(zone, parse_endpoint(options.text("listen")));
}
