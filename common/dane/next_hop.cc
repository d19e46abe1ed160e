// next_hop.cc - see next_hop.h.
#include "common/dane/next_hop.h"

namespace strictmx::dane {

std::string NextHop::text() const {
  std::string out = is_bracketed ? "[" + domain.text() + "]" : domain.text();
  if (port != kSmtpPort) out += ":" + std::to_string(port);
  return out;
}

}  // namespace strictmx::dane
