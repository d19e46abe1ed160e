// curl_library.cc - see curl_library.h.
#include "common/reporting/curl_library.h"

#include <dlfcn.h>

namespace strictmx::reporting {
namespace {

constexpr const char* kName = "libcurl.so.4";  // Debian's libcurl4, and that of 7.16 to 8.x

struct Loaded {
  CurlLibrary library;
  std::string problem;

  Loaded() {
    handle_ = dlopen(kName, RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) note();
    if (!problem.empty()) return;
    find("curl_global_init", library.global_init);
    find("curl_easy_init", library.easy_init);
    find("curl_easy_cleanup", library.easy_cleanup);
    find("curl_easy_perform", library.easy_perform);
    find("curl_easy_setopt", library.easy_setopt);
    find("curl_easy_getinfo", library.easy_getinfo);
    find("curl_easy_strerror", library.easy_strerror);
    find("curl_slist_append", library.slist_append);
    find("curl_slist_free_all", library.slist_free_all);
    if (!problem.empty()) return;
    if (library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) problem = "libcurl does not start";
  }

 private:
  template <class Function>
  void find(const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(handle_, name));
    if (function == nullptr) note();
  }
  void note() {
    const char* reason = dlerror();
    problem = std::string(reason == nullptr ? kName : reason) + " (Debian package libcurl4)";
  }

  void* handle_ = nullptr;
};

}  // namespace

const CurlLibrary* CurlLibrary::load(std::string& problem) {
  static const Loaded loaded;
  problem = loaded.problem;
  return loaded.problem.empty() ? &loaded.library : nullptr;
}

}  // namespace strictmx::reporting
