#pragma once

#include <string>
#include <utility>
#include <variant>

#include "cssd/base/check.h"

namespace css {

/// What kind of thing went wrong. Few on purpose: each is handled differently somewhere.
enum class ErrorCode {
    kInvalid,       ///< Input that breaks a rule (configuration, command, file contents).
    kSystem,        ///< A system call failed; `system_errno` says how.
    kNotPermitted,  ///< The caller may not do this.
    kConflict,      ///< Well formed, but against the present state (in use, foreign, too new).
};

/// A failure of the world. `message` is one line for a person: what is wrong, where, what is right.
struct Error {
    ErrorCode code = ErrorCode::kInvalid;
    int system_errno = 0;
    std::string message;
};

/// A value or an Error. Looking at the wrong side aborts; dropping one is a compiler warning.
template <class T>
class [[nodiscard]] Result {
public:
    using value_type = T;
    using error_type = Error;

    Result(T value)
        : side_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
    Result(Error error)
        : side_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

    [[nodiscard]] bool has_value() const { return side_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    [[nodiscard]] T& value() & {
        CSS_CHECK(has_value());
        return *std::get_if<0>(&side_);
    }
    [[nodiscard]] const T& value() const& {
        CSS_CHECK(has_value());
        return *std::get_if<0>(&side_);
    }
    [[nodiscard]] T&& value() && {
        CSS_CHECK(has_value());
        return std::move(*std::get_if<0>(&side_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    [[nodiscard]] const Error& error() const {
        CSS_CHECK(!has_value());
        return *std::get_if<1>(&side_);
    }

private:
    std::variant<T, Error> side_;
};

/// Success without a value: `return Done{};`.
struct Done {};
using Status = Result<Done>;

}  // namespace css
