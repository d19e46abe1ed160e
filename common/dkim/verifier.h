// verifier.h - checks the DKIM signatures of a message, for TLS reports (RFC 6376 §6, RFC 8460 §3).
//
// Use: SignedMessage::read(), then for each of signatures() without a verdict ask the TXT records
// at its key_name and give them to verify(). The look-up is the caller's. Ownership: borrows the
// bytes of the message, which must outlive it. Threads: after read() nothing changes; verify() from
// any thread. Errors: MessageError when it is no message; all else is a verdict of one signature.
// Stricter than RFC 6376 where that is safer for reports: l= is refused (RFC 8460 §3), the key must
// be for "tlsrpt" or "*", and each From field must be signed.
// Limits: kMaxSignatures, kMaxKeyRecords, and those of message.h, signature_field.h, tag_list.h,
// key_record.h and public_key.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/dkim/message.h"
#include "common/dkim/signature_field.h"
#include "common/dkim/signature_status.h"

namespace strictmx::dkim {

// Each costs a look-up and a check; mails that passed mailing lists have three or four.
inline constexpr std::size_t kMaxSignatures = 8;
// One is right (RFC 6376 §3.6.2.2); more are tried in turn, as §6.1.2 allows.
inline constexpr std::size_t kMaxKeyRecords = 4;

struct Verdict {
  SignatureStatus status = SignatureStatus::kSystem;
  std::string detail;  // the reason in words; empty when verified

  bool is_verified() const { return status == SignatureStatus::kVerified; }
};

// What came of the question for TXT records at key_name.
struct KeyAnswer {
  enum class Lookup { kAnswered, kTemporary, kBogus };
  Lookup lookup = Lookup::kAnswered;
  std::vector<std::string> texts;  // one a record, character-strings joined; empty: no such name
};

struct Signature {
  // Decided without a key, which then need not be looked up.
  std::optional<Verdict> verdict;
  // What follows is empty where the field can't be read.
  SignatureField field;
  std::string key_name;       // <selector>._domainkey.<domain>
  std::size_t own_place = 0;  // of the field in the message
};

class SignedMessage {
 public:
  // `received` is when the message came, for x= (§3.5).
  static base::Result<SignedMessage, MessageError> read(std::string_view bytes,
                                                        base::WallTime received);

  // From top to bottom; empty for a message without DKIM-Signature.
  const std::vector<Signature>& signatures() const { return signatures_; }

  // `signature` is one of signatures(). Gives its verdict again if it has one.
  Verdict verify(const Signature& signature, const KeyAnswer& answer) const;

  // Whether all header fields of that name are signed, and there is one at least.
  bool covers(const Signature& signature, std::string_view name) const;

  const Message& message() const { return message_; }

 private:
  explicit SignedMessage(Message message) : message_(std::move(message)) {}
  void read_signatures(base::WallTime received);
  std::optional<Verdict> judge_field(const SignatureField& field, base::WallTime received);

  Message message_;
  std::vector<Signature> signatures_;
  std::optional<std::string> body_hashes_[2];  // by canonical form, made on first use
};

}  // namespace strictmx::dkim
