// reply_json.h - pieces that replies of control commands are put together from.
//
// Threads: stateless. Limits: max_items of a list; what is beyond is not shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/mta_sts/policy.h"
#include "common/service/json_answers.h"

namespace strictmx::service {

// A domain has a handful of TXT records at a name, a policy at most kMaxMxPatterns; more are a
// flood.
inline constexpr std::size_t kMaxTextsShown = mta_sts::kMaxMxPatterns;

void set(const Json& object, const char* name, Json value);
void set_time(const Json& object, const char* name, base::WallTime time);
void set_number(const Json& object, const char* name, std::uint64_t value);
void set_text_if_any(const Json& object, const char* name, const std::string& text);
Json texts_json(const std::vector<std::string>& texts, std::size_t max_items = kMaxTextsShown);

}  // namespace strictmx::service
