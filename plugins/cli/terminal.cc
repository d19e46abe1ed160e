// terminal.cc - see terminal.h.
#include "plugins/cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace strictmx::cli {
namespace {

bool uses_colour() {
  static const bool answer = [] {
    const char* no_colour = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    const bool is_dumb = term == nullptr || std::string_view(term) == "dumb";
    return isatty(STDOUT_FILENO) != 0 && !is_dumb && (no_colour == nullptr || *no_colour == '\0');
  }();
  return answer;
}

std::string_view colour_code(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kHeading:
      return "\033[1m";
    case Style::kGood:
      return "\033[32m";
    case Style::kWarning:
      return "\033[33m";
    case Style::kBad:
      return "\033[31m";
    case Style::kFaint:
      return "\033[2m";
  }
  return "";
}

}  // namespace

std::string styled(Style style, std::string_view text) {
  if (style == Style::kPlain || !uses_colour()) return std::string(text);
  return fmt::format("{}{}\033[0m", colour_code(style), text);
}

void print_problem(std::string_view problem) {
  std::string out = "strictmx: ";
  while (!problem.empty()) {  // each line is escaped by itself: the line ends are ours
    const std::size_t end = std::min(problem.find('\n'), problem.size());
    out += shown(problem.substr(0, end)) + "\n";
    problem.remove_prefix(std::min(end + 1, problem.size()));
    if (!problem.empty()) out += "  ";
  }
  std::fputs(out.c_str(), stderr);
}

std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], base::columns(row[i].text));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    out += indent_;
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += styled(row[i].style, row[i].text);
      if (i + 1 < row.size()) out.append(widths[i] - base::columns(row[i].text) + 2, ' ');
    }
    out.erase(out.find_last_not_of(' ') + 1);  // empty cells at the end
    out += '\n';
  }
  return out;
}

}  // namespace strictmx::cli
