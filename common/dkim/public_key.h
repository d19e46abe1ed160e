// public_key.h - checks one signature with the key of a record (RFC 6376 §3.3.1, RFC 8463 §3).
//
// Threads: pure functions. An RSA-2048 check costs some 30 microseconds, an Ed25519 one some 100.
// Limits: kMinVerifyRsaBits, kMaxRsaBits, kMaxExponentBits.
#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/dkim/key_record.h"
#include "common/dkim/signature_status.h"

namespace strictmx::dkim {

inline constexpr int kMinVerifyRsaBits = 1024;  // RFC 8301 §3.2
inline constexpr int kMaxRsaBits = 8192;        // §3.2 wants 4096; the work grows with the square
inline constexpr int kMaxExponentBits = 64;     // 65537 is what there is; the work grows with it

// Whether `signature` is that of `signed_bytes`. Errors: kKeySyntax, kKeyTooLarge, kKeyTooShort,
// kSignatureWrong, kSystem.
base::Outcome<SignatureStatus> check_signature(const KeyRecord& record,
                                               std::string_view signed_bytes,
                                               std::string_view signature);

}  // namespace strictmx::dkim
