// result_text.h - a policy as applied and a failure's details as one text each, for the store.
//
// Use: write_policy() and write_failure() give the same text for the same value; read_ gives the
// value back. A policy's domain that is the result's own is left out, so that all domains without a
// policy share one text.
// Format: netstrings. Policy: type, domain, number of policy strings, these, the MX hosts.
// Failure: result type, then the six texts of tlsrpt::FailureDetails in their order.
// Threads: pure. Errors: none for what write_ gave; else no value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/tlsrpt/result_datagram.h"

namespace strictmx::reporting {

std::string write_policy(const tlsrpt::AppliedPolicy& policy, std::string_view result_domain);
std::optional<tlsrpt::AppliedPolicy> read_policy(std::string_view text,
                                                 std::string_view result_domain);
std::string write_failure(const tlsrpt::FailureDetails& failure);
std::optional<tlsrpt::FailureDetails> read_failure(std::string_view text);

}  // namespace strictmx::reporting
