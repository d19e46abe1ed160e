// terminal.h - prints for a person: escaped text, columns that line up, colour on a terminal.
//
// Use: shown() around every text that a daemon, a file or DNS gave; Table for columns.
// Colour is used when stdout is a terminal, TERM is not "dumb" and NO_COLOR is unset or empty
// (https://no-color.org). Threads: the main thread alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/printable.h"

namespace strictmx::cli {

using base::shown;

enum class Style { kPlain, kHeading, kGood, kWarning, kBad, kFaint };

// `text` with the codes of `style` around it where colour is used.
std::string styled(Style style, std::string_view text);

// "strictmx: problem" on stderr; the text may have several lines of our own.
void print_problem(std::string_view problem);

// In single quotes as a POSIX shell takes it.
std::string shell_quoted(std::string_view text);

// Columns as wide as their widest cell, two blanks between; the last one is not filled up.
class Table {
 public:
  struct Cell {
    std::string text;
    Style style = Style::kPlain;
  };

  explicit Table(std::string indent = "") : indent_(std::move(indent)) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  std::string text() const;

 private:
  std::string indent_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace strictmx::cli
