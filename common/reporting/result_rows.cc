// result_rows.cc - see result_rows.h.
#include "common/reporting/result_rows.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "common/reporting/result_text.h"

namespace strictmx::reporting {
namespace {

using base::done;
using store::Row;
using store::Transaction;

constexpr std::int64_t kNoText = 0;  // sessions by their final result; also: not stored yet

std::int64_t as_number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

struct StoredText {
  std::int64_t id = kNoText;
  DayNumber last_day = 0;
};

// Writes rows; remembers which texts it has met, because one policy has many domains.
class RowWriter {
 public:
  RowWriter(Transaction& transaction, const base::HashKey& key)
      : transaction_(transaction), hasher_{key}, known_(0, hasher_) {}

  StoreOutcome write(const BatchKey& key, const ResultBatch::Counters& counters) {
    auto space = space_of(key);
    if (!space.ok()) return space.error();
    // What is there already is taken for new: then folding begins a little early.
    Space used = space.value();
    const auto fits = [&](const std::string& policy,
                          const std::string& failure) -> StoreResult<bool> {
      const std::size_t more = failure.empty() ? policy.size() : failure.size();
      if (used.rows < kMaxRowsADomain && used.bytes + more <= kMaxTextADomain) {
        used.bytes += more;
        return true;
      }
      return has_row(key, policy, failure);
    };
    for (const auto& [policy, failures] : counters) {
      auto is_policy_kept = fits(policy, {});
      if (!is_policy_kept.ok()) return is_policy_kept.error();
      const std::string& used_policy = is_policy_kept.value() ? policy : folded_policy(policy);
      for (const auto& [failure, sessions] : failures) {
        auto is_kept = failure.empty() ? is_policy_kept : fits(used_policy, failure);
        if (!is_kept.ok()) return is_kept.error();
        if (!is_kept.value()) ++folded_;
        auto written =
            add(key, used_policy, is_kept.value() ? failure : folded_failure(failure), sessions);
        if (!written.ok()) return written;
        ++used.rows;
      }
    }
    return done();
  }

  std::uint64_t folded_rows() const { return folded_; }

 private:
  struct Space {
    std::size_t rows = 0;
    std::size_t bytes = 0;
  };

  // What a domain has used of its bounds: a row of sessions its policy's text, one of a failure its
  // own, as often as a page shows them.
  StoreResult<Space> space_of(const BatchKey& key) {
    Space space;
    auto summed = transaction_.query(
        "SELECT COUNT(*), COALESCE(SUM(t.bytes), 0) FROM results r JOIN result_texts t "
        "ON t.id = CASE WHEN r.failure = 0 THEN r.policy ELSE r.failure END "
        "WHERE r.day = ?1 AND r.domain = ?2",
        {key.day, key.domain}, [&space](const Row& row) {
          space = {static_cast<std::size_t>(row.number(0)),
                   static_cast<std::size_t>(row.number(1))};
        });
    if (!summed.ok()) return summed.error();
    return space;
  }

  static std::string folded_policy(const std::string& text) {
    tlsrpt::AppliedPolicy policy;
    if (const auto read = read_policy(text, ""); read.has_value()) policy.type = read->type;
    return write_policy(policy, "");
  }

  static std::string folded_failure(const std::string& text) {
    if (text.empty()) return {};
    tlsrpt::FailureDetails failure;
    if (const auto read = read_failure(text); read.has_value()) failure.type = read->type;
    return write_failure(failure);
  }

  StoreResult<StoredText> find(const std::string& text) {
    const auto known = known_.find(text);
    if (known != known_.end()) return known->second;
    StoredText found;
    auto looked =
        transaction_.query("SELECT id, last_day FROM result_texts WHERE hash = ?1 AND text = ?2",
                           {as_number(hasher_(text)), text}, [&found](const Row& row) {
                             found = {row.number(0), row.number(1)};
                           });
    if (!looked.ok()) return looked.error();
    if (found.id != kNoText) known_.emplace(text, found);
    return found;
  }

  // The text's id; it is stored if it is new, and kept as long as the newest day that names it.
  StoreResult<std::int64_t> id_of(const std::string& text, DayNumber day) {
    if (text.empty()) return kNoText;
    auto found = find(text);
    if (!found.ok()) return found.error();
    StoredText stored = found.value();
    if (stored.id != kNoText && stored.last_day >= day) return stored.id;
    auto written = stored.id == kNoText
                       ? transaction_.query(
                             "INSERT INTO result_texts (hash, bytes, text, last_day) "
                             "VALUES (?1, ?2, ?3, ?4) "
                             "RETURNING id",
                             {as_number(hasher_(text)), as_number(text.size()), text, day},
                             [&stored](const Row& row) { stored.id = row.number(0); })
                       : transaction_.run("UPDATE result_texts SET last_day = ?2 WHERE id = ?1",
                                          {stored.id, day});
    if (!written.ok()) return written.error();
    stored.last_day = day;
    known_[text] = stored;
    return stored.id;
  }

