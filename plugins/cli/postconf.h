// postconf.h - runs postconf(1) and reads what a Postfix site has set.
//
// Use: find_postconf(), then read_site(). Threads: the main thread alone.
// Nothing goes through a shell; the program is taken from a full path of PATH (never from a
// relative one) or from the usual places that an ordinary user's PATH does not have.
// Errors: kUnavailable when postconf is not there, fails, is silent for kPostconfTimeout or says
// more than kMaxPostconfBytes.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "plugins/cli/exit_code.h"
#include "plugins/cli/postfix_site.h"

namespace strictmx::cli {

inline constexpr std::chrono::seconds kPostconfTimeout{20};
// A site's list of policy maps may be long; a megabyte is not a main.cf.
inline constexpr std::size_t kMaxPostconfBytes = 1024 * 1024;

Or<std::string> find_postconf();

// `config_directory`: postconf -c, else Postfix's own choice.
Or<PostfixSite> read_site(const std::string& postconf,
                          const std::optional<std::string>& config_directory);

}  // namespace strictmx::cli
