// fuzz_socketmap_request.cc - fuzz target for a socketmap request of any map, over a made-up
// network that has a policy for some names.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/log.h"
#include "tests/fakes/fake_world.h"
#include "tests/fuzz/require.h"

namespace {

using strictmx::fakes::FakeWorld;
using strictmx::fuzz::require;

FakeWorld& world() {
  static FakeWorld* made = [] {
    [[maybe_unused]] const auto opened = strictmx::base::log_open("fuzz", "error", "stderr");
    auto* fresh = new FakeWorld;
    fresh->publish("a.example", "version: STSv1\nmode: enforce\nmx: mx.a.example\nmax_age: 100\n");
    return fresh;
  }();
  return *made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > strictmx::service::kMaxRequestBytes) return 0;
  const std::string request(data, data + size);
  const auto reply = world().ask(request);
  require(reply.has_value(), "every question is answered");
  require(reply->starts_with("OK ") || reply->starts_with("NOTFOUND ") ||
              reply->starts_with("TEMP ") || reply->starts_with("PERM "),
          "a reply begins with its status");
  require(reply->size() <= strictmx::service::kMaxReplyBytes, "a reply is bounded");
  require(reply->find_first_of(std::string_view("\0\r\n", 3)) == std::string::npos,
          "a reply is one line");
  // The same request again: the same status, now from what is ready or cached.
  const auto again = world().ask(request);
  require(
      again.has_value() && again->substr(0, again->find(' ')) == reply->substr(0, reply->find(' ')),
      "the answer does not change by asking");
  return 0;
}
