// explanation.h - the types of RFC 8460 in words, for the administrator of the reported domain.
//
// Use: beside the type's name in mails and pages. Threads: pure. Texts are one sentence or two of
// ASCII, without a line end; an unknown type has a text too.
#pragma once

#include <string>
#include <string_view>

#include "common/tlsrpt/report.h"

namespace strictmx::tlsrpt {

// What was applied: "MTA-STS policy".
std::string_view policy_type_words(const ReportedPolicyType& type);
// What the sender met.
std::string_view result_type_meaning(const ReportedResultType& type);
// What can be done about it by those who run the reported domain, whose name comes into the text.
std::string result_type_remedy(const ReportedResultType& type, std::string_view policy_domain);

}  // namespace strictmx::tlsrpt
