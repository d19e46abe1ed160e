// broken_results.cc - see broken_results.h.
#include "common/reporting/broken_results.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "common/base/log.h"
#include "common/base/unique_descriptor.h"

namespace strictmx::reporting {

std::string BrokenResults::path_of(std::size_t slot) const {
  return fmt::format("{}/{:02}", folder_, slot);
}

std::size_t BrokenResults::oldest_slot() const {
  std::size_t oldest = 0;
  std::filesystem::file_time_type oldest_time = std::filesystem::file_time_type::max();
  for (std::size_t slot = 0; slot < kMaxBrokenFiles; ++slot) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(path_of(slot), error);
    if (error) return slot;
    if (time < oldest_time) {
      oldest_time = time;
      oldest = slot;
    }
  }
  return oldest;
}

void BrokenResults::note(const BrokenText& broken, base::WallTime now, base::SteadyTime steady) {
  if (has_slot_ && steady - last_ < kBrokenPause) {
    ++passed_over_;
    return;
  }
  if (!has_slot_) {
    std::error_code error;  // shows as the file's own
    std::filesystem::create_directories(folder_, error);
    slot_ = oldest_slot();
    has_slot_ = true;
  }
  last_ = steady;
  const std::string path = path_of(slot_);
  base::log_warning("a result can't be read",
                    {{"reason", std::string(tlsrpt::datagram_error_name(broken.why.code)) + ": " +
                                    broken.why.detail},
                     {"text", std::string(broken.text.substr(0, base::kMaxLogValueBytes))},
                     {"kept_as", path},
                     {"others_since", std::to_string(passed_over_)}});
  passed_over_ = 0;
  const base::UniqueDescriptor file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  std::string text = fmt::format("{} {}: {}\n\n", base::format_utc(now),
                                 tlsrpt::datagram_error_name(broken.why.code), broken.why.detail);
  text += broken.text;
  // For study alone: what does not fit on the disk is left out.
  if (file) [[maybe_unused]]
    const auto written = write(file.get(), text.data(), text.size());
  slot_ = (slot_ + 1) % kMaxBrokenFiles;
}

}  // namespace strictmx::reporting
