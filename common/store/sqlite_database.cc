// sqlite_database.cc - see sqlite_database.h. The only user of SQLite.
//
// One thread: wait for work, take all of it (at most kMaxBatch), one transaction, one commit, one
// message to the loop. Work that may wait does so for kCommitPause since the last commit, so that
// a flood of writes costs a few commits a second and a lone write none of the delay.
#include "common/store/sqlite_database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <filesystem>
#include <iterator>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/unique_descriptor.h"
#include "common/store/schema.h"

namespace strictmx::store {
namespace {

using base::done;
using base::fail;
using base::Failure;
using base::Outcome;

constexpr std::size_t kMaxBatch = 4096;
constexpr std::chrono::milliseconds kCommitPause{20};

struct ConnectionClose {
  void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
};
struct StatementFree {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

StoreError classify(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return StoreError::kFull;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return StoreError::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return StoreError::kBusy;
    case SQLITE_IOERR:
      // A write that finds no room ends as an I/O error on some file systems.
      return errno == ENOSPC || errno == EDQUOT ? StoreError::kFull : StoreError::kSystem;
    default:
      return StoreError::kSystem;
  }
}

// Takes the store for this process; the lock ends with the descriptor.
base::Result<base::UniqueDescriptor, StoreError> take_lock(const std::string& path) {
  const std::string lock_path = path + ".lock";
  base::UniqueDescriptor lock(
      open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!lock) {
    return fail(StoreError::kSystem, fmt::format("{}: {}", lock_path, std::strerror(errno)));
  }
  char holder[16] = "";
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    const ssize_t got = pread(lock.get(), holder, sizeof holder - 1, 0);
    const std::string pid(holder, got > 0 ? static_cast<std::size_t>(got) : 0);
    return fail(StoreError::kBusy,
                fmt::format("{}: in use by another strictmxd (pid {}); stop it, or set store.path",
                            path, pid.empty() ? "unknown" : pid));
  }
  const auto* end = std::to_chars(holder, holder + sizeof holder, getpid()).ptr;
  // The pid is for the message above alone; a full disk must not stop the daemon.
  [[maybe_unused]] const int cut = ftruncate(lock.get(), 0);
  [[maybe_unused]] const auto written =
      pwrite(lock.get(), holder, static_cast<std::size_t>(end - holder), 0);
  return lock;
}

class SqliteRow : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}
  std::int64_t number(int column) const override {
    return sqlite3_column_int64(statement_, column);
  }
  std::string_view text(int column) const override {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return {bytes == nullptr ? "" : bytes,
            static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_;
};

// One open file, with the statements prepared on it.
class Connection : public Transaction {
 public:
  static base::Result<std::unique_ptr<Connection>, StoreError> open(const std::string& path) {
    auto connection = std::make_unique<Connection>();
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(
        path.c_str(), &handle,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
        nullptr);
    connection->handle_.reset(handle);
    if (code != SQLITE_OK) return connection->failure(code, path);
    sqlite3_extended_result_codes(handle, 1);
    // Exclusive: no shared-memory file, and no other program can hold up our writes.
    // NORMAL: a commit survives the end of the process; a power cut may lose the last moments.
    for (const char* pragma : {"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL",
                               "PRAGMA synchronous = NORMAL", "PRAGMA cache_size = -1024",
                               "PRAGMA wal_autocheckpoint = 1000", "PRAGMA trusted_schema = OFF"}) {
      auto set = connection->execute(pragma);
      if (!set.ok()) return fail(set.error().code, path + ": " + set.error().detail);
    }
    auto migrated = connection->migrate(path);
    if (!migrated.ok()) return migrated.error();
    return connection;
  }

  Outcome<StoreError> run(const char* sql, const std::vector<Value>& parameters) override {
    return query(sql, parameters, [](const Row&) {});
  }

  Outcome<StoreError> query(const char* sql, const std::vector<Value>& parameters,
                            const std::function<void(const Row&)>& on_row) override {
    sqlite3_stmt* statement = prepared(sql);
    if (statement == nullptr) return failure(sqlite3_errcode(handle_.get()), sql);
    bind(statement, parameters);
    int code = SQLITE_ROW;
    const SqliteRow row(statement);
    errno = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) on_row(row);
    const StoreError error = classify(code);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (code == SQLITE_DONE) return done();
    return fail(error, sqlite3_errmsg(handle_.get()));
  }

  Outcome<StoreError> execute(const char* sql) {
    errno = 0;
    const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) return done();
    return failure(code, sql);
  }

  // SQLite ends a transaction by itself after some errors (disk full).
  bool is_in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

 private:
  Failure<StoreError> failure(int code, const std::string& what) const {
    const StoreError error = classify(code);
    const char* reason = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_.get());
    return fail(error, what + ": " + reason);
  }

  sqlite3_stmt* prepared(const char* sql) {
    auto& statement = statements_[sql];
    if (statement == nullptr) {
      sqlite3_stmt* made = nullptr;
      sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
      statement.reset(made);
    }
    return statement.get();
  }

  static void bind(sqlite3_stmt* statement, const std::vector<Value>& parameters) {
    int index = 1;
    for (const Value& value : parameters) {
      if (const auto* number = std::get_if<std::int64_t>(&value)) {
        sqlite3_bind_int64(statement, index, *number);
      } else if (const auto* text = std::get_if<std::string>(&value)) {
        sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC,
                            SQLITE_UTF8);
      } else {
        sqlite3_bind_null(statement, index);
      }
      ++index;
    }
  }

  Outcome<StoreError> migrate(const std::string& path) {
    std::int64_t version = 0;
    auto read = query("PRAGMA user_version", {}, [&](const Row& row) { version = row.number(0); });
    if (!read.ok()) return fail(read.error().code, path + ": " + read.error().detail);
    constexpr auto kKnown = static_cast<std::int64_t>(kMigrations.size());
    if (version < 0 || version > kKnown) {
      return fail(StoreError::kNewer,
                  fmt::format("{}: schema version {} is newer than this strictmxd knows ({}); "
                              "upgrade strictmx, or set store.path",
                              path, version, kKnown));
    }
    for (; version < kKnown; ++version) {
      const std::string sql =
          fmt::format("BEGIN IMMEDIATE; {} PRAGMA user_version = {}; COMMIT;",
                      kMigrations[static_cast<std::size_t>(version)], version + 1);
      auto migrated = execute(sql.c_str());
      if (!migrated.ok()) {
        if (is_in_transaction()) {
          [[maybe_unused]] const auto undone = execute("ROLLBACK");
        }
        return fail(migrated.error().code,
                    path + ": migration: " + sqlite3_errstr(sqlite3_errcode(handle_.get())));
      }
    }
    return done();
  }

  std::unique_ptr<sqlite3, ConnectionClose> handle_;
  std::map<std::string_view, std::unique_ptr<sqlite3_stmt, StatementFree>> statements_;
};

