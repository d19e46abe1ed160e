// schema.h - the tables of the store, and how an older store becomes a newer one.
//
// Use: kMigrations[n] brings a store from schema version n to n + 1 (PRAGMA user_version).
//
// Version 1
//   policies: one row a policy domain with the last good policy (RFC 8461 §3.3), live or expired.
//     domain        lower-case A-labels
//     id            of the TXT record that the policy was fetched under
//     body          "key: value" lines joined by LF, as mta_sts::Policy::lines
//     fetched       UTC seconds of the last successful fetch
//     expires       fetched + max_age
//     refresh_at    UTC seconds of the next refresh, or of the next try after a failed one
//     last_used     UTC day number (seconds / 86400) of the last question
//     days_used     on how many days it was asked for (a policy used twice outlives a flood)
//
// Version 2
//   overrides: what the operator set with `strictmx override set`, one row a domain.
//     domain        lower-case A-labels
//     mode          enforce, testing or none
//     mx            own patterns, lower-case, joined by blanks; empty: the policy's
//     ends          UTC seconds at which it ceases to hold; 0: never
//     note          the operator's words
//     set_at        UTC seconds
//     set_by        uid of the operator
//
// Version 3: results of TLS sessions (RFC 8460)
//   result_texts: each policy as applied and each kind of failure once, however many rows name it.
//     id            referred to by `results`; 0 is never given
//     hash          base::text_hash of the text with the key below; unsigned, stored as signed
//     bytes         of text
//     text          as reporting/result_text.h writes it
//     last_day      UTC day number of the newest row that names it; it goes with that
//   result_text_key: one row, random and this store's own: who sends results must not be able to
//   choose texts of one hash.
//     id            always 1
//     first, second base::HashKey, stored as signed
//   results: counters per UTC day of the session, policy domain, policy as applied, failure
//   details.
//     day           UTC day number (seconds / 86400)
//     domain        policy domain, lower-case A-labels
//     policy        result_texts.id
//     failure       result_texts.id; 0: the row counts sessions by their final result
//     succeeded     sessions; 0 in the rows of failures
//     failed        sessions; in the rows of failures, how often it was met
//   spool_position: one row, how far the spool has been applied; written with what was applied.
//     id            always 1
//     segment       number of the segment
//     position      bytes of it that are applied
//
// Version 4
//   policies_by_refresh   what is due, of that what ends soonest first
//   policies_by_expiry, policies_used_once: what makes room first when there are too many
//
// Version 5: reports of TLS results (RFC 8460)
//   report_days: days that need no more planning: all their domains have a row in `reports`, or
//   reports were off. None later than the day before yesterday counts.
//     day           UTC day number
//   reports: one row a day and policy domain.
//     id            referred to by report_recipients
//     day, domain   as in `results`
//     state         reporting::ReportState
//     attempts      of the look-up at _smtp._tls.<domain>
//     since         UTC seconds of the first attempt at anything; 0: none yet
//     next_at       UTC seconds at which something is to be done
//     created       UTC seconds at which it was built, the Date of its mail; 0: not yet
//     why           words about a report that is not sent, or that waits
//     report        its JSON in gzip, while a recipient may still get it: a later attempt sends
//                   the same bytes
//   report_recipients
//     report        reports.id
//     uri           mailto:, https: or file:
//     origin        reporting::Origin: the domain's record or the operator's rule
//     state         reporting::RecipientState
//     attempts, next_at, why   of this recipient
//   report_mailboxes: how many reports a mailbox was to get on a day, for the bound on them.
//     day           UTC day number of the building, not of the results
//     domain        of the mailbox
//     mailbox       local part and domain
//     mails
#pragma once

#include <array>

