// signer.h - puts DKIM signatures on a message of our own (RFC 6376 §5, RFC 8460 §3).
//
// Use: Signer::create() once for a domain, then sign() for each message.
// Ownership: holds its keys. Threads: sign() from any number of threads at once; nothing changes.
// An RSA-2048 signature costs about 350 microseconds: there is no way around it, so many of them
// belong into worker threads, never on the event loop.
// Errors: SignerError. A message that a mail server on the way would have to change, and so break
// the signature, is refused, as is a field that would become two.
// Canonical form relaxed/relaxed; t= always, x= if wanted; never l= (RFC 8460 §3) nor i=.
// Limits: kMaxSigningKeys, kMaxSignedNames, kMaxLineBytes, and those of message.h.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/domain_name.h"
#include "common/base/result.h"
#include "common/dkim/key.h"

namespace strictmx::dkim {

inline constexpr std::size_t kMaxSigningKeys = 4;  // RSA and Ed25519, each old and new
inline constexpr std::size_t kMaxLineBytes = 998;  // RFC 5322 §2.1.1, without the line end

enum class SignerError {
  kDomain,    // d= can't be that
  kSelector,  // no selector, or one that makes no DNS name with the domain
  kKeys,      // none, or more than kMaxSigningKeys
  kLifetime,  // not above zero
  kName,      // a name to sign that is no field name or is changed on the way
  kField,     // a header field with a byte, a line or a name that may not be
  kFrom,      // not exactly one From
  kBody,      // a bare CR or LF, a NUL or a line that is too long
  kTooLarge,  // over the limits of message.h
  kSystem,    // OpenSSL fails
};

struct SigningKey {
  PrivateKey key;
  std::string selector;
};

struct SignerSettings {
  // Fields to sign, in this order, each as often as it is there. From, Subject, TLS-Report-Domain
  // and TLS-Report-Submitter are signed in any case and once more than they are there, so that
  // nobody can add one.
  std::vector<std::string> signed_names = {"Date",         "To",
                                           "Message-ID",   "MIME-Version",
                                           "Content-Type", "Content-Transfer-Encoding",
                                           "TLS-Required"};
  std::optional<std::chrono::seconds> lifetime;  // x= is that long after t=
};

// One header field to be written. The value may be folded: line ends (CRLF or LF) with white space
// behind them.
struct NewField {
  std::string name;
  std::string value;
};

class Signer {
 public:
  static base::Result<Signer, SignerError> create(const base::DomainName& domain,
                                                  std::vector<SigningKey> keys,
                                                  SignerSettings settings = {});

  // The whole message with CRLF: a DKIM-Signature field for each key, the fields, an empty line,
  // the body with a last line end. `body` has either CRLF or LF throughout.
  base::Result<std::string, SignerError> sign(const std::vector<NewField>& fields,
                                              std::string_view body, base::WallTime now) const;

 private:
  Signer(std::string domain, std::vector<SigningKey> keys, SignerSettings settings)
      : domain_(std::move(domain)), keys_(std::move(keys)), settings_(std::move(settings)) {}

  std::string domain_;
  std::vector<SigningKey> keys_;
  SignerSettings settings_;
};

}  // namespace strictmx::dkim