constexpr const char* kSuffixes[] = {"", "-wal", "-shm", "-journal"};
constexpr int kMaxSetAsideInOneSecond = 100;  // more is no damage that another name would help with

// A name at which nothing stands yet, so that what was set aside before is never replaced. Nobody
// else makes such names: the lock is ours. Empty: none.
std::string free_name(const std::string& wanted) {
  for (int number = 1; number <= kMaxSetAsideInOneSecond; ++number) {
    std::string name = number == 1 ? wanted : fmt::format("{}-{}", wanted, number);
    const bool is_free = std::all_of(std::begin(kSuffixes), std::end(kSuffixes), [&](auto suffix) {
      struct stat status {};
      return lstat((name + suffix).c_str(), &status) != 0 && errno == ENOENT;
    });
    if (is_free) return name;
  }
  return {};
}

// Moves a damaged file out of the way. Says where it went; empty: it stays where it is.
std::string set_aside(const std::string& path) {
  std::string stamp = base::format_utc(base::SystemClock().now());
  std::erase(stamp, ':');
  std::string aside = free_name(path + ".corrupt-" + stamp);
  if (aside.empty()) return {};
  std::error_code error;
  for (const char* suffix : kSuffixes) {
    std::filesystem::rename(path + suffix, aside + suffix, error);
    if (error && *suffix == '\0') return {};  // the others are often not there
  }
  return aside;
}

// Opens the file; a damaged one is set aside and a new one begun.
base::Result<std::unique_ptr<Connection>, StoreError> open_or_begin_anew(const std::string& path,
                                                                         bool& was_reset) {
  auto opened = Connection::open(path);
  if (opened.ok() || opened.error().code != StoreError::kCorrupt) return opened;
  const std::string aside = set_aside(path);
  if (aside.empty()) return opened;
  base::log_error("store is corrupt: set aside, a new one is begun",
                  {{"store", path}, {"kept_as", aside}, {"reason", opened.error().detail}});
  was_reset = true;
  return Connection::open(path);
}

}  // namespace

