// bench_dns.cc - a DNS server for the benchmark's world, over UDP and TCP, as cheap as can be.
//
// Answers TXT of _mta-sts.dN.test, A of mta-sts.dN.test and mx1.*.test, MX of dN.test and
// noneN.test; the other types of these names have no data, and every other name does not exist,
// both with the zone's SOA (RFC 2308). No DNSSEC. EDNS is answered where it was asked.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "bench_world.h"
#include "dns_message.h"
#include "options.h"
#include "sockets.h"

namespace strictmx::bench {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kTtl = 3600;
constexpr std::uint32_t kNegativeTtl = 900;
constexpr std::uint16_t kPointerToQuestion = 0xC00C;
constexpr std::size_t kBatch = 64;
constexpr std::size_t kMaxQueryBytes = 2048;

enum class Owner { kUnknown, kTxt, kPolicyHost, kMailDomain, kMailHost };

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
  } else if (strip_prefix(name, "mx1.")) {
    owner = Owner::kMailHost;
  }
  if (const std::optional<unsigned> number = number_of_domain(name)) return {owner, *number};
  const bool has_mail = owner == Owner::kMailDomain || owner == Owner::kMailHost;
  if (has_mail && strip_prefix(name, "none")) return {owner, 0};
  return {};
}

void append_record_head(Bytes& out, DnsType type, std::uint32_t ttl) {
  append_u16(out, static_cast<std::uint16_t>(type));
  append_u16(out, 1);
  append_u32(out, ttl);
}

void append_txt(Bytes& out, unsigned number) {
  const std::string text = "v=STSv1; id=" + std::to_string(number) + ";";
  append_u16(out, kPointerToQuestion);
  append_record_head(out, DnsType::kTxt, kTtl);
  append_u16(out, static_cast<std::uint16_t>(text.size() + 1));
  out.push_back(static_cast<std::uint8_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
}

void append_address(Bytes& out, unsigned number) {
  append_u16(out, kPointerToQuestion);
  append_record_head(out, DnsType::kA, kTtl);
  append_u16(out, 4);
  append_u32(out, policy_host_address(number));
}

void append_mx(Bytes& out) {
  append_u16(out, kPointerToQuestion);
  append_record_head(out, DnsType::kMx, kTtl);
  append_u16(out, 8);
  append_u16(out, 10);
  out.push_back(3);
  for (const char c : {'m', 'x', '1'}) out.push_back(static_cast<std::uint8_t>(c));
  append_u16(out, kPointerToQuestion);
}

void append_soa(Bytes& out) {
  Bytes data;
  append_name(data, "ns.test");
  append_name(data, "hostmaster.test");
  for (const std::uint32_t field : {1u, 3600u, 600u, 86400u, kNegativeTtl}) append_u32(data, field);
  append_name(out, "test");
  append_record_head(out, DnsType::kSoa, kNegativeTtl);
  append_u16(out, static_cast<std::uint16_t>(data.size()));
  out.insert(out.end(), data.begin(), data.end());
}

void append_edns(Bytes& out) {
  out.push_back(0);
  append_u16(out, static_cast<std::uint16_t>(DnsType::kOpt));
  append_u16(out, 1232);
  append_u32(out, 0);
  append_u16(out, 0);
}

// True if the place has data of this type; it is then appended.
bool append_answer(Bytes& out, const Place& place, DnsType type) {
  if (place.owner == Owner::kTxt && type == DnsType::kTxt) {
    append_txt(out, place.number);
  } else if (place.owner == Owner::kMailDomain && type == DnsType::kMx) {
    append_mx(out);
  } else if ((place.owner == Owner::kPolicyHost || place.owner == Owner::kMailHost) &&
             type == DnsType::kA) {
    append_address(out, place.number);
  } else {
    return false;
  }
  return true;
}

// Leaves `out` empty when the query deserves no answer.
void answer(std::span<const std::uint8_t> query, Bytes& out) {
  static Question question;
  out.clear();
  if (!read_question(query, question)) return;
  const Place place = find_place(question.name);
  out.insert(out.end(), query.begin(), query.begin() + static_cast<std::ptrdiff_t>(question.end));
  const bool has_data = append_answer(out, place, static_cast<DnsType>(question.type));
  if (!has_data) append_soa(out);
  if (question.has_edns) append_edns(out);
  const std::uint8_t code = place.owner == Owner::kUnknown ? 3 : 0;
  out[2] = static_cast<std::uint8_t>(0x84 | (query[2] & 0x01));  // QR, AA, RD as asked.
  out[3] = static_cast<std::uint8_t>(0x80 | code);               // RA.
  out[6] = out[8] = out[10] = 0;
  out[7] = has_data ? 1 : 0;
  out[9] = has_data ? 0 : 1;
  out[11] = question.has_edns ? 1 : 0;
}

class UdpService {
 public:
  explicit UdpService(Fd fd) : fd_(std::move(fd)) {
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
      answer({queries_[at].data(), received_[at].msg_len}, answers_[ready]);
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
bool serve_tcp(TcpClient& client) {
  std::array<std::uint8_t, kMaxQueryBytes> buffer;
  const ssize_t count = recv(client.fd.get(), buffer.data(), buffer.size(), 0);
  if (count <= 0) return count < 0 && errno == EAGAIN;
  client.input.insert(client.input.end(), buffer.begin(), buffer.begin() + count);
  Bytes reply;
  while (client.input.size() >= 2) {
    const std::size_t length = read_u16(client.input, 0);
    if (client.input.size() < 2 + length) break;
    Bytes framed;
    answer({client.input.data() + 2, length}, reply);
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

void serve(const sockaddr_in& address) {
  const auto udp = std::make_unique<UdpService>(bind_udp(address));
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
      } else if (!serve_tcp(clients.at(tag))) {
        clients.erase(tag);
      }
    }
  }
}

constexpr OptionSpec kOptions[] = {{"listen", "127.0.0.1:53", "address and port, UDP and TCP"}};

}  // namespace
}  // namespace strictmx::bench

int main(int argc, char** argv) {
  using namespace strictmx::bench;
  const Options options(argc, argv, kOptions);
  serve(parse_endpoint(options.text("listen")));
}
