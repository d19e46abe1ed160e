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
// Version 2
//   policies_by_refresh   what is due, of that what ends soonest first
//   policies_by_expiry, policies_used_once: what makes room first when there are too many
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

    "DROP INDEX policies_by_refresh;" STRICTMX_BY_REFRESH STRICTMX_BY_EXPIRY STRICTMX_USED_ONCE,
};

}  // namespace strictmx::store