const char* store_error_name(StoreError error) {
  switch (error) {
    case StoreError::kBusy:
      return "busy";
    case StoreError::kFull:
      return "disk-full";
    case StoreError::kCorrupt:
      return "corrupt";
    case StoreError::kNewer:
      return "newer-schema";
    case StoreError::kSystem:
      return "system";
  }
  return "unknown";
}

class SqliteDatabase::Core {
 public:
  Core(base::EventLoop& loop, std::string path, std::function<void()> on_reset)
      : loop_(loop), path_(std::move(path)), on_reset_(std::move(on_reset)) {}

  ~Core() {
    *is_alive_ = false;
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  Outcome<StoreError> start() {
    auto lock = take_lock(path_);
    if (!lock.ok()) return lock.error();
    lock_ = std::move(lock).value();
    bool was_reset = false;
    auto opened = open_or_begin_anew(path_, was_reset);
    if (!opened.ok()) return opened.error();
    connection_ = std::move(opened).value();
    if (was_reset) ++resets_;
    thread_ = std::thread([this] { serve(); });
    return done();
  }

  void submit(Pace pace, Work work, Done on_done) {
    {
      const std::lock_guard lock(mutex_);
      if (queue_.size() < kMaxQueuedWork) {
        const bool is_first = queue_.empty();
        const bool is_first_urgent = pace != Pace::kSoon && !has_urgent_;
        queue_.push_back({std::move(work), std::move(on_done), pace == Pace::kDurable});
        has_urgent_ = has_urgent_ || is_first_urgent;
        // Whoever waits for company need not be woken for each that comes.
        if (is_first || is_first_urgent) wake_.notify_one();
        return;
      }
    }
    ++refused_;
    loop_.post([on_done = std::move(on_done)] {
      on_done(fail(StoreError::kBusy, "too much work waits for the disk"));
    });
  }

  StoreCounters counters() const {
    return {commits_.load(), works_.load(), failures_.load(), refused_.load(), resets_.load()};
  }

  std::size_t queued() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }

 private:
  struct Item {
    Work work;
    Done done;
    bool is_durable;
  };

