// answer_format.h - how a verdict is told to one kind of asker: a socketmap map's dialect.
//
// Use: implement it beside the server it is for (plugins/<server>), register it with Questions
// under its map names.
// Ownership: Questions borrows formats; they outlive it. Threads: const and stateless.
// Limits: what format() appends must fit kMaxReplyBytes; it leaves out optional parts rather than
// answer TEMP.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/dns/resolver.h"
#include "common/service/question_key.h"
#include "common/verdict/verdict.h"

namespace strictmx::service {

// Postfix reads no longer reply (dict_sockmap.c); Sendmail's macros are shorter still.
inline constexpr std::size_t kMaxReplyBytes = 100000;

// The first word of a socketmap reply, and what became of a question.
enum class Status { kOk, kNotFound, kTemp, kPerm };

// One current MX host of the domain, for formats that ask for them.
struct MxHost {
  unsigned preference = 0;
  std::string name;
  bool is_allowed = true;
  std::string why;
};

struct MxList {
  std::vector<MxHost> hosts;  // in preference order
  bool is_implicit = false;   // no MX record: the domain itself (RFC 5321 §5.1)
  bool is_null = false;       // the domain takes no mail (RFC 7505)
  std::string error;          // why the hosts can't be told, else empty
};

// The current MX hosts of the domain asked for, each judged by the verdict. Pure. `found` is not
// looked at for a bracketed key.
MxList mx_list(const verdict::Verdict& verdict, const QuestionKey& key,
               const dns::DnsResult<dns::MxRecord>& found);

class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;

  // Appends the whole reply ("OK ...", "NOTFOUND ") and says its status. `mx` is null unless
  // needs_mx().
  virtual Status format(const verdict::Verdict& verdict, const MxList* mx,
                        std::string& out) const = 0;
  // Must the domain's MX hosts be looked up for each question?
  virtual bool needs_mx() const { return false; }
  // May the reply be given again until the verdict's valid_until?
  virtual bool is_cacheable() const { return true; }
};

}  // namespace strictmx::service
