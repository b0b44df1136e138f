#pragma once

namespace css {

/// Prints the broken condition with its place and aborts. A node that stops is evicted, which is
/// safe; a node that goes on with a broken invariant is not. On in every build.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace css

#define CSS_CHECK(condition)                                     \
    do {                                                         \
        if (!(condition)) [[unlikely]] {                         \
            ::css::check_failed(#condition, __FILE__, __LINE__); \
        }                                                        \
    } while (false)
