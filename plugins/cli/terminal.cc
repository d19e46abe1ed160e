// terminal.cc - see terminal.h.
#include "plugins/cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace strictmx::cli {
namespace {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 0;  // 0: not UTF-8
};

// By the table of RFC 3629 §4; overlong forms and surrogates are no UTF-8.
CodePoint first_code_point(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  char32_t value = first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return {};
    value = (value << 6) | (byte(i) & 0x3Fu);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kLeast[length] || value > 0x10FFFF || is_surrogate) return {};
  return {value, length};
}

bool is_harmless(char32_t c) {
  if (c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD) return false;
  const bool is_formatting = (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
                             (c >= 0x2060 && c <= 0x206F) || c == 0x061C || c == 0xFEFF ||
                             (c >= 0xFFF0 && c <= 0xFFFB) || c >= 0xE0000;
  return !is_formatting;
}

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

// Columns on the screen, near enough: a code point is one.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

std::string shown(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    const std::size_t bytes = std::max<std::size_t>(point.bytes, 1);
    if (point.bytes > 0 && is_harmless(point.value)) {
      out.append(text.substr(0, bytes));
    } else {
      for (const char c : text.substr(0, bytes)) {
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
      }
    }
    text.remove_prefix(bytes);
  }
  return out;
}

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

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width(row[i].text));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    out += indent_;
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += styled(row[i].style, row[i].text);
      if (i + 1 < row.size()) out.append(widths[i] - width(row[i].text) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace strictmx::cli
