// override_book.h - all overrides in force: those of the configuration file and those that the
// operator has set, which are kept in the store.
//
// Use: load() once, then find() per question; end_due() from time to time.
// Ownership: borrows database and clock. A found override is valid until the next change.
// Threads: the loop's thread.
// Errors: OverrideBookError. What set() and remove() report as done has been committed.
// Limits: kMaxOverrides set by command; those of the file are bounded by its size.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/store/database.h"
#include "common/verdict/override.h"

namespace strictmx::verdict {

inline constexpr std::size_t kMaxOverrides = 10000;

enum class OverrideBookError {
  kInFile,   // the configuration file overrides this domain; only an edit changes that
  kMissing,  // no override of this domain was set
  kFull,     // kMaxOverrides
  kStore,    // it could not be saved, and so does not hold
};

// One row of a listing.
struct OverrideRow {
  Override set;
  bool is_in_file = false;
  base::WallTime set_at{};   // of those set by command
  std::int64_t set_by = -1;  // uid
};

class OverrideBook {
 public:
  using Done = std::function<void(base::Outcome<OverrideBookError>)>;
  // A domain whose answer changes.
  using OnChange = std::function<void(const std::string& domain)>;

  OverrideBook(store::Database& database, const base::Clock& clock);
  ~OverrideBook();
  OverrideBook(const OverrideBook&) = delete;
  OverrideBook& operator=(const OverrideBook&) = delete;

  void load(std::function<void(base::Outcome<store::StoreError>)> done);
  // Those of the file; they beat the ones set by command.
  void set_configured(const std::vector<Override>& overrides);
  void set_on_change(OnChange on_change) { on_change_ = std::move(on_change); }

  // The one that holds now, or null.
  const Override* find(const std::string& domain) const;
  // All, ended ones too, by name.
  std::vector<OverrideRow> list() const;

  void set(const Override& wanted, std::int64_t uid, Done done);
  void remove(const std::string& domain, Done done);

  // Logs the overrides that have ended since the last call, and has their answers made anew.
  void end_due();
  // Writes all of them again, after the store was begun anew.
  void save_all();

  std::size_t size() const { return set_.size() + configured_.size(); }

 private:
  using Rows = std::map<std::string, OverrideRow>;

  void save(const OverrideRow& row, std::function<void(base::Outcome<store::StoreError>)> done);
  void log_conflicts() const;
  void changed(const std::string& domain) const;

  store::Database& database_;
  const base::Clock& clock_;
  Rows configured_;
  Rows set_;
  base::WallTime ends_seen_until_;  // end_due() has told of all ends before this
  OnChange on_change_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace strictmx::verdict
