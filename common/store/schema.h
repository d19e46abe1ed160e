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
//   policies_by_expiry, policies_used_once: what makes room first when there are too many
#pragma once

#include <array>

namespace strictmx::store {

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

    "CREATE INDEX policies_by_expiry ON policies (expires);"
    "CREATE INDEX policies_used_once ON policies (last_used) WHERE days_used < 2;",
};

}  // namespace strictmx::store
