// canonical.cc - see canonical.h.
#include "common/dkim/canonical.h"

#include <algorithm>
#include <cstddef>

#include "common/base/domain_name.h"

namespace strictmx::dkim {
namespace {

constexpr std::string_view kWhiteSpace = " \t";  // RFC 5234 WSP
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::size_t kPieceBytes = 16 * 1024;  // hashing calls are few, memory stays small

bool is_white_space(char c) { return c == ' ' || c == '\t'; }

// §3.4.2 order: name in lower case, unfolded, runs of white space to one space, none at the end of
// the value nor around the ":". A line end in a field is always that of a fold.
void append_relaxed_field(std::string_view field, std::string& out) {
  const std::size_t colon = std::min(field.find(':'), field.size());
  std::string_view name = field.substr(0, colon);
  name = name.substr(0, name.find_last_not_of(kWhiteSpace) + 1);
  out.append(base::ascii_lower(name)).push_back(':');

  std::string_view value = field.substr(std::min(colon + 1, field.size()));
  bool has_value = false;
  bool is_space_due = false;
  for (std::size_t at = 0; at < value.size(); ++at) {
    const char c = value[at];
    if (c == '\n' || value.substr(at).starts_with(kLineEnd)) continue;
    if (is_white_space(c)) {
      is_space_due = has_value;
      continue;
    }
    if (is_space_due) out.push_back(' ');
    is_space_due = false;
    has_value = true;
    out.push_back(c);
  }
}

void append_simple_field(std::string_view field, std::string& out) {
  for (std::size_t at = 0; at < field.size();) {
    const std::size_t line_feed = field.find('\n', at);
    std::string_view line = field.substr(at, line_feed - at);
    if (line_feed == std::string_view::npos) {
      out.append(line);
      return;
    }
    if (line.ends_with('\r')) line.remove_suffix(1);
    out.append(line).append(kLineEnd);
    at = line_feed + 1;
  }
}

// Gathers what is written into pieces, so that a body of short lines costs few calls and one of a
// single long line no memory.
class PieceWriter {
 public:
  explicit PieceWriter(const std::function<void(std::string_view)>& write) : write_(write) {}

  void append(std::string_view text) {
    if (text.size() + kLineEnd.size() > kPieceBytes - piece_.size()) flush();
    if (text.size() + kLineEnd.size() > kPieceBytes) {
      write_(text);
    } else {
      piece_.append(text);
    }
  }
  void end_line() { append(kLineEnd); }
  void flush() {
    if (!piece_.empty()) write_(piece_);
    piece_.clear();
  }

 private:
  const std::function<void(std::string_view)>& write_;
  std::string piece_;
};

// §3.4.4: runs of white space become one space each.
void append_with_single_spaces(std::string_view line, PieceWriter& writer) {
  while (true) {
    const std::size_t end = line.find_first_of(kWhiteSpace);
    writer.append(line.substr(0, end));
    if (end == std::string_view::npos) return;
    writer.append(" ");
    line.remove_prefix(std::min(line.find_first_not_of(kWhiteSpace, end), line.size()));
  }
}

}  // namespace

std::string_view canonicalization_name(Canonicalization form) {
  switch (form) {
    case Canonicalization::kSimple:
      return "simple";
    case Canonicalization::kRelaxed:
      return "relaxed";
  }
  return "simple";
}

std::optional<Canonicalization> canonicalization_from_name(std::string_view name) {
  for (const Canonicalization form : {Canonicalization::kSimple, Canonicalization::kRelaxed}) {
    if (canonicalization_name(form) == name) return form;
  }
  return std::nullopt;
}

void append_canonical_field(Canonicalization form, std::string_view field, std::string& out) {
  switch (form) {
    case Canonicalization::kSimple:
      append_simple_field(field, out);
      return;
    case Canonicalization::kRelaxed:
      append_relaxed_field(field, out);
      return;
  }
}

// Empty lines are held back until a line with something in it follows: at the end of the body they
// do not count. In the relaxed form a line of white space only is empty too, as §3.4.4 takes the
// white space off first.
void write_canonical_body(Canonicalization form, std::string_view body,
                          const std::function<void(std::string_view)>& write) {
  const bool is_relaxed = form == Canonicalization::kRelaxed;
  PieceWriter writer(write);
  std::size_t empty_lines = 0;
  bool has_text = false;
  while (!body.empty()) {
    const std::size_t line_feed = body.find('\n');
    std::string_view line = body.substr(0, line_feed);
    body.remove_prefix(line_feed == std::string_view::npos ? body.size() : line_feed + 1);
    if (line_feed != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    if (is_relaxed) line = line.substr(0, line.find_last_not_of(kWhiteSpace) + 1);
    if (line.empty()) {
      ++empty_lines;
      continue;
    }
    for (; empty_lines > 0; --empty_lines) writer.end_line();
    if (is_relaxed) {
      append_with_single_spaces(line, writer);
    } else {
      writer.append(line);
    }
    writer.end_line();
    has_text = true;
  }
  // §3.4.3: no body at all is one CRLF in the simple form; §3.4.4: nothing in the relaxed one.
  if (!has_text && !is_relaxed) writer.end_line();
  writer.flush();
}

}  // namespace strictmx::dkim
