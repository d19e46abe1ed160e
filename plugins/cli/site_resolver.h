// site_resolver.h - the name servers that smtp(8) asks, and whether they validate DNSSEC for it.
//
// Use: look_at_resolver() on the resolv.conf of the site, which for a smtp(8) in a chroot is the
// copy in there. Threads: the main thread alone; blocks up to kProbeTimeout a name server.
// Postfix does no DNSSEC itself: it believes the AD bit of whatever resolver it asks, so that one
// must be on this machine (RFC 7672 §2.1.1, RFC 6698 §A.3). Only such ones are asked here.
// Limits: kMaxResolvConfBytes of the file, and the name servers that the C library takes of it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace strictmx::cli {

inline constexpr std::size_t kMaxResolvConfBytes = 64 * 1024;
// MAXNS of resolv.h: further ones are passed over.
inline constexpr std::size_t kMaxNameServers = 3;

struct ResolvConf {
  std::vector<std::string> name_servers;
  bool trusts_ad = false;  // options trust-ad
};
// resolv.conf(5); a line that holds no address is passed over.
ResolvConf parse_resolv_conf(std::string_view text);

enum class Validation {
  kYes,       // each name server sets AD on a signed answer
  kNo,        // one answers without it
  kNoAnswer,  // one gives none, or an error
  kNotLocal,  // one is on another machine: not asked, its AD proves nothing
};

struct SiteResolver {
  std::string file;
  ResolvConf conf;
  Validation validation = Validation::kNoAnswer;
  std::string culprit;  // the name server that decided, when it is not kYes
};
SiteResolver look_at_resolver(const std::string& file);

std::string_view validation_name(Validation validation);

}  // namespace strictmx::cli
