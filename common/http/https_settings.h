// https_settings.h - what an HTTPS client is made from, and why making one may fail.
//
// Use: fill from [https] of the configuration, hand to HttpsClient::create(). Threads: values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace strictmx::http {

enum class SetupError {
  kRoots,   // ca_file gives no certificate
  kProxy,   // proxy can't be used as written
  kSystem,  // OpenSSL does not start
};

struct HttpsSettings {
  std::string ca_file;
  std::chrono::milliseconds timeout{60000};
  std::size_t max_bytes = 64 * 1024;
  std::string proxy;         // empty for none; the environment is not asked
  std::uint16_t port = 443;  // another one is for tests alone, no configuration sets it
};

}  // namespace strictmx::http
