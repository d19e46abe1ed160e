// mx_list.h - the current MX hosts of a next hop, each judged by the verdict.
//
// Use: mx_list() on a verdict that was asked for with DANE, which looks up the MX hosts.
// Threads: pure. Errors: MxList::error, in words, where the hosts can't be told.
#pragma once

#include <string>
#include <vector>

#include "common/verdict/verdict.h"

namespace strictmx::verdict {

struct MxListHost {
  unsigned preference = 0;
  std::string name;
  MxDecision decision;
};

struct MxList {
  std::vector<MxListHost> hosts;  // in preference order
  bool is_implicit = false;       // no MX record: the domain itself (RFC 5321 §5.1)
  bool is_null = false;           // the domain takes no mail (RFC 7505)
  std::string error;              // why the hosts can't be told, else empty
};

MxList mx_list(const Verdict& verdict);

// The MX hosts in DNS that the domain's own policy, of mode enforce or testing, does not name (RFC
// 8461 §4.1) and that DANE does not stand for. None under an override: what it says is not the
// domain's; and none where this site's configuration names the host.
std::vector<std::string> hosts_outside_policy(const Verdict& verdict);

}  // namespace strictmx::verdict
