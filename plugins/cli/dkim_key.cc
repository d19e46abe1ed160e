// dkim_key.cc - strictmx dkim-key: makes the key that signs TLS reports, and prints its record for
// DNS (RFC 6376 §3.6.1, RFC 8460 §3).
//
// The output is text of a zone file: the record, and in comments what else is to be done. No
// configuration and no daemon is needed. Domain and selector are judged by the signer itself,
// before a file is made. A file that is there is never replaced.
#include <fmt/format.h>
#include <jansson.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>

#include "common/base/domain_name.h"
#include "common/dkim/key.h"
#include "common/dkim/key_record.h"
#include "common/dkim/signer.h"
#include "plugins/cli/checked_text.h"
#include "plugins/cli/cli.h"
#include "plugins/cli/json.h"
#include "plugins/cli/terminal.h"

namespace strictmx::cli {
namespace {

using base::fail;
using dkim::KeyType;
using dkim::PrivateKey;

constexpr InputBound kKeyBound{dkim::kMaxKeyFileBytes, "not a key"};

struct KeyOptions {
  std::string domain;
  std::string selector;
  std::string type = std::string(dkim::key_type_name(KeyType::kRsa));
  std::string out;   // of a new key
  std::string show;  // or of one that is there
  bool is_json = false;
};

struct PublishedKey {
  std::string file;  // the whole path
  std::string domain;
  std::string selector;
  KeyType type;
  std::string record_name;
  std::string record_text;
};

// The path goes into a TOML text and a comment: what would have to be escaped there is refused.
Or<std::string> whole_path(const std::string& file) {
  if (file.empty() || file.find_first_of("\"\\") != file.npos || shown(file) != file) {
    return fail(Exit::kUsage, fmt::format("{}: want a path without quotes, backslashes and control "
                                          "characters",
                                          shown(file)));
  }
  std::error_code error;
  const auto path = std::filesystem::absolute(file, error);
  if (error) return fail(Exit::kUsage, fmt::format("{}: {}", file, error.message()));
  return path.lexically_normal().string();
}

// Read without the signer's look at owner and mode: root asks for the record of a key that the
// daemon's user owns.
Or<PrivateKey> read_key(const std::string& path) {
  const auto pem = read_input(path, kKeyBound);
  if (!pem.ok()) return pem.error();
  auto key = PrivateKey::from_pem(pem.value());
  if (!key.ok()) return fail(Exit::kData, fmt::format("{}: {}", path, key.error().detail));
  return std::move(key).value();
}

Or<PrivateKey> make_key(const KeyOptions& options) {
  const bool is_rsa = options.type == dkim::key_type_name(KeyType::kRsa);
  auto key = PrivateKey::make(is_rsa ? KeyType::kRsa : KeyType::kEd25519);
  if (!key.ok()) return fail(Exit::kInternal, key.error().detail);
  return std::move(key).value();
}

Outcome save_key(const PrivateKey& key, const std::string& path) {
  const auto saved = key.save(path);
  if (saved.ok()) return base::done();
  std::error_code error;
  const bool is_there = std::filesystem::exists(std::filesystem::symlink_status(path, error));
  return fail(Exit::kOutput, saved.error().detail +
                                 (is_there ? ": a file is never replaced; --show prints the record "
                                             "of a key"
                                           : ""));
}

Or<PublishedKey> publish(const KeyOptions& options) {
  const bool is_new = options.show.empty();
  const auto path = whole_path(is_new ? options.out : options.show);
  if (!path.ok()) return path.error();
  const auto domain = base::DomainName::parse(options.domain);
  if (!domain.ok()) return fail(Exit::kUsage, "--domain: " + domain.error().detail);
  const auto key = is_new ? make_key(options) : read_key(path.value());
  if (!key.ok()) return key.error();
  const auto signer = dkim::Signer::create(domain.value(), {{key.value(), options.selector}});
  if (!signer.ok()) return fail(Exit::kUsage, signer.error().detail);
  auto text = key.value().record_text();
  if (!text.ok()) return fail(Exit::kInternal, text.error().detail);
  if (is_new) {
    const auto saved = save_key(key.value(), path.value());
    if (!saved.ok()) return saved.error();
  }
  return PublishedKey{path.value(),
                      domain.value().text(),
                      options.selector,
                      key.value().type(),
                      dkim::key_record_name(options.selector, domain.value().text()),
                      std::move(text).value()};
}

std::string page(const PublishedKey& key) {
  const std::string file = shell_quoted(key.file);
  return fmt::format(
      "; DKIM key for TLS reports, {}. Add to the zone of {}:\n{}\n"
      "; Once it can be looked up, in strictmx.toml:\n"
      ";   [report]\n;   dkim_keys = [\"{}:{}\"]\n"
      "; strictmxd must be able to read the key and nobody else; with its user _strictmx:\n"
      ";   chgrp _strictmx {} && chmod 640 {}\n",
      dkim::key_type_name(key.type), key.domain,
      dkim::zone_file_line(key.record_name, key.record_text), key.selector, key.file, file, file);
}

Json as_json(const PublishedKey& key) {
  Json object(json_object());
  const auto add = [](const Json& target, const char* name, std::string_view text) {
    json_object_set_new(target.get(), name, json_text(text).release());
  };
  add(object, "file", key.file);
  add(object, "domain", key.domain);
  add(object, "selector", key.selector);
  add(object, "type", dkim::key_type_name(key.type));
  add(object, "record_name", key.record_name);
  add(object, "record_text", key.record_text);
  add(object, "zone_file_line", dkim::zone_file_line(key.record_name, key.record_text));
  Json settings(json_object());
  json_object_set_new(settings.get(), "report.dkim_keys",
                      json_texts({key.selector + ":" + key.file}).release());
  json_object_set_new(object.get(), "settings", settings.release());
  return object;
}

Outcome dkim_key(const KeyOptions& options) {
  const auto key = publish(options);
  if (!key.ok()) return key.error();
  const std::string text =
      options.is_json ? print_json(as_json(key.value()).get()) : page(key.value());
  fmt::print("{}", text);
  return base::done();
}

}  // namespace

void add_dkim_key(CLI::App& app, Command& command) {
  auto options = std::make_shared<KeyOptions>();
  CLI::App* sub = app.add_subcommand("dkim-key", "make a key to sign TLS reports with");
  sub->add_option("--domain", options->domain,
                  "the domain of report.contact, for which reports are signed")
      ->required()
      ->type_name("NAME");
  sub->add_option("--selector", options->selector, "the key's own name below that domain")
      ->required()
      ->type_name("NAME");
  CLI::App* what = sub->add_option_group("what", "one of the two");
  auto* out = what->add_option("--out", options->out, "make a key, in this new file");
  auto* show = what->add_option("--show", options->show, "print the record of this key anew");
  out->type_name("FILE");
  show->type_name("FILE");
  what->require_option(1);
  sub->add_option("--type", options->type, "of a new key; many verifiers know rsa alone")
      ->check(CLI::IsMember({std::string(dkim::key_type_name(KeyType::kRsa)),
                             std::string(dkim::key_type_name(KeyType::kEd25519))}))
      ->capture_default_str()
      ->excludes(show);
  sub->add_flag("--json", options->is_json, "print JSON");
  sub->callback([&command, options] { command.run = [options] { return dkim_key(*options); }; });
}

}  // namespace strictmx::cli
