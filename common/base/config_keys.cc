// config_keys.cc - see config_keys.h.
#include "common/base/config_keys.h"

#include <array>

namespace strictmx::base {
namespace {

using enum ConfigType;

constexpr std::array kKeys = std::to_array<ConfigKey>({
    {"user", kText, "\"_strictmx\"",
     "The user that strictmxd becomes when started as root; where _strictmx does not exist, nobody "
     "is taken with a warning. \"root\" stays root."},

    {"listen.socketmap", kListenerList, "[\"127.0.0.1:8461\", \"unix:@RUN@/strictmx.sock\"]",
     "Where questions are answered: \"HOST:PORT\", \"unix:PATH\", or {path, mode, group}. UNIX "
     "sockets have mode 0666 unless said otherwise."},
    {"listen.results", kListenerList, "[\"unix:@RUN@/tlsrpt.sock\"]",
     "Where mail servers send results of TLS sessions (datagrams, as libtlsrpt does): "
     "\"unix:PATH\", or {path, mode, group}; mode 0666 unless said otherwise. [] for none."},
    {"listen.control", kListener, "\"unix:@RUN@/control.sock\"",
     "Where the command strictmx changes and reads state; mode 0600, see control.users."},
    {"listen.admin", kListener, "\"127.0.0.1:8462\"",
     "HTTP with /metrics and /healthz; \"\" for none."},
    {"listen.max_connections", kInteger, "1024",
     "Open connections over all socketmap listeners. When it is reached, the one longest idle is "
     "closed for a new one.",
     "", 1, 100000},

    {"control.users", kTextList, "[]",
     "Users beside root and the daemon's own that may use the control socket."},

    {"client.server", kText, "\"unix:@RUN@/strictmx.sock\"",
     "Where the programs ask strictmxd: \"unix:PATH\" or \"HOST:PORT\"."},
    {"client.control", kText, "\"unix:@RUN@/control.sock\"",
     "Where the command strictmx finds the control socket: \"unix:PATH\"."},

    {"answer.wait", kSeconds, "20",
     "A question waits this long for a first resolution, then is answered TEMP while the work goes "
     "on.",
     "", 1, 95},
    {"answer.skip_domains", kTextList, "[]",
     "Domains, and all names below them, that are always answered NOTFOUND: private zones."},

    {"postfix.dane", kFlag, "false",
     "Tell Postfix about DANE too (levels dane and dane-only). Only for a Postfix with "
     "smtp_dns_support_level = dnssec and its own level at may or dane: 'strictmx setup postfix' "
     "looks. The maps QUERY and QUERYwithTLSRPT always do."},

    {"dns.mode", kText, "\"system\"",
     "system: the name servers of /etc/resolv.conf; forward: dns.resolvers; recursive: none, ask "
     "the authoritative servers.",
     "system|forward|recursive"},
    {"dns.resolvers", kTextList, "[]", "Addresses of the name servers for dns.mode = \"forward\"."},
    {"dns.port", kInteger, "53", "Port of dns.resolvers.", "", 1, 65535},
    {"dns.trust_anchor_file", kText, "\"/usr/share/dns/root.key\"",
     "DS or DNSKEY records that DNSSEC validation starts from."},
    {"dns.dnssec", kText, "\"auto\"",
     "require: validate; auto: validate unless the name servers strip signatures (then warn, and "
     "test again); off: never.",
     "auto|require|off"},
    {"dns.timeout", kSeconds, "8", "Deadline of one DNS question, all retries included.", "", 1,
     60},

    {"https.ca_file", kText, "\"/etc/ssl/certs/ca-certificates.crt\"",
     "Roots that certificates of policy hosts must chain to (PEM)."},
    {"https.timeout", kSeconds, "60", "Deadline of one policy fetch (RFC 8461 3.3 suggests 60).",
     "", 1, 600},
    {"https.max_bytes", kInteger, "65536",
     "Largest policy accepted, bytes (RFC 8461 3.3 suggests 65536).", "", 1024, 65536},
    {"https.proxy", kText, "\"\"",
     "HTTP CONNECT proxy for policy fetches, \"http://ADDRESS:PORT\" with an IP address; no "
     "environment variable is asked."},

    {"cache.max_entries", kInteger, "200000",
     "Domains kept in memory; policies of further ones are served from the store.", "", 100,
     10000000},
    {"cache.max_stored", kInteger, "1000000",
     "Policies kept in the store. Beyond that expired ones go, then those used on one day only; "
     "what was used on more days stays.",
     "", 1000, 100000000},
    {"cache.refresh", kSeconds, "86400",
     "Policies are fetched anew this long after the last fetch, or after half their max_age if "
     "that is sooner.",
     "", 300, 31557600},
    {"cache.idle_days", kInteger, "30",
     "Policies of domains not asked for in so many days are not refreshed, and go when they "
     "expire.",
     "", 1, 3650},

    {"results.keep_days", kInteger, "30", "Days for which results of TLS sessions are kept.", "", 2,
     3650},
    {"results.max_spool_bytes", kInteger, "268435456",
     "Largest size of the results that were taken and are not in the store yet, bytes; beyond it "
     "senders wait.",
     "", 16777216, 1099511627776},

    {"store.path", kText, "\"@STATE@/strictmx.db\"", "The database file."},

    {"log.level", kText, "\"info\"", "What is logged.", "error|warning|info|debug"},
    {"log.target", kText, "\"stderr\"", "Where to.", "stderr|syslog"},

    {"override", kTableList, "[]",
     "What holds for a domain whatever it publishes: mode (enforce, testing, none), or mx, a list "
     "of patterns in place of the policy's; until, a date to the end of which it holds; note. Goes "
     "before 'strictmx override set'.",
     "domain|mode|mx|until|note"},
});

}  // namespace

std::span<const ConfigKey> config_keys() { return kKeys; }

}  // namespace strictmx::base
