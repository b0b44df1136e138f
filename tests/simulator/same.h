#pragma once

#include <cstring>
#include <type_traits>

namespace css::sim {

/// a == b, at the cost of comparing bytes when they are equal, as they mostly are: copies of one
/// value also have its padding.
template <class T>
bool same(const T& a, const T& b) {
    static_assert(std::is_trivially_copyable_v<T>);
    return std::memcmp(&a, &b, sizeof a) == 0 || a == b;
}

}  // namespace css::sim