namespace strictmx::store {

// The indexes of policies as they are now. Whoever rewrites every row drops them before and makes
// them anew after it: ten times as fast as to keep each in order meanwhile.
struct Index {
  const char* drop;
  const char* create;
};
#define STRICTMX_BY_REFRESH "CREATE INDEX policies_by_refresh ON policies (refresh_at, expires);"
#define STRICTMX_BY_EXPIRY "CREATE INDEX policies_by_expiry ON policies (expires);"
#define STRICTMX_USED_ONCE \
  "CREATE INDEX policies_used_once ON policies (last_used) WHERE days_used < 2;"
inline constexpr std::array kPolicyIndexes = {
    Index{"DROP INDEX policies_by_refresh", STRICTMX_BY_REFRESH},
    Index{"DROP INDEX policies_by_expiry", STRICTMX_BY_EXPIRY},
    Index{"DROP INDEX policies_used_once", STRICTMX_USED_ONCE},
};

inline constexpr std::array kMigrations = {
    "CREATE TABLE policies ("
    "  domain TEXT PRIMARY KEY NOT NULL,"
    "  id TEXT NOT NULL,"
    "  body TEXT NOT NULL,"
    "  fetched INTEGER NOT NULL,"
    "  expires INTEGER NOT NULL,"
    "  refresh_at INTEGER NOT NULL,"
    "  last_used INTEGER NOT NULL,"
    "  days_used INTEGER NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE INDEX policies_by_refresh ON policies (refresh_at);",

    "CREATE TABLE overrides ("
    "  domain TEXT PRIMARY KEY NOT NULL,"
    "  mode TEXT NOT NULL,"
    "  mx TEXT NOT NULL,"
    "  ends INTEGER NOT NULL,"
    "  note TEXT NOT NULL,"
    "  set_at INTEGER NOT NULL,"
    "  set_by INTEGER NOT NULL"
    ") WITHOUT ROWID;",

    "CREATE TABLE result_texts ("
    "  id INTEGER PRIMARY KEY,"
    "  hash INTEGER NOT NULL,"
    "  bytes INTEGER NOT NULL,"
    "  text TEXT NOT NULL,"
    "  last_day INTEGER NOT NULL"
    ");"
    "CREATE INDEX result_texts_by_hash ON result_texts (hash);"
    "CREATE INDEX result_texts_by_last_day ON result_texts (last_day);"
    "CREATE TABLE result_text_key ("
    "  id INTEGER PRIMARY KEY,"
    "  first INTEGER NOT NULL,"
    "  second INTEGER NOT NULL"
    ");"
    "INSERT INTO result_text_key (id, first, second) VALUES (1, random(), random());"
    "CREATE TABLE results ("
    "  day INTEGER NOT NULL,"
    "  domain TEXT NOT NULL,"
    "  policy INTEGER NOT NULL,"
    "  failure INTEGER NOT NULL,"
    "  succeeded INTEGER NOT NULL,"
    "  failed INTEGER NOT NULL,"
    "  PRIMARY KEY (day, domain, policy, failure)"
    ") WITHOUT ROWID;"
    "CREATE TABLE spool_position ("
    "  id INTEGER PRIMARY KEY,"
    "  segment INTEGER NOT NULL,"
    "  position INTEGER NOT NULL"
    ");",

    "DROP INDEX policies_by_refresh;" STRICTMX_BY_REFRESH STRICTMX_BY_EXPIRY STRICTMX_USED_ONCE,

    "CREATE TABLE report_days ("
    "  day INTEGER PRIMARY KEY"
    ");"
    "INSERT INTO report_days (day) SELECT DISTINCT day FROM results;"
    "CREATE TABLE reports ("
    "  id INTEGER PRIMARY KEY,"
    "  day INTEGER NOT NULL,"
    "  domain TEXT NOT NULL,"
    "  state INTEGER NOT NULL,"
    "  attempts INTEGER NOT NULL,"
    "  since INTEGER NOT NULL,"
    "  next_at INTEGER NOT NULL,"
    "  created INTEGER NOT NULL,"
    "  why TEXT NOT NULL,"
    "  report BLOB NOT NULL"
    ");"
    "CREATE UNIQUE INDEX reports_by_day ON reports (day, domain);"
    "CREATE INDEX reports_by_next ON reports (next_at) WHERE state < 2;"
    "CREATE TABLE report_recipients ("
    "  report INTEGER NOT NULL,"
    "  uri TEXT NOT NULL,"
    "  origin INTEGER NOT NULL,"
    "  state INTEGER NOT NULL,"
    "  attempts INTEGER NOT NULL,"
    "  next_at INTEGER NOT NULL,"
    "  why TEXT NOT NULL,"
    "  PRIMARY KEY (report, uri)"
    ") WITHOUT ROWID;"
    "CREATE TABLE report_mailboxes ("
    "  day INTEGER NOT NULL,"
    "  domain TEXT NOT NULL,"
    "  mailbox TEXT NOT NULL,"
    "  mails INTEGER NOT NULL,"
    "  PRIMARY KEY (day, domain, mailbox)"
    ") WITHOUT ROWID;",
};

}  // namespace strictmx::store
