// submission_words.h - the outcome of a submission as one text, for comparing: "sent", or "refused:
// WHY".
//
// Use: EXPECT_EQ(words(submit_mail(...)), "sent"). Threads: pure.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/reporting/submission_error.h"

namespace strictmx::reporting::testing {

inline std::string words(const base::Outcome<SubmissionError>& outcome) {
  if (outcome.ok()) return "sent";
  switch (outcome.error().code) {
    case SubmissionError::kRefused:
      return "refused: " + outcome.error().detail;
    case SubmissionError::kTemporary:
      return "temporary: " + outcome.error().detail;
    case SubmissionError::kTimeout:
      return "timeout: " + outcome.error().detail;
    case SubmissionError::kSystem:
      return "system: " + outcome.error().detail;
    case SubmissionError::kStopped:
      return "stopped: " + outcome.error().detail;
  }
  return "unknown";
}

}  // namespace strictmx::reporting::testing
