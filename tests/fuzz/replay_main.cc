// replay_main.cc - runs a fuzz target on files, where libFuzzer's own main is not linked.
//
// Use: fuzz_NAME PATH... ; each PATH is a file, or a folder whose files are all run in order.
// Errors: a property that does not hold aborts after the file's name was printed. No file at all,
// or one that can't be read, is exit status 1, so that a wrong path never passes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<std::filesystem::path> files_at(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool run_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) {
    std::fprintf(stderr, "%s: can't be read\n", path.c_str());
    return false;
  }
  std::fprintf(stderr, "%s: %zu bytes\n", path.c_str(), bytes.size());
  // An own block of exactly this size, so that AddressSanitizer sees a read past its end.
  const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(input.data(), input.size());
  return true;
}

int run_all(const std::vector<std::filesystem::path>& paths) {
  std::size_t count = 0;
  for (const auto& path : paths) {
    for (const auto& file : files_at(path)) {
      if (!run_file(file)) return 1;
      ++count;
    }
  }
  std::fprintf(stderr, "%zu inputs\n", count);
  return count > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_all({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
