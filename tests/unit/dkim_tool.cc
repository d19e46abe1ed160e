// dkim_tool.cc - common/dkim for dkim_peer_test.py, which has another implementation do the other
// half. For tests only.
//
// Use: dkim_tool keys DIR      makes rsa.pem and ed25519.pem, and their records rsa.txt,
// ed25519.txt
//      dkim_tool sign DIR      signs each NAME.in (header with LF, empty line, body as it is) with
//                              both keys of DIR into NAME.signed, or says why not in NAME.refused
//      dkim_tool verify DIR    a line for each NAME.msg: NAME and one word for each signature;
//                              the key record at a name is the file of that name in DIR/dns
// Errors: exit status 1, what is wrong on stderr.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/domain_name.h"
#include "common/dkim/key.h"
#include "common/dkim/message.h"
#include "common/dkim/signer.h"
#include "common/dkim/verifier.h"

namespace {

namespace fs = std::filesystem;
using strictmx::base::DomainName;
using strictmx::dkim::KeyAnswer;
using strictmx::dkim::KeyType;
using strictmx::dkim::NewField;
using strictmx::dkim::PrivateKey;
using strictmx::dkim::SignedMessage;
using strictmx::dkim::Signer;

constexpr std::string_view kDomain = "sender.example";

std::optional<std::string> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool write_file(const fs::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  return file.good();
}

std::vector<fs::path> files_ending(const fs::path& folder, std::string_view ending) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ending) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

int failed(const std::string& why) {
  std::fprintf(stderr, "dkim_tool: %s\n", why.c_str());
  return 1;
}

int make_keys(const fs::path& folder) {
  for (const KeyType type : {KeyType::kRsa, KeyType::kEd25519}) {
    const std::string name(strictmx::dkim::key_type_name(type));
    const auto key = PrivateKey::make(type);
    if (!key.ok()) return failed(key.error().detail);
    const auto saved = key.value().save(folder / (name + ".pem"));
    if (!saved.ok()) return failed(saved.error().detail);
    const auto record = key.value().record_text();
    if (!record.ok()) return failed(record.error().detail);
    if (!write_file(folder / (name + ".txt"), record.value())) return failed("can't write");
  }
  return 0;
}

// A folded value keeps its line ends; split_message() finds where each field ends.
std::vector<NewField> fields_of(const strictmx::dkim::Message& message) {
  std::vector<NewField> fields;
  for (const auto& field : message.fields) {
    std::string_view value = field.text.substr(field.text.find(':') + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    fields.push_back({std::string(field.name), std::string(value)});
  }
  return fields;
}

int sign_all(const fs::path& folder) {
  std::vector<strictmx::dkim::SigningKey> keys;
  for (const std::string name : {"rsa", "ed25519"}) {
    const auto key = PrivateKey::load(folder / (name + ".pem"));
    if (!key.ok()) return failed(key.error().detail);
    keys.push_back({key.value(), name});
  }
  const auto domain = DomainName::parse(kDomain);
  if (!domain.ok()) return failed(domain.error().detail);
  const auto signer = Signer::create(domain.value(), std::move(keys));
  if (!signer.ok()) return failed(signer.error().detail);
  const strictmx::base::SystemClock clock;
  for (fs::path path : files_ending(folder, ".in")) {
    const auto text = read_file(path);
    if (!text.has_value()) return failed("can't read " + path.string());
    const auto message = strictmx::dkim::split_message(*text);
    if (!message.ok()) return failed(path.string() + ": " + message.error().detail);
    const auto made =
        signer.value().sign(fields_of(message.value()), message.value().body, clock.now());
    const bool is_written =
        made.ok() ? write_file(path.replace_extension(".signed"), made.value())
                  : write_file(path.replace_extension(".refused"), made.error().detail);
    if (!is_written) return failed("can't write " + path.string());
  }
  return 0;
}

int verify_all(const fs::path& folder) {
  const strictmx::base::SystemClock clock;
  for (const fs::path& path : files_ending(folder, ".msg")) {
    const auto text = read_file(path);
    if (!text.has_value()) return failed("can't read " + path.string());
    std::string line = path.stem().string();
    const auto message = SignedMessage::read(*text, clock.now());
    if (!message.ok()) line.append(" no-message");
    for (std::size_t i = 0; message.ok() && i < message.value().signatures().size(); ++i) {
      const auto& signature = message.value().signatures()[i];
      KeyAnswer answer;
      if (!signature.key_name.empty()) {
        const auto record = read_file(folder / "dns" / signature.key_name);
        if (record.has_value()) answer.texts.push_back(*record);
      }
      const auto verdict = message.value().verify(signature, answer);
      line.append(" ").append(strictmx::dkim::signature_status_name(verdict.status));
    }
    std::printf("%s\n", line.c_str());
  }
  return 0;
}

int run(std::string_view command, const fs::path& folder) {
  if (command == "keys") return make_keys(folder);
  if (command == "sign") return sign_all(folder);
  if (command == "verify") return verify_all(folder);
  return failed("want keys, sign or verify");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 3) return failed("want a command and a folder");
    return run(argv[1], argv[2]);
  } catch (const std::exception& error) {
    return failed(error.what());
  }
}
