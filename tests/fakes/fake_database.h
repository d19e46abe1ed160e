// fake_database.h - a store that loses nothing, or fails as told; only the statements of
// policy_cache and override_book are known to it, by their first words.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/store/database.h"
#include "tests/fakes/fake_network.h"

namespace strictmx::fakes {

class FakeDatabase : public store::Database {
 public:
  explicit FakeDatabase(Pending& pending) : pending_(pending) {}

  using Columns = std::vector<store::Value>;
  std::map<std::string, Columns> policies;  // by domain, columns as in the table
  std::map<std::string, Columns> overrides;
  bool is_full = false;
  int works = 0;

  void submit(store::Pace, store::Work work, store::Done done) override {
    ++works;
    pending_.add([this, work = std::move(work), done = std::move(done)] {
      FakeTransaction transaction(*this);
      done(work(transaction));
    });
  }

 private:
  class FakeRow : public store::Row {
   public:
    explicit FakeRow(const Columns& columns) : columns_(columns) {}
    std::int64_t number(int column) const override {
      return std::get<std::int64_t>(columns_[static_cast<std::size_t>(column)]);
    }
    std::string_view text(int column) const override {
      return std::get<std::string>(columns_[static_cast<std::size_t>(column)]);
    }

   private:
    const Columns& columns_;
  };

  class FakeTransaction : public store::Transaction {
   public:
    explicit FakeTransaction(FakeDatabase& database) : database_(database) {}

    base::Outcome<store::StoreError> run(const char* sql, const Columns& parameters) override {
      if (database_.is_full) return base::fail(store::StoreError::kFull, "disk is full");
      const std::string_view statement(sql);
      if (statement.starts_with("INSERT INTO overrides")) {
        database_.overrides[std::get<std::string>(parameters[0])] = parameters;
      } else if (statement == "DELETE FROM overrides WHERE domain = ?1") {
        database_.overrides.erase(std::get<std::string>(parameters[0]));
      } else if (statement.starts_with("INSERT INTO policies")) {
        database_.policies[std::get<std::string>(parameters[0])] = parameters;
      } else if (statement == "DELETE FROM policies WHERE domain = ?1") {
        database_.policies.erase(std::get<std::string>(parameters[0]));
      } else if (statement == "DELETE FROM policies") {
        database_.policies.clear();
      } else if (statement.starts_with("DROP INDEX") || statement.starts_with("CREATE INDEX")) {
        return base::done();
      } else if (statement.starts_with("UPDATE policies SET fetched")) {
        for (auto& [domain, row] : database_.policies) move_times(row, parameters);
      } else if (statement.starts_with("DELETE FROM policies WHERE expires")) {
        std::erase_if(database_.policies, [&](const auto& row) {
          return number(row.second, 4) < number(parameters, 0) &&
                 number(row.second, 6) < number(parameters, 1);
        });
      } else {
        return base::fail(store::StoreError::kSystem, std::string("unknown: ") + sql);
      }
      return base::done();
    }

    base::Outcome<store::StoreError> query(
        const char* sql, const Columns& parameters,
        const std::function<void(const store::Row&)>& on_row) override {
      const std::string_view statement(sql);
      const bool by_name = statement.find("WHERE domain = ?1") != statement.npos;
      const bool after_name = statement.find("WHERE domain > ?1") != statement.npos;
      const bool is_due = statement.find("WHERE refresh_at <= ?1") != statement.npos;
      if (statement.starts_with("SELECT COUNT")) {
        const Columns count{static_cast<std::int64_t>(database_.policies.size())};
        on_row(FakeRow(count));
        return base::done();
      }
      if (statement.find("FROM overrides") != statement.npos) {
        for (const auto& [domain, row] : database_.overrides) on_row(FakeRow(row));
        return base::done();
      }
      std::int64_t left = 1000000;
      if (!by_name) left = std::get<std::int64_t>(parameters.back());
      for (const auto& [domain, row] : database_.policies) {
        if (by_name && domain != std::get<std::string>(parameters[0])) continue;
        if (after_name && domain <= std::get<std::string>(parameters[0])) continue;
        if (is_due &&
            (number(row, 5) > number(parameters, 0) || number(row, 6) < number(parameters, 1))) {
          continue;
        }
        if (left-- == 0) break;
        on_row(FakeRow(row));
      }
      return base::done();
    }

   private:
    // The statement of mta_sts/clock_step.cc; its test compares both with the rule in memory.
    static void move_times(Columns& row, const Columns& parameters) {
      const std::int64_t delta = number(parameters, 1);
      const bool is_live = number(row, 4) > number(parameters, 2);
      if (number(row, 3) <= number(parameters, 0)) {
        row[3] = number(row, 3) + delta;
        row[4] = number(row, 4) + delta;
        row[5] = is_live ? number(parameters, 3) : number(row, 5) + delta;
      }
      if (number(row, 6) <= number(parameters, 4)) row[6] = number(row, 6) + number(parameters, 5);
    }
    static std::int64_t number(const Columns& row, std::size_t column) {
      return std::get<std::int64_t>(row[column]);
    }
    FakeDatabase& database_;
  };

  Pending& pending_;
};

}  // namespace strictmx::fakes
