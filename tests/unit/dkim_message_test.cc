// dkim_message_test.cc - a mail cut into header fields and body (RFC 5322 §2.1, §2.2).
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/dkim/message.h"

namespace strictmx::dkim {
namespace {

TEST(Rfc5322Sec21Message, FieldsAndBody) {
  struct Case {
    const char* name;
    std::string input;
    std::vector<std::string> fields;  // "name|text"
    std::string body;
  };
  const std::vector<Case> cases = {
      {"CRLF", "A: b\r\nC: d\r\n\r\nbody\r\n", {"A|A: b", "C|C: d"}, "body\r\n"},
      {"LF", "A: b\nC: d\n\nbody\n", {"A|A: b", "C|C: d"}, "body\n"},
      {"mixed", "A: b\r\nC: d\n\r\nbody", {"A|A: b", "C|C: d"}, "body"},
      {"folded", "A: b\r\n c\r\n\td\r\nE: f\r\n\r\n", {"A|A: b\r\n c\r\n\td", "E|E: f"}, ""},
      {"folded, LF", "A: b\n c\nE: f\n\n", {"A|A: b\n c", "E|E: f"}, ""},
      {"fold of space only", "A: b\r\n \r\n\r\nx", {"A|A: b\r\n "}, "x"},
      {"space before the colon", "A \t: b\r\n\r\n", {"A|A \t: b"}, ""},
      {"no value", "A:\r\n\r\n", {"A|A:"}, ""},
      {"no body", "A: b\r\n", {"A|A: b"}, ""},
      {"no body and no line end", "A: b", {"A|A: b"}, ""},
      {"fold without line end", "A: b\r\n c", {"A|A: b\r\n c"}, ""},
      {"no header", "\r\nbody", {}, "body"},
      {"nothing", "", {}, ""},
      {"body like a header", "A: b\r\n\r\nC: d\r\n\r\n", {"A|A: b"}, "C: d\r\n\r\n"},
      {"bare CR", "A: b\rC: d\r\n\r\n", {"A|A: b\rC: d"}, ""},
      {"two CR", "A: b\r\r\n\r\nx", {"A|A: b\r"}, "x"},
      {"mailbox line", "From a@b Mon Jan  1 00:00:00 2024\nA: b\n\nx", {"A|A: b"}, "x"},
      {"obsolete From", "From : a@b\nA: b\n\nx", {"From|From : a@b", "A|A: b"}, "x"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto message = split_message(c.input);
    ASSERT_TRUE(message.ok()) << message.error().detail;
    std::vector<std::string> fields;
    for (const HeaderField& field : message.value().fields) {
      fields.push_back(std::string(field.name) + "|" + std::string(field.text));
    }
    EXPECT_EQ(fields, c.fields);
    EXPECT_EQ(message.value().body, c.body);
  }
}

TEST(Rfc5322Sec22Message, WhatIsNoFieldIsRefused) {
  struct Case {
    const char* name;
    std::string input;
  };
  const std::vector<Case> cases = {
      {"no colon", "A: b\r\nthis is text\r\n\r\n"},
      {"no name", ": b\r\n\r\n"},
      {"space for name", "A: b\r\n\r: b\r\n"},
      {"space in the name", "A b: c\r\n\r\n"},
      {"fold first", " A: b\r\n\r\n"},
      {"8-bit name", "\xC3\xA9: b\r\n\r\n"},
      {"control in the name", "A\x01: b\r\n\r\n"},
      {"CR for an empty line", "A: b\r\n\r\r\nC: d\r\n"},
      {"mailbox line further down", "A: b\nFrom a@b Mon Jan  1 00:00:00 2024\n\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto message = split_message(c.input);
    ASSERT_FALSE(message.ok());
    EXPECT_EQ(message.error().code, MessageError::kSyntax);
  }
}

TEST(DkimMessage, LimitsHoldOnBothSides) {
  const auto is_taken = [](const std::string& text) {
    const auto message = split_message(text);
    if (!message.ok()) {
      EXPECT_EQ(message.error().code, MessageError::kTooLarge);
    }
    return message.ok();
  };
  std::string fields;
  for (std::size_t i = 0; i < kMaxHeaderFields; ++i) fields += "A: b\r\n";
  EXPECT_TRUE(is_taken(fields));
  EXPECT_FALSE(is_taken(fields + "A: b\r\n"));

  std::string header = "A: ";
  header.append(kMaxHeaderBytes - header.size() - 2, 'x').append("\n");
  EXPECT_TRUE(is_taken(header + "\nbody"));
  EXPECT_FALSE(is_taken(header + "\r\nbody"));

  std::string message = "A: b\r\n\r\n";
  message.resize(kMaxMessageBytes, 'x');
  EXPECT_TRUE(is_taken(message));
  EXPECT_FALSE(is_taken(message + "x"));
}

TEST(Rfc5322Sec122Message, NamesHaveNoLetterCase) {
  EXPECT_TRUE(is_same_name("From", "fROM"));
  EXPECT_FALSE(is_same_name("From", "Fro"));
  EXPECT_FALSE(is_same_name("From", "Form"));
  EXPECT_FALSE(is_same_name("[", "{"));  // letters only
}

}  // namespace
}  // namespace strictmx::dkim
