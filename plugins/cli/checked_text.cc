// checked_text.cc - see checked_text.h.
#include "plugins/cli/checked_text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/unique_descriptor.h"

namespace strictmx::cli {

using base::fail;
using base::Failure;

Or<std::string> read_input(const std::string& file, const InputBound& bound) {
  const std::string name = file == "-" ? "standard input" : file;
  base::UniqueDescriptor opened;
  if (file != "-") {
    opened = base::UniqueDescriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened) return fail(Exit::kNoInput, fmt::format("{}: {}", name, std::strerror(errno)));
  }
  const int descriptor = file == "-" ? STDIN_FILENO : opened.get();
  std::string text;
  char buffer[16384];
  while (true) {
    const ssize_t got = read(descriptor, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Exit::kNoInput, fmt::format("{}: {}", name, std::strerror(errno)));
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > bound.max_bytes) {
      return fail(Exit::kData,
                  fmt::format("{}: over {} bytes, {}", name, bound.max_bytes, bound.reason));
    }
  }
}

Failure<Exit> invalid(std::string_view kind, std::string_view reason, std::string_view section) {
  std::string text = fmt::format("{}: {}", kind, reason);
  if (reason.find("RFC 84") == reason.npos) text += fmt::format(" ({})", section);
  return fail(Exit::kData, std::move(text));
}

}  // namespace strictmx::cli
