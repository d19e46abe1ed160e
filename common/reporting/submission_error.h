// submission_error.h - why a report did not leave, the same for mail and HTTPS.
//
// Use: what a retry could help decides; the detail beside it is for the log. Threads: a value.
#pragma once

namespace strictmx::reporting {

enum class SubmissionError {
  kRefused,    // for good: another attempt would give the same
  kTemporary,  // perhaps not next time
  kTimeout,    // no answer in time, also perhaps not next time
  kSystem,     // our own lack of something, or our configuration
  kStopped,    // we were told to stop; nothing is known about the other side
};

}  // namespace strictmx::reporting
