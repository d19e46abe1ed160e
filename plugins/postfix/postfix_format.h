// postfix_format.h - the verdict as an answer of smtp_tls_policy_maps (postconf(5), TLS_README).
//
// Use: one object for Postfix 3.4 and later, one with TLSRPT attributes for 3.10 and later.
// Threads: stateless.
// What is answered: "OK secure match=... servername=hostname" for mode enforce, else NOTFOUND (the
// site's own level holds). Byte for byte what postfix-tlspol's QUERY and QUERYwithTLSRPT answer.
// Limits: a reply over kMaxReplyBytes loses its policy_string attributes, then its mx_host_pattern,
// never its match.
#pragma once

#include <string>

#include "common/service/answer_format.h"

namespace strictmx::postfix {

enum class Attributes {
  kPlain,   // Postfix before 3.10 refuses every other attribute and defers the mail
  kTlsrpt,  // policy_type, policy_domain, mx_host_pattern, policy_string
};

class PostfixFormat : public service::AnswerFormat {
 public:
  explicit PostfixFormat(Attributes attributes) : attributes_(attributes) {}

  service::Status format(const verdict::Verdict& verdict, const service::MxList* mx,
                         std::string& out) const override;

 private:
  const Attributes attributes_;
};

}  // namespace strictmx::postfix
