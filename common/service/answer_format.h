// answer_format.h - how a verdict is told to one kind of asker: a socketmap map's dialect.
//
// Use: implement it beside the server it is for (plugins/<server>), register it with Questions
// under its map names. append_answer() gives the whole reply.
// Ownership: Questions borrows formats; they outlive it. Threads: const and stateless.
// Limits: what format() appends must fit kMaxReplyBytes; it leaves out optional parts rather than
// answer TEMP.
#pragma once

#include <cstddef>
#include <string>

#include "common/verdict/verdict.h"
#include "common/verdict/verdict_resolver.h"

namespace strictmx::service {

// Postfix reads no longer reply (dict_sockmap.c); Sendmail's macros are shorter still.
inline constexpr std::size_t kMaxReplyBytes = 100000;

// The first word of a socketmap reply, and what became of a question.
enum class Status { kOk, kNotFound, kTemp, kPerm };

class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;

  // Appends the whole reply ("OK ...", "NOTFOUND ") and says its status. Never called for a
  // verdict of Level::kTemp.
  virtual Status format(const verdict::Verdict& verdict, std::string& out) const = 0;
  // What must be known for an answer in this dialect.
  virtual verdict::Scope scope() const = 0;
  // May the reply be given again until the verdict's valid_until?
  virtual bool is_cacheable() const { return true; }
};

// The reply in this dialect; "TEMP <reason>" in each, where mail must wait.
Status append_answer(const AnswerFormat& format, const verdict::Verdict& verdict, std::string& out);

}  // namespace strictmx::service
