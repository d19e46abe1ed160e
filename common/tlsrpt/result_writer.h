// result_writer.h - a TLS result as a datagram: the inverse of result_datagram.h.
//
// Use: write_result_datagram() on a result with at least one outcome; the same result gives the
// same bytes. Ownership: values. Threads: pure. Errors: none. Limits: those of result_datagram.h,
// so that what is written can always be read. Texts are cut, and what they may not have becomes
// U+FFFD; of policies, policy texts and failures the first ones are told; where the whole is too
// large still, policies lose their texts, and then failures theirs.
#pragma once

#include <string>

#include "common/tlsrpt/result_datagram.h"

namespace strictmx::tlsrpt {

std::string write_result_datagram(const ResultDatagram& datagram);

}  // namespace strictmx::tlsrpt
