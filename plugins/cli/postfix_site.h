// postfix_site.h - what a Postfix site has set, and what it must set to ask strictmxd.
//
// Use: advise() on a site read by postconf.h. Threads: pure functions.
// Rules, each from plugins/postfix/README.md:
// - the map by version: before 3.4 none (no servername attribute), to 3.9 `postfix`, from 3.10
//   `postfix-tlsrpt`;
// - maps that are there stay first: an operator's own entry for a domain must win;
// - no answer may weaken the site's own level; what that means for DANE is in dane_site.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/cli/site_resolver.h"

namespace strictmx::cli {

enum class Chroot { kYes, kNo, kNoService };

struct PostfixSite {
  std::string version;
  std::string security_level;  // "" is unset
  bool use_tls = false;        // the obsolete smtp_use_tls, smtp_enforce_tls
  bool enforce_tls = false;
  std::string ca_file;
  std::string ca_path;
  bool ca_file_is_readable = false;
  bool wrapper_mode = false;
  std::string policy_maps;  // as written, with $name
  std::string policy_maps_expanded;
  std::string log_level;
  bool enforces_mx_patterns = true;
  std::string relay_host;
  std::string transport_maps;
  std::string default_transport;
  std::string queue_directory;
  Chroot chroot = Chroot::kNo;
  std::vector<std::string> map_types;
  // What DANE needs beside the level.
  std::string dns_support_level;
  std::string host_lookup;
  std::string dns_resolver_options;
  bool ignores_mx_lookup_error = false;
  SiteResolver resolver;
};

// What of our own configuration the site's lines depend on.
struct StrictmxSite {
  std::vector<std::string> listeners;  // listen.socketmap
  std::string ca_file;                 // https.ca_file: the roots that this machine trusts
  bool ca_file_is_readable = false;
  bool dane = false;        // postfix.dane
  std::string config_file;  // where that is set
};

struct Setting {
  std::string name;
  std::string value;
  std::string why;
};

// What DANE answers need, and whether this site has it.
struct DaneAdvice {
  bool is_on = false;                // postfix.dane
  std::string level;                 // the site's own, as it will be
  bool is_level_right = false;       // `may` or `dane`: no DANE answer is weaker
  std::vector<Setting> settings;     // of Postfix, that are missing
  std::vector<std::string> missing;  // in words: those settings, and what the resolver lacks
  std::vector<std::string> has;
  std::string config_file;  // the file for kDaneLines

  bool is_ready() const { return is_level_right && missing.empty(); }
};

struct Advice {
  std::string blocked;            // why nothing may be set, else empty
  std::string table;              // the map by its name in Postfix, for postmap -q too
  std::vector<Setting> settings;  // what to change, in order
  std::vector<std::string> done;  // what is right already
  std::vector<std::string> warnings;
  DaneAdvice dane;
};

struct PostfixVersion {
  int major = 0;
  int minor = 0;
  int patch = 0;
  auto operator<=>(const PostfixVersion&) const = default;
};
// "3.7.11", "3.12-20260821"; none when it does not begin with two numbers.
std::optional<PostfixVersion> read_version(std::string_view text);

Advice advise(const PostfixSite& site, const StrictmxSite& own);

// The tables of a *_maps value: separated by blanks and commas, braces kept together.
std::vector<std::string> split_maps(std::string_view value);

}  // namespace strictmx::cli
