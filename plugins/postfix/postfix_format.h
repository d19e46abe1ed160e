// postfix_format.h - the verdict as an answer of smtp_tls_policy_maps (postconf(5), TLS_README).
//
// Use: one object for Postfix 3.4 and later, one with TLSRPT attributes for 3.10 and later; each
// with DANE answers or without.
// Threads: stateless.
// What is answered: "OK secure match=... servername=hostname" for mode enforce; with DANE answers
// "OK dane-only" or "OK dane" where there is TLSA; else NOTFOUND (the site's own level holds). Byte
// for byte what postfix-tlspol's QUERY and QUERYwithTLSRPT answer.
// Without smtp_dns_support_level = dnssec Postfix defers all mail at the two DANE levels, and
// `dane` is weaker than a site's own `encrypt` or `secure`: hence the setting postfix.dane. Limits:
// a reply over kMaxReplyBytes loses its policy_string attributes, then its mx_host_pattern, never
// its match.
#pragma once

#include <string>

#include "common/service/answer_format.h"

namespace strictmx::postfix {

enum class Attributes {
  kPlain,   // Postfix before 3.10 refuses every other attribute and defers the mail
  kTlsrpt,  // policy_type, policy_domain, mx_host_pattern, policy_string
};

enum class DaneAnswers { kOff, kOn };

class PostfixFormat : public service::AnswerFormat {
 public:
  PostfixFormat(Attributes attributes, DaneAnswers dane) : attributes_(attributes), dane_(dane) {}

  service::Status format(const verdict::Verdict& verdict, std::string& out) const override;
  verdict::Scope scope() const override {
    return dane_ == DaneAnswers::kOn ? verdict::Scope::kDane : verdict::Scope::kSts;
  }

 private:
  service::Status secure(const verdict::Verdict& verdict, std::string& out) const;

  const Attributes attributes_;
  const DaneAnswers dane_;
};

}  // namespace strictmx::postfix
