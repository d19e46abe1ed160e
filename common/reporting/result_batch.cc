// result_batch.cc - see result_batch.h.
#include "common/reporting/result_batch.h"

#include <algorithm>
#include <unordered_map>

#include "common/reporting/result_text.h"

namespace strictmx::reporting {
namespace {

DayNumber session_day(const tlsrpt::ResultDatagram& result, base::WallTime received,
                      DayNumber oldest) {
  const base::WallTime own = result.session_time.value_or(received);
  // Compared by numbers first: a sender may name any number of 64 bits.
  const bool is_plausible = own <= received + kMaxAhead && own >= base::WallTime{} &&
                            day_of(std::max(own, base::WallTime{})) >= oldest;
  return day_of(is_plausible ? own : received);
}

// Each policy and each failure is an object, beside the outermost one: known without parsing.
std::size_t most_rows(std::string_view text) {
  const auto objects = static_cast<std::size_t>(std::count(text.begin(), text.end(), '{'));
  return std::max<std::size_t>(objects, 2) - 1;
}

}  // namespace

ResultBatch::ResultBatch(std::span<const SpoolRecord> records, DayNumber oldest,
                         const base::HashKey& key) {
  std::unordered_map<std::string_view, Times, base::TextHasher> texts(0, base::TextHasher{key});
  std::vector<std::string_view> order;  // so that the first broken ones are those shown
  texts.reserve(records.size());
  std::size_t rows = 0;
  for (const SpoolRecord& record : records) {
    const auto [at, is_new] = texts.try_emplace(record.text);
    Times& times = at->second;
    if (is_new || day_of(times.back().first) != day_of(record.received)) {
      rows += most_rows(record.text);
      if (rows > kMaxRowsABatch && used_ > 0) {
        if (is_new) texts.erase(at);
        break;
      }
      times.emplace_back(record.received, 0);
    }
    if (is_new) order.push_back(record.text);
    ++times.back().second;
    ++used_;
  }
  for (const std::string_view text : order) add(text, texts.find(text)->second, oldest);
}

void ResultBatch::add(std::string_view text, const Times& times, DayNumber oldest) {
  std::uint64_t total = 0;
  for (const auto& [received, count] : times) total += count;
  ++counters_.parsed;
  const auto result = tlsrpt::read_result_datagram(text);
  if (!result.ok()) {
    counters_.broken[static_cast<std::size_t>(result.error().code)] += total;
    if (broken_.size() < kMaxBrokenABatch) broken_.push_back({text, result.error()});
    return;
  }
  counters_.results += total;
  if (result.value().is_other_version) counters_.other_version += total;
  const std::string& domain = result.value().domain.text();
  for (const auto& [received, count] : times) {
    Counters& counters = rows_[{session_day(result.value(), received, oldest), domain}];
    for (const tlsrpt::PolicyOutcome& outcome : result.value().outcomes) {
      Failures& failures = counters[write_policy(outcome.policy, domain)];
      SessionCounts& sessions = failures[{}];
      (outcome.is_failed ? sessions.failed : sessions.succeeded) += count;
      for (const tlsrpt::FailureDetails& failure : outcome.failures) {
        failures[write_failure(failure)].failed += count;
      }
    }
  }
}

}  // namespace strictmx::reporting