  StoreResult<bool> has_row(const BatchKey& key, const std::string& policy_text,
                            const std::string& failure_text) {
    auto policy = find(policy_text);
    if (!policy.ok()) return policy.error();
    auto failure = failure_text.empty() ? StoredText{} : find(failure_text);
    if (!failure.ok()) return failure.error();
    const bool is_unknown =
        policy.value().id == kNoText || (!failure_text.empty() && failure.value().id == kNoText);
    if (is_unknown) return false;
    bool is_there = false;
    auto looked = transaction_.query(
        "SELECT 1 FROM results WHERE day = ?1 AND domain = ?2 AND policy = ?3 AND failure = ?4",
        {key.day, key.domain, policy.value().id, failure.value().id},
        [&is_there](const Row&) { is_there = true; });
    if (!looked.ok()) return looked.error();
    return is_there;
  }

  StoreOutcome add(const BatchKey& key, const std::string& policy_text,
                   const std::string& failure_text, const SessionCounts& sessions) {
    auto policy = id_of(policy_text, key.day);
    if (!policy.ok()) return policy.error();
    auto failure = id_of(failure_text, key.day);
    if (!failure.ok()) return failure.error();
    return transaction_.run(
        "INSERT INTO results (day, domain, policy, failure, succeeded, failed) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT (day, domain, policy, failure) DO UPDATE SET "
        "succeeded = results.succeeded + excluded.succeeded, "
        "failed = results.failed + excluded.failed",
        {key.day, key.domain, policy.value(), failure.value(), as_number(sessions.succeeded),
         as_number(sessions.failed)});
  }