  void serve() {
    auto last_commit = std::chrono::steady_clock::now() - kCommitPause;
    while (true) {
      std::deque<Item> batch;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return is_ending_ || !queue_.empty(); });
        wake_.wait_until(lock, last_commit + kCommitPause,
                         [this] { return is_ending_ || has_urgent_; });
        if (queue_.empty()) return;  // only when ending
        has_urgent_ = false;
        while (!queue_.empty() && batch.size() < kMaxBatch) {
          batch.push_back(std::move(queue_.front()));
          queue_.pop_front();
        }
        has_urgent_ = !queue_.empty();
      }
      commit(batch);
      last_commit = std::chrono::steady_clock::now();
    }
  }

  void commit(std::deque<Item>& batch) {
    std::vector<std::pair<Done, Outcome<StoreError>>> results;
    Outcome<StoreError> whole = begin();
    std::vector<Outcome<StoreError>> each;
    for (Item& item : batch) {
      if (!whole.ok()) break;
      each.push_back(run_one(item.work));
      if (!each.back().ok() && !connection_->is_in_transaction()) whole = each.back();
    }
    if (whole.ok()) whole = connection_->execute("COMMIT");
    // With synchronous = NORMAL it is the checkpoint that brings commits onto the disk.
    const bool has_durable =
        std::any_of(batch.begin(), batch.end(), [](const Item& item) { return item.is_durable; });
    Outcome<StoreError> durable = whole;
    if (whole.ok() && has_durable) durable = connection_->execute("PRAGMA wal_checkpoint(FULL)");
    if (!whole.ok() && connection_ != nullptr && connection_->is_in_transaction()) {
      [[maybe_unused]] const auto undone = connection_->execute("ROLLBACK");
    }
    ++commits_;
    works_ += batch.size();
    bool is_corrupt = !whole.ok() && whole.error().code == StoreError::kCorrupt;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Outcome<StoreError> result = whole.ok() ? each[i] : whole;
      if (result.ok() && batch[i].is_durable) result = durable;
      if (!result.ok()) {
        ++failures_;
        is_corrupt = is_corrupt || result.error().code == StoreError::kCorrupt;
      }
      results.emplace_back(std::move(batch[i].done), std::move(result));
    }
    if (is_corrupt) begin_anew();
    loop_.post([alive = is_alive_, results = std::move(results)] {
      if (!*alive) return;
      for (const auto& [on_done, result] : results) on_done(result);
    });
  }

  Outcome<StoreError> begin() {
    if (connection_ == nullptr) {
      // It could not be opened earlier (no space, no permission); try again.
      begin_anew();
      if (connection_ == nullptr) return fail(StoreError::kSystem, "the store can't be opened");
    }
    return connection_->execute("BEGIN");
  }

  // One failing work must not undo the others of its batch.
  Outcome<StoreError> run_one(const Work& work) {
    auto marked = connection_->run("SAVEPOINT work", {});
    if (!marked.ok()) return marked;
    Outcome<StoreError> result = work(*connection_);
    if (!connection_->is_in_transaction()) return result;
    if (!result.ok()) {
      [[maybe_unused]] const auto undone = connection_->run("ROLLBACK TO work", {});
    }
    auto released = connection_->run("RELEASE work", {});
    return result.ok() ? released : result;
  }

  // The store may be damaged: opens it, and puts a new one in its place if it is. A store that
  // can't be opened for another reason (no space, no permission) stays where it is.
  void begin_anew() {
    connection_.reset();
    std::error_code unknown;  // what can't be looked at shows as the opening's own error
    if (!std::filesystem::exists(path_, unknown) && !unknown) is_reset_due_ = true;
    auto opened = open_sound();
    if (!opened.ok() && opened.error().code == StoreError::kCorrupt) {
      const std::string aside = set_aside(path_);
      if (!aside.empty()) {
        base::log_error("store is corrupt: set aside, a new one is begun",
                        {{"store", path_}, {"kept_as", aside}, {"reason", opened.error().detail}});
        is_reset_due_ = true;
        opened = open_sound();
      }
    }
    const std::string trouble = opened.ok() ? "" : opened.error().detail;
    if (!trouble.empty() && trouble != trouble_) {
      base::log_error("store can't be opened, tried again with the next work",
                      {{"store", path_}, {"reason", trouble}});
    }
    trouble_ = trouble;
    if (!opened.ok()) return;
    connection_ = std::move(opened).value();
    if (!is_reset_due_) return;
    is_reset_due_ = false;
    ++resets_;
    loop_.post([alive = is_alive_, this] {
      if (*alive) on_reset_();
    });
  }

  base::Result<std::unique_ptr<Connection>, StoreError> open_sound() const {
    auto opened = Connection::open(path_);
    if (!opened.ok()) return opened;
    std::string verdict;
    const auto checked = opened.value()->query("PRAGMA quick_check(1)", {},
                                               [&](const Row& row) { verdict = row.text(0); });
    if (!checked.ok()) return fail(checked.error().code, path_ + ": " + checked.error().detail);
    if (verdict != "ok") return fail(StoreError::kCorrupt, path_ + ": " + verdict);
    return opened;
  }

  base::EventLoop& loop_;
  const std::string path_;
  const std::function<void()> on_reset_;
  base::UniqueDescriptor lock_;
  // The thread's, once it runs.
  std::unique_ptr<Connection> connection_;
  std::string trouble_;        // why it could not be opened last time, as logged
  bool is_reset_due_ = false;  // the store is gone, and the new one not yet there to tell of
  std::thread thread_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;   // under mutex_
  bool has_urgent_ = false;  // under mutex_
  bool is_ending_ = false;   // under mutex_
  std::atomic<std::uint64_t> commits_ = 0;
  std::atomic<std::uint64_t> works_ = 0;
  std::atomic<std::uint64_t> failures_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;
  std::atomic<std::uint64_t> resets_ = 0;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);  // the loop's thread
};

SqliteDatabase::SqliteDatabase(std::unique_ptr<Core> core) : core_(std::move(core)) {}
SqliteDatabase::~SqliteDatabase() = default;

base::Result<std::unique_ptr<SqliteDatabase>, StoreError> SqliteDatabase::open(
    base::EventLoop& loop, const std::string& path, std::function<void()> on_reset) {
  auto core = std::make_unique<Core>(loop, path, std::move(on_reset));
  auto started = core->start();
  if (!started.ok()) return started.error();
  return std::unique_ptr<SqliteDatabase>(new SqliteDatabase(std::move(core)));
}

void SqliteDatabase::submit(Pace pace, Work work, Done done) {
  core_->submit(pace, std::move(work), std::move(done));
}
StoreCounters SqliteDatabase::counters() const { return core_->counters(); }
std::size_t SqliteDatabase::queued() const { return core_->queued(); }

}  // namespace strictmx::store
