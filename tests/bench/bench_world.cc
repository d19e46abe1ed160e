// bench_world.cc - the small world that the benchmark measures.
#include "bench_world.h"

#include <charconv>

namespace strictmx::bench {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool ends_with_zone(std::string_view name) {
  if (name.size() < kZone.size()) return false;
  const std::string_view end = name.substr(name.size() - kZone.size());
  for (std::size_t i = 0; i < kZone.size(); ++i) {
    if (lower(end[i]) != kZone[i]) return false;
  }
  return true;
}

}  // namespace

std::string domain_name(DomainKind kind, unsigned number) {
  std::string name = kind == DomainKind::kWithPolicy ? "d" : "none";
  return name.append(std::to_string(number)).append(kZone);
}

std::optional<unsigned> number_of_domain(std::string_view name) {
  if (!ends_with_zone(name) || lower(name.front()) != 'd') return std::nullopt;
  const char* first = name.data() + 1;
  const char* last = name.data() + name.size() - kZone.size();
  unsigned number = 0;
  const auto [end, error] = std::from_chars(first, last, number);
  if (error != std::errc() || end != last) return std::nullopt;
  return number;
}

std::string policy_host(unsigned number) {
  return std::string(kPolicyHostLabel).append(domain_name(DomainKind::kWithPolicy, number));
}

std::string policy_text(unsigned number) {
  const std::string domain = domain_name(DomainKind::kWithPolicy, number);
  return "version: STSv1\r\nmode: enforce\r\nmx: mx1." + domain + "\r\nmx: *." + domain +
         "\r\nmax_age: 604800\r\n";
}

ExpectedAnswers expected_answers(unsigned number) {
  const std::string wild = std::string(".").append(domain_name(DomainKind::kWithPolicy, number));
  const std::string host = std::string("mx1").append(wild);
  return {"OK secure match=" + host + ":" + wild + " servername=hostname",
          "OK secure match=" + wild + ":" + host + " servername=hostname"};
}

std::uint32_t policy_host_address(unsigned number) {
  constexpr std::uint32_t kFirst = 127u << 24 | 1u << 16;
  constexpr std::uint32_t kRoom = 200u << 16;
  return kFirst + number % kRoom;
}

}  // namespace strictmx::bench
