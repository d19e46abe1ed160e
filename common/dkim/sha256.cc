// sha256.cc - see sha256.h.
#include "common/dkim/sha256.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>

namespace strictmx::dkim {
namespace {

struct ContextFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

class Hash {
 public:
  Hash() : context_(EVP_MD_CTX_new()) {
    is_good_ = context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
  }

  void add(std::string_view bytes) {
    is_good_ = is_good_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
  }

  std::optional<std::string> finish() {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!is_good_ || EVP_DigestFinal_ex(context_.get(), bytes, &size) != 1) {
      ERR_clear_error();
      return std::nullopt;
    }
    return std::string(reinterpret_cast<const char*>(bytes), size);
  }

 private:
  std::unique_ptr<EVP_MD_CTX, ContextFree> context_;
  bool is_good_ = false;
};

}  // namespace

std::optional<std::string> sha256(std::string_view bytes) {
  Hash hash;
  hash.add(bytes);
  return hash.finish();
}

std::optional<std::string> body_hash(Canonicalization form, std::string_view body) {
  Hash hash;
  write_canonical_body(form, body, [&hash](std::string_view piece) { hash.add(piece); });
  return hash.finish();
}

}  // namespace strictmx::dkim