  Transaction& transaction_;
  const base::TextHasher hasher_;
  std::unordered_map<std::string, StoredText, base::TextHasher> known_;
  std::uint64_t folded_ = 0;
};

// Adds what the query wants of one day to the page; `after` is a domain of this day, or empty.
StoreOutcome read_day_page(Transaction& transaction, const ResultQuery& query, DayNumber day,
                           const std::string& after, ResultPage& page) {
  std::vector<std::string> domains;
  const std::size_t left = query.limit - page.results.size();
  if (query.domain.has_value()) {
    if (*query.domain > after) domains.push_back(*query.domain);
  } else {
    auto read = read_domains(transaction, day, after, left + 1);
    if (!read.ok()) return read.error();
    domains = std::move(read).value();
  }
  std::size_t rows = 0;
  std::size_t bytes = 0;
  const auto count = [&rows, &bytes](const DomainResults& one) {
    bytes += one.text_bytes;
    for (const StoredPolicy& policy : one.policies) rows += 1 + policy.failures.size();
  };
  for (const DomainResults& earlier : page.results) count(earlier);
  for (const std::string& domain : domains) {
    if (page.results.size() >= query.limit || rows >= kMaxRowsAPage || bytes >= kMaxTextAPage) {
      page.has_more = true;
      return done();
    }
    auto results = read_results(transaction, day, domain);
    if (!results.ok()) return results.error();
    if (results.value().policies.empty()) continue;
    count(results.value());
    page.results.push_back(std::move(results).value());
  }
  return done();
}

}  // namespace

StoreResult<SpoolPosition> read_position(Transaction& transaction) {
  SpoolPosition position;
  auto read = transaction.query("SELECT segment, position FROM spool_position WHERE id = 1", {},
                                [&position](const Row& row) {
                                  position = {static_cast<std::uint64_t>(row.number(0)),
                                              static_cast<std::uint64_t>(row.number(1))};
                                });
  if (!read.ok()) return read.error();
  return position;
}

StoreOutcome write_position(Transaction& transaction, SpoolPosition position) {
  return transaction.run(
      "INSERT INTO spool_position (id, segment, position) VALUES (1, ?1, ?2) "
      "ON CONFLICT (id) DO UPDATE SET segment = excluded.segment, position = excluded.position",
      {as_number(position.segment), as_number(position.offset)});
}

StoreResult<base::HashKey> read_text_key(Transaction& transaction) {
  std::optional<base::HashKey> key;
  auto read = transaction.query("SELECT first, second FROM result_text_key WHERE id = 1", {},
                                [&key](const Row& row) {
                                  key = {static_cast<std::uint64_t>(row.number(0)),
                                         static_cast<std::uint64_t>(row.number(1))};
                                });
  if (!read.ok()) return read.error();
  // Without it all texts of the store would be lost: somebody edited it.
  if (!key.has_value()) {
    return base::fail(store::StoreError::kSystem, "store: result_text_key has no row");
  }
  return *key;
}

StoreResult<std::uint64_t> write_rows(Transaction& transaction, const base::HashKey& key,
                                      const ResultBatch::Rows& rows) {
  RowWriter writer(transaction, key);
  for (const auto& [place, counters] : rows) {
    auto written = writer.write(place, counters);
    if (!written.ok()) return written.error();
  }
  return writer.folded_rows();
}

StoreResult<std::optional<DayNumber>> day_before(Transaction& transaction, DayNumber day) {
  std::optional<DayNumber> before;
  auto looked =
      transaction.query("SELECT day FROM results WHERE day < ?1 ORDER BY day DESC LIMIT 1", {day},
                        [&before](const Row& row) { before = row.number(0); });
  if (!looked.ok()) return looked.error();
  return before;
}

StoreResult<std::vector<std::string>> read_domains(Transaction& transaction, DayNumber day,
                                                   const std::string& after, std::size_t limit) {
  std::vector<std::string> domains;
  auto read = transaction.query(
      "SELECT DISTINCT domain FROM results WHERE day = ?1 AND domain > ?2 ORDER BY domain LIMIT ?3",
      {day, after, as_number(limit)},
      [&domains](const Row& row) { domains.emplace_back(row.text(0)); });
  if (!read.ok()) return read.error();
  return domains;
}

StoreResult<DomainResults> read_results(Transaction& transaction, DayNumber day,
                                        const std::string& domain) {
  DomainResults results{day, domain, {}, 0};
  std::int64_t last_policy = kNoText;
  const auto on_row = [&](const Row& row) {
    if (row.number(0) != last_policy) {
      auto policy = read_policy(row.text(2), domain);
      if (!policy.has_value()) return;  // not a text of ours: somebody edited the store
      last_policy = row.number(0);
      results.text_bytes += row.text(2).size();
      results.policies.push_back({std::move(*policy), {}, {}});
    }
    StoredPolicy& policy = results.policies.back();
    const auto succeeded = static_cast<std::uint64_t>(row.number(4));
    const auto failed = static_cast<std::uint64_t>(row.number(5));
    if (row.number(1) == kNoText) {
      policy.sessions = {succeeded, failed};
    } else if (auto failure = read_failure(row.text(3)); failure.has_value()) {
      results.text_bytes += row.text(3).size();
      policy.failures.push_back({std::move(*failure), failed});
    }
  };
  auto read = transaction.query(
      "SELECT r.policy, r.failure, p.text, f.text, r.succeeded, r.failed FROM results r "
      "JOIN result_texts p ON p.id = r.policy LEFT JOIN result_texts f ON f.id = r.failure "
      "WHERE r.day = ?1 AND r.domain = ?2 ORDER BY r.policy, r.failure",
      {day, domain}, on_row);
  if (!read.ok()) return read.error();
  return results;
}

StoreResult<ResultPage> read_page(Transaction& transaction, const ResultQuery& query) {
  ResultPage page;
  std::string after = query.after.has_value() ? query.after->second : "";
  std::optional<DayNumber> day = query.day;
  if (!day.has_value()) {
    const DayNumber from = query.after.has_value() ? query.after->first + 1 : INT64_MAX;
    auto newest = day_before(transaction, from);
    if (!newest.ok()) return newest.error();
    day = newest.value();
    if (query.after.has_value() && day.has_value() && *day != query.after->first) after.clear();
  }
  while (day.has_value()) {
    auto read = read_day_page(transaction, query, *day, after, page);
    if (!read.ok()) return read.error();
    if (query.day.has_value() || page.has_more) return page;
    after.clear();
    auto next = day_before(transaction, *day);
    if (!next.ok()) return next.error();
    day = next.value();
  }
  return page;
}

StoreResult<DayNumber> first_kept_day(Transaction& transaction, DayNumber today, DayNumber keep) {
  auto newest = day_before(transaction, INT64_MAX);
  if (!newest.ok()) return newest.error();
  return std::min(today, newest.value().value_or(today)) - keep;
}

StoreResult<bool> drop_old_rows(Transaction& transaction, DayNumber today, DayNumber keep) {
  auto first = first_kept_day(transaction, today, keep);
  if (!first.ok()) return first.error();
  const DayNumber oldest = first.value();
  std::size_t dropped = 0;
  const auto limit = as_number(kMaxDroppedAtOnce);
  const auto count = [&dropped](const Row&) { ++dropped; };
  auto rows = transaction.query(
      "DELETE FROM results WHERE (day, domain, policy, failure) IN "
      "(SELECT day, domain, policy, failure FROM results WHERE day < ?1 LIMIT ?2) RETURNING 1",
      {oldest, limit}, count);
  if (!rows.ok()) return rows.error();
  if (dropped >= kMaxDroppedAtOnce) return true;
  dropped = 0;
  auto texts = transaction.query(
      "DELETE FROM result_texts WHERE id IN "
      "(SELECT id FROM result_texts WHERE last_day < ?1 LIMIT ?2) RETURNING 1",
      {oldest, limit}, count);
  if (!texts.ok()) return texts.error();
  return dropped >= kMaxDroppedAtOnce;
}

}  // namespace strictmx::reporting
