// result.h - a value or a named failure, the only way functions here report failure.
//
// Use: `return value;` or `return fail(MyError::kThing, "why");`, then ok(), value(), error().
// Ownership: holds its value or failure. Threads: as its value.
// Errors: value() without ok(), or error() with it, is a programming error and aborts.
#pragma once

#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

namespace strictmx::base {

// What went wrong: the code is for decisions, the detail for log and report text.
template <class E>
struct Failure {
  E code;
  std::string detail;
};

template <class E>
Failure<E> fail(E code, std::string detail) {
  return Failure<E>{code, std::move(detail)};
}

template <class T, class E>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure<E> failure) : state_(std::in_place_index<1>, std::move(failure)) {}

  bool ok() const noexcept { return state_.index() == 0; }
  const T& value() const& noexcept { return *present(std::get_if<0>(&state_)); }
  T& value() & noexcept { return *present(std::get_if<0>(&state_)); }
  T&& value() && noexcept { return std::move(*present(std::get_if<0>(&state_))); }
  const Failure<E>& error() const noexcept { return *present(std::get_if<1>(&state_)); }

 private:
  template <class P>
  static P* present(P* pointer) noexcept {
    if (pointer == nullptr) std::abort();
    return pointer;
  }

  std::variant<T, Failure<E>> state_;
};

// A Result without a value: success is `Outcome<E>{std::monostate{}}`, or done().
template <class E>
using Outcome = Result<std::monostate, E>;

inline std::monostate done() { return {}; }

}  // namespace strictmx::base
