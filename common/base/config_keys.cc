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

    {"report.organization", kText, "\"\"",
     "Reports (RFC 8460) are sent once this, report.contact and report.from are set: the name of "
     "who reports (organization-name)."},
    {"report.contact", kText, "\"\"",
     "Mail address that readers of reports may turn to (contact-info); its domain is the submitter "
     "that reports name and DKIM signs for."},
    {"report.from", kText, "\"\"", "Mail address that report mails come from."},
    {"report.dkim_keys", kTextList, "[]",
     "Private keys that sign report mails, each \"SELECTOR:FILE\"; 'strictmx dkim-key' makes one. "
     "[]: the mail server signs.",
     "", 0, 4},
    {"report.smtp_server", kText, "\"127.0.0.1:25\"",
     "\"HOST:PORT\" that takes report mails by SMTP; \"\" hands them to report.sendmail."},
    {"report.sendmail", kText, "\"/usr/sbin/sendmail\"",
     "Program that takes report mails where report.smtp_server is \"\". strictmxd has given up new "
     "privileges, so one that is set-group-ID for its queue (Postfix, Sendmail) works only with "
     "user "
     "= \"root\"."},
    {"report.only_failures", kFlag, "false",
     "Send no report about a day of successes. Domain owners want those too: as a sign of life."},
    {"report.ignore_own_mails", kFlag, "false",
     "Send no report about a day without failures on which a domain met no more sessions than it "
     "was "
     "sent report mails: for mail servers that count the sessions of those, so that reports don't "
     "trigger reports. Postfix does not count them since August 2025."},
    {"report.max_recipients", kInteger, "8", "Destinations of one record that get a report.", "", 1,
     32},
    {"report.max_mails_to_mailbox", kInteger, "1000",
     "Reports that one mailbox is sent on a day, about all domains together.", "", 1, 1000000},
    {"report.allow_private_addresses", kFlag, "false",
     "Send reports by HTTPS also to loopback and private addresses that a record points at; those "
     "of [[report_rule]] may have any."},

    {"store.path", kText, "\"@STATE@/strictmx.db\"", "The database file."},

    {"log.level", kText, "\"info\"", "What is logged.", "error|warning|info|debug"},
    {"log.target", kText, "\"stderr\"", "Where to.", "stderr|syslog"},

    {"override", kTableList, "[]",
     "What holds for a domain whatever it publishes: mode (enforce, testing, none), or mx, a list "
     "of patterns in place of the policy's; until, a date to the end of which it holds; note. Goes "
     "before 'strictmx override set'.",
     "domain|mode|mx|until|note"},

    {"report_rule", kTableList, "[]",
     "What holds for the reports to a domain (\"*\": all without a rule of their own): skip = "
     "true; or recipients, in place of those its record names; or copies, beside them. Both "
     "are "
     "lists of mailto:, https: and file:/FOLDER.",
     "domain|skip|recipients|copies"},
});

}  // namespace

std::span<const ConfigKey> config_keys() { return kKeys; }

}  // namespace strictmx::base
