// report_sender.cc - see report_sender.h.
#include "common/reporting/report_sender.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/unique_descriptor.h"
#include "common/reporting/report_builder.h"
#include "common/reporting/report_mail.h"
#include "common/reporting/report_names.h"
#include "common/reporting/report_rules.h"
#include "common/reporting/report_target.h"

namespace strictmx::reporting {
namespace {

using base::done;
using base::fail;
using base::UniqueDescriptor;

constexpr mode_t kReportMode = 0640;
constexpr std::size_t kMaxNameBytes = 240;  // a file's name has 255, the unfinished one a few more

std::string unsigned_text(const ReportMail& mail) {
  std::string text;
  for (const HeaderField& field : mail.header) {
    text.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  return text.append("\r\n").append(mail.body);
}

base::Failure<SubmissionError> file_failure(const std::string& path) {
  return fail(SubmissionError::kTemporary, path + ": " + std::strerror(errno));
}

base::Outcome<SubmissionError> write_file(const std::string& path, const std::string& bytes) {
  const UniqueDescriptor file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, kReportMode));
  if (!file) return file_failure(path);
  for (std::size_t written = 0; written < bytes.size();) {
    const ssize_t count = write(file.get(), bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_failure(path);
    written += static_cast<std::size_t>(count);
  }
  if (fsync(file.get()) != 0) return file_failure(path);
  return done();
}

}  // namespace

base::Result<std::string, SubmissionError> compose_mail(const MailAuthor& author,
                                                        const Delivery& delivery,
                                                        const std::string& mailbox) {
  const auto report = read_built_report(*delivery.bytes);
  if (!report.ok()) {
    return fail(SubmissionError::kRefused, "the stored report: " + report.error().detail);
  }
  const auto mail = make_report_mail({.report = report.value(),
                                      .policy_domain = delivery.domain,
                                      .json_gzip = *delivery.bytes,
                                      .from = author.from,
                                      .to = mailbox,
                                      .date = delivery.created});
  if (!mail.ok()) return fail(SubmissionError::kRefused, mail.error().detail);
  if (author.signer == nullptr) return unsigned_text(mail.value());
  std::vector<dkim::NewField> fields;
  for (const HeaderField& field : mail.value().header) fields.push_back({field.name, field.value});
  auto signed_mail = author.signer->sign(fields, mail.value().body, delivery.created);
  if (!signed_mail.ok()) {
    return fail(SubmissionError::kSystem, "DKIM: " + signed_mail.error().detail);
  }
  return std::move(signed_mail).value();
}

base::Outcome<SubmissionError> write_to_folder(const std::string& folder,
                                               const Delivery& delivery) {
  const auto report = read_built_report(*delivery.bytes);
  if (!report.ok()) {
    return fail(SubmissionError::kRefused, "the stored report: " + report.error().detail);
  }
  const auto names = report_names(report.value(), delivery.domain);
  if (!names.ok()) return fail(SubmissionError::kRefused, names.error().detail);
  const bool is_long = names.value().file_name.size() > kMaxNameBytes;
  const std::string name =
      is_long ? names.value().unique_digits + ".json.gz" : names.value().file_name;
  const std::string path = folder + "/" + name;
  const std::string unfinished = folder + "/." + name + ".new";
  auto written = write_file(unfinished, *delivery.bytes);
  if (!written.ok()) return written;
  if (rename(unfinished.c_str(), path.c_str()) != 0) return file_failure(path);
  return done();
}

SubmittingSender::~SubmittingSender() {
  stop();
  *is_alive_ = false;
}

void SubmittingSender::set_settings(Settings settings) {
  settings_ = std::make_shared<Settings>(std::move(settings));
}

void SubmittingSender::send(const Delivery& delivery, const Callback& callback) {
  if (delivery.uri.starts_with(kFileScheme)) {
    const std::string folder = delivery.uri.substr(kFileScheme.size());
    run(
        writers_, [delivery, folder] { return write_to_folder(folder, delivery); }, callback);
    return;
  }
  const auto target = read_target(delivery.uri);
  if (target.ok() && target.value().kind == TargetKind::kHttps) {
    HttpsSubmission& submission = delivery.origin == Origin::kRecord ? asked_ : own_;
    submission.submit(target.value(), delivery.bytes,
                      [callback, alive = is_alive_](const base::Outcome<SubmissionError>& outcome) {
                        if (*alive) callback(outcome);
                      });
    return;
  }
  const auto work = [delivery, target, settings = settings_,
                     common = common_]() -> base::Outcome<SubmissionError> {
    if (!target.ok()) return fail(SubmissionError::kRefused, target.error().detail);
    return submit(*settings, delivery, target.value().mailbox, *common);
  };
  run(mailers_, work, callback);
}

base::Outcome<SubmissionError> SubmittingSender::submit(const Settings& settings,
                                                        const Delivery& delivery,
                                                        const std::string& mailbox,
                                                        Common& common) {
  const base::SystemClock clock;
  if (clock.steady() < common.paused_until.load()) {
    return fail(SubmissionError::kTemporary, "the mail server did not answer a moment ago");
  }
  auto text = compose_mail(settings.author, delivery, mailbox);
  if (!text.ok()) return text.error();
  auto outcome = submit_mail(
      settings.mail, {settings.author.from, mailbox, std::move(text).value()}, common.is_stopping);
  if (!outcome.ok() && outcome.error().code == SubmissionError::kTimeout) {
    common.paused_until = clock.steady() + kMailPause;
  }
  return outcome;
}

void SubmittingSender::run(base::WorkerPool& pool,
                           std::function<base::Outcome<SubmissionError>()> work,
                           const Callback& callback) {
  auto outcome = std::make_shared<base::Outcome<SubmissionError>>(
      fail(SubmissionError::kSystem, "the attempt ended without a result"));
  const auto tell = [outcome, callback, alive = is_alive_] {
    if (*alive) callback(*outcome);
  };
  if (pool.submit([outcome, work = std::move(work)] { *outcome = work(); }, tell)) return;
  *outcome = fail(SubmissionError::kTemporary, "too many reports wait for their turn");
  loop_.post(tell);
}

}  // namespace strictmx::reporting
