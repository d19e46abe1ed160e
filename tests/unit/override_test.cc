// override_test.cc - what an operator writes as an override, and the book that keeps them.
#include "common/verdict/override.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/verdict/override_book.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_database.h"

namespace strictmx::verdict {
namespace {

using mta_sts::PolicyMode;

TEST(Override, TextIsReadOrRefusedWithTheMember) {
  struct Case {
    const char* name;
    OverrideText text;
    std::optional<OverrideError> want;
    const char* member = "";
  };
  const std::vector<std::string> many(kMaxOverridePatterns + 1, "mx.example");
  const Case cases[] = {
      {"mode none", {"example.com", "none", {}, "", ""}, {}},
      {"mode testing", {"example.com", "testing", {}, "", "why"}, {}},
      {"enforce by the policy", {"example.com", "enforce", {}, "", ""}, {}},
      {"own hosts", {"Example.COM", "", {"MX1.example.com", "*.example.net"}, "", ""}, {}},
      {"own hosts, testing", {"example.com", "testing", {"mx1.example.com"}, "", ""}, {}},
      {"until a day", {"example.com", "none", {}, "2027-01-31", ""}, {}},
      {"until a time", {"example.com", "none", {}, "2027-01-31T12:00:00Z", ""}, {}},
      {"longest note", {"example.com", "none", {}, "", std::string(kMaxOverrideNote, 'x')}, {}},

      {"no domain", {"", "none", {}, "", ""}, OverrideError::kDomain, "domain:"},
      {"address", {"192.0.2.1", "none", {}, "", ""}, OverrideError::kDomain, "domain:"},
      {"no mode", {"example.com", "", {}, "", ""}, OverrideError::kMode, "mode:"},
      {"other mode", {"example.com", "Enforce", {}, "", ""}, OverrideError::kMode, "mode:"},
      {"bad pattern",
       {"example.com", "", {"mx*.example.com"}, "", ""},
       OverrideError::kPattern,
       "mx:"},
      {"bare star", {"example.com", "", {"*"}, "", ""}, OverrideError::kPattern, "mx:"},
      {"empty pattern", {"example.com", "", {""}, "", ""}, OverrideError::kPattern, "mx:"},
      {"pattern that is two",
       {"example.com", "", {"a.example b.example"}, "", ""},
       OverrideError::kPattern,
       "mx:"},
      {"too many", {"example.com", "", many, "", ""}, OverrideError::kPattern, "mx:"},
      {"hosts for none",
       {"example.com", "none", {"mx.example"}, "", ""},
       OverrideError::kPattern,
       "mx:"},
      {"no such day", {"example.com", "none", {}, "2027-02-29", ""}, OverrideError::kEnd, "until:"},
      {"no date", {"example.com", "none", {}, "tomorrow", ""}, OverrideError::kEnd, "until:"},
      {"local time",
       {"example.com", "none", {}, "2027-01-31T12:00:00+01:00", ""},
       OverrideError::kEnd,
       "until:"},
      {"note too long",
       {"example.com", "none", {}, "", std::string(kMaxOverrideNote + 1, 'x')},
       OverrideError::kNote,
       "note:"},
      {"note of two lines", {"example.com", "none", {}, "", "a\nb"}, OverrideError::kNote, "note:"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto got = read_override(c.text);
    ASSERT_EQ(got.ok(), !c.want.has_value());
    if (got.ok()) continue;
    EXPECT_EQ(got.error().code, *c.want);
    EXPECT_TRUE(got.error().detail.starts_with(c.member)) << got.error().detail;
  }
}

TEST(Override, ADayHoldsToItsEnd) {
  const auto day = read_override({"example.com", "none", {}, "2027-01-31", ""});
  EXPECT_EQ(base::format_utc(*day.value().until), "2027-02-01T00:00:00Z");
  const auto time = read_override({"example.com", "none", {}, "2027-01-31T12:00:00Z", ""});
  EXPECT_EQ(base::format_utc(*time.value().until), "2027-01-31T12:00:00Z");
  const auto own = read_override({"Example.COM", "", {"MX1.example.com"}, "", ""});
  EXPECT_EQ(own.value().mode, PolicyMode::kEnforce);
  EXPECT_EQ(own.value().domain, "example.com");
  EXPECT_EQ(own.value().mx, std::vector<std::string>{"mx1.example.com"});
}

struct Book {
  explicit Book() {
    overrides.set_on_change([this](const std::string& domain) { changed.push_back(domain); });
  }
  base::Outcome<OverrideBookError> set(const Override& wanted) {
    base::Outcome<OverrideBookError> got = base::fail(OverrideBookError::kStore, "not called");
    overrides.set(wanted, 1000, [&got](const auto& outcome) { got = outcome; });
    pending.deliver();
    return got;
  }
  base::Outcome<OverrideBookError> remove(const std::string& domain) {
    base::Outcome<OverrideBookError> got = base::fail(OverrideBookError::kStore, "not called");
    overrides.remove(domain, [&got](const auto& outcome) { got = outcome; });
    pending.deliver();
    return got;
  }

  fakes::Pending pending;
  fakes::FakeClock clock;
  fakes::FakeDatabase database{pending};
  OverrideBook overrides{database, clock};
  std::vector<std::string> changed;
};

Override none_of(const std::string& domain) {
  Override set;
  set.domain = domain;
  return set;
}

TEST(OverrideBook, WhatWasSetHoldsAndSurvives) {
  Book book;
  Override own = none_of("example.com");
  own.mode = PolicyMode::kEnforce;
  own.mx = {"mx1.example.com", "*.example.net"};
  own.until = book.clock.now() + std::chrono::hours(1);
  own.note = "a note";
  ASSERT_TRUE(book.set(own).ok());
  ASSERT_NE(book.overrides.find("example.com"), nullptr);
  EXPECT_EQ(*book.overrides.find("example.com"), own);
  EXPECT_EQ(book.overrides.find("sub.example.com"), nullptr);
  EXPECT_EQ(book.changed, std::vector<std::string>{"example.com"});
  // Another daemon on the same store.
  OverrideBook next(book.database, book.clock);
  next.load([](const auto& outcome) { EXPECT_TRUE(outcome.ok()); });
  book.pending.deliver();
  ASSERT_NE(next.find("example.com"), nullptr);
  EXPECT_EQ(*next.find("example.com"), own);
  EXPECT_EQ(next.list().at(0).set_by, 1000);
  ASSERT_TRUE(book.remove("example.com").ok());
  EXPECT_EQ(book.overrides.find("example.com"), nullptr);
  EXPECT_TRUE(book.database.overrides.empty());
}

TEST(OverrideBook, WhatCouldNotBeSavedDoesNotHold) {
  Book book;
  book.database.is_full = true;
  const auto got = book.set(none_of("example.com"));
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, OverrideBookError::kStore);
  EXPECT_EQ(book.overrides.find("example.com"), nullptr);
}

TEST(OverrideBook, TheFileGoesFirst) {
  Book book;
  Override testing = none_of("example.com");
  testing.mode = PolicyMode::kTesting;
  ASSERT_TRUE(book.set(none_of("example.com")).ok());
  book.overrides.set_configured({testing});
  EXPECT_EQ(book.overrides.find("example.com")->mode, PolicyMode::kTesting);
  EXPECT_EQ(book.overrides.list().size(), 2u);
  const auto again = book.set(none_of("example.com"));
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, OverrideBookError::kInFile);
  EXPECT_NE(again.error().detail.find("configuration file"), std::string::npos);
  book.overrides.set_configured({});
  EXPECT_EQ(book.overrides.find("example.com")->mode, PolicyMode::kNone);
  book.overrides.set_configured({none_of("file.example")});
  EXPECT_EQ(book.remove("file.example").error().code, OverrideBookError::kInFile);
  EXPECT_EQ(book.remove("other.example").error().code, OverrideBookError::kMissing);
}

TEST(OverrideBook, EndsAreSeenOnce) {
  Book book;
  Override ending = none_of("example.com");
  ending.until = book.clock.now() + std::chrono::seconds(10);
  ASSERT_TRUE(book.set(ending).ok());
  book.changed.clear();
  book.clock.advance(std::chrono::seconds(9));
  book.overrides.end_due();
  EXPECT_NE(book.overrides.find("example.com"), nullptr);
  EXPECT_TRUE(book.changed.empty());
  book.clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(book.overrides.find("example.com"), nullptr);
  book.overrides.end_due();
  book.overrides.end_due();
  EXPECT_EQ(book.changed, std::vector<std::string>{"example.com"});
  EXPECT_EQ(book.overrides.list().size(), 1u);  // listed until it is removed
}

}  // namespace
}  // namespace strictmx::verdict
