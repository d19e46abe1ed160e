// tls_library.cc - see tls_library.h. A provider of our own in front of OpenSSL's "default" one,
// which it loads into a library context behind it: every algorithm is the default provider's.
#include "common/http/tls_library.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

namespace strictmx::http {
namespace {

constexpr const char* kDefaultProvider = "default";
constexpr const char* kOurProvider = "strictmx-tls";
constexpr std::string_view kCertificateKeys[] = {"RSA", "RSA-PSS", "EC", "ED25519", "ED448"};

// Reads the public key of a certificate: "provider=default,input=der,structure=...".
bool reads_certificate_keys(const OSSL_ALGORITHM& decoder) {
  const std::string_view properties(decoder.property_definition);
  const std::string_view names(decoder.algorithm_names);  // "RSA:rsaEncryption:1.2.840..."
  const std::string_view name = names.substr(0, names.find(':'));
  return properties.find("input=der") != std::string_view::npos &&
         properties.find("structure=SubjectPublicKeyInfo") != std::string_view::npos &&
         std::find(std::begin(kCertificateKeys), std::end(kCertificateKeys), name) !=
             std::end(kCertificateKeys);
}

struct Behind {
  OSSL_PROVIDER* provider = nullptr;     // null where it can't be loaded
  std::vector<OSSL_ALGORITHM> decoders;  // the last one has no name
};

Behind load_default() {
  Behind behind;
  OSSL_LIB_CTX* context = OSSL_LIB_CTX_new();
  if (context != nullptr) behind.provider = OSSL_PROVIDER_load(context, kDefaultProvider);
  if (behind.provider == nullptr) {
    OSSL_LIB_CTX_free(context);
    return behind;
  }
  int no_cache = 0;
  const OSSL_ALGORITHM* decoder =
      OSSL_PROVIDER_query_operation(behind.provider, OSSL_OP_DECODER, &no_cache);
  for (; decoder != nullptr && decoder->algorithm_names != nullptr; ++decoder) {
    if (reads_certificate_keys(*decoder)) behind.decoders.push_back(*decoder);
  }
  behind.decoders.push_back({});
  return behind;
}

const Behind& behind() {
  static const Behind loaded = load_default();
  return loaded;
}

const OSSL_ALGORITHM* query_operation(void*, int operation, int* no_cache) {
  if (operation != OSSL_OP_DECODER) {
    return OSSL_PROVIDER_query_operation(behind().provider, operation, no_cache);
  }
  *no_cache = 0;
  return behind().decoders.data();
}

// The groups of TLS.
int get_capabilities(void*, const char* capability, OSSL_CALLBACK* callback, void* argument) {
  return OSSL_PROVIDER_get_capabilities(behind().provider, capability, callback, argument);
}

const OSSL_DISPATCH kFunctions[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, reinterpret_cast<void (*)()>(&query_operation)},
    {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, reinterpret_cast<void (*)()>(&get_capabilities)},
    {0, nullptr}};

int init_provider(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** functions,
                  void** context) {
  if (behind().provider == nullptr) return 0;
  *functions = kFunctions;
  // The algorithms are called with the context that they know.
  *context = OSSL_PROVIDER_get0_provider_ctx(behind().provider);
  return 1;
}

int count_others(OSSL_PROVIDER* provider, void* others) {
  if (std::string_view(OSSL_PROVIDER_get0_name(provider)) != kDefaultProvider) {
    ++*static_cast<int*>(others);
  }
  return 1;
}

bool is_set_up_otherwise() {
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, nullptr);
  int others = 0;
  OSSL_PROVIDER_do_all(nullptr, &count_others, &others);
  return others != 0 || EVP_default_properties_is_fips_enabled(nullptr) == 1;
}

OSSL_LIB_CTX* make_library() {
  if (is_set_up_otherwise()) return nullptr;
  OSSL_LIB_CTX* context = OSSL_LIB_CTX_new();
  if (context == nullptr) return nullptr;
  if (OSSL_PROVIDER_add_builtin(context, kOurProvider, &init_provider) == 1 &&
      OSSL_PROVIDER_load(context, kOurProvider) != nullptr) {
    return context;
  }
  OSSL_LIB_CTX_free(context);
  return nullptr;
}

}  // namespace

ossl_lib_ctx_st* tls_library() {
  static OSSL_LIB_CTX* const library = make_library();
  return library;
}

}  // namespace strictmx::http
