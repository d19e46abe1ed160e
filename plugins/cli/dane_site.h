// dane_site.h - what strictmxd's DANE answers need of a Postfix site, and whether it has that.
//
// Use: look_at_dane(), then advise_dane() where nothing is in the way. Threads: pure functions.
// Rules, each from plugins/postfix/README.md, where what Postfix does is written down:
// - no answer may weaken the site's own level: `dane` is weaker than encrypt, verify, secure and
//   fingerprint, and `dane` and `secure` are weaker than dane-only;
// - a `secure` answer must not stand in for a failing DANE check (RFC 8461 §2): at level `dane`
//   strictmxd must look at DANE itself, which is postfix.dane;
// - Postfix does DANE only with smtp_dns_support_level = dnssec, DNS as its host lookup, MX errors
//   not ignored, no search lists, and a validating resolver on this machine.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "plugins/cli/postfix_site.h"

namespace strictmx::cli {

// What switches DANE answers on, in strictmx.toml.
inline constexpr std::array<std::string_view, 2> kDaneLines{"[postfix]", "dane = true"};

DaneAdvice look_at_dane(const PostfixSite& site, const StrictmxSite& own);

// Why DANE forbids the map here, or forbids it for now; empty when it does not. `is_asked`: the
// map is there already.
std::string dane_obstacle(const DaneAdvice& dane, bool is_asked);

// Adds the settings and notes that DANE answers call for where they are on.
void advise_dane(PostfixVersion version, const SiteResolver& resolver, Advice& advice);

// One line on what DANE answers would bring, or would need, where they are off; else empty.
std::string dane_option(const DaneAdvice& dane);

}  // namespace strictmx::cli
