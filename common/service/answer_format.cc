// answer_format.cc - see answer_format.h.
#include "common/service/answer_format.h"

#include <string_view>

namespace strictmx::service {
namespace {

constexpr std::size_t kMaxReasonBytes = 400;

}  // namespace

Status append_answer(const AnswerFormat& format, const verdict::Verdict& verdict,
                     std::string& out) {
  if (verdict::level_of(verdict.rule) != verdict::Level::kTemp) return format.format(verdict, out);
  out += "TEMP ";
  // Names in it come from DNS.
  for (const char c : std::string_view(verdict.temp_reason).substr(0, kMaxReasonBytes)) {
    out += c >= ' ' && c < 0x7f ? c : '?';
  }
  return Status::kTemp;
}

}  // namespace strictmx::service
