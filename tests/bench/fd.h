// fd.h - a file descriptor that closes itself, and the way a benchmark program gives up.
//
// Errors: die() prints the reason and errno's text to stderr and exits with status 1.
#pragma once

#include <unistd.h>

#include <string_view>
#include <utility>

namespace strictmx::bench {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      close();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  ~Fd() { close(); }

  int get() const noexcept { return number_; }
  void close() noexcept {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

[[noreturn]] void die(std::string_view what);

}  // namespace strictmx::bench
