// curl_library.h - libcurl, loaded when the first mail is to leave.
//
// Linked in, it and the some thirty libraries behind it take 13 MB of a daemon's memory from its
// start on, three times what the rest takes, also where no report is ever sent by SMTP.
//
// Use: CurlLibrary::load(), then its functions, which are libcurl's own.
// Ownership: the one library stays loaded until the process ends. Threads: any.
// Errors: null where libcurl.so.4 can't be loaded or does not start; `problem` says why.
#pragma once

#include <curl/curl.h>

#include <string>

namespace strictmx::reporting {

struct CurlLibrary {
  static const CurlLibrary* load(std::string& problem);

  decltype(&curl_global_init) global_init = nullptr;
  decltype(&curl_easy_init) easy_init = nullptr;
  decltype(&curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&curl_easy_perform) easy_perform = nullptr;
  decltype(&::curl_easy_setopt) easy_setopt = nullptr;
  decltype(&::curl_easy_getinfo) easy_getinfo = nullptr;
  decltype(&curl_easy_strerror) easy_strerror = nullptr;
  decltype(&curl_slist_append) slist_append = nullptr;
  decltype(&curl_slist_free_all) slist_free_all = nullptr;
};

}  // namespace strictmx::reporting
