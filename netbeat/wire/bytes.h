#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

/// Little-endian integers by shifts, never by casts. The cursors do not check the end: whoever uses
/// them has checked the size first.
namespace css::netbeat::bytes {

namespace detail {

// Spelled out by index, not as a loop: compilers turn this into one plain load or store.
template <class Integer, std::size_t... kIndex>
inline void store(std::byte* at, Integer value, std::index_sequence<kIndex...> /*all*/) {
    ((at[kIndex] = static_cast<std::byte>(value >> (8 * kIndex))), ...);
}

template <class Integer, std::size_t... kIndex>
[[nodiscard]] inline Integer load(const std::byte* at, std::index_sequence<kIndex...> /*all*/) {
    return static_cast<Integer>((... | (static_cast<Integer>(at[kIndex]) << (8 * kIndex))));
}

}  // namespace detail

template <class Integer>
inline void store(std::byte* at, Integer value) {
    static_assert(std::is_unsigned_v<Integer>);
    detail::store(at, value, std::make_index_sequence<sizeof(Integer)>{});
}

template <class Integer>
[[nodiscard]] inline Integer load(const std::byte* at) {
    static_assert(std::is_unsigned_v<Integer>);
    return detail::load<Integer>(at, std::make_index_sequence<sizeof(Integer)>{});
}

class Writer {
public:
    explicit Writer(std::span<std::byte> out) : begin_(out.data()), at_(out.data()) {}
    template <class Integer>
    void put(Integer value) {
        store(at_, value);
        at_ += sizeof(Integer);
    }
    [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

private:
    std::byte* begin_;
    std::byte* at_;
};

class Reader {
public:
    explicit Reader(std::span<const std::byte> in) : begin_(in.data()), at_(in.data()) {}
    template <class Integer>
    [[nodiscard]] Integer get() {
        const auto value = load<Integer>(at_);
        at_ += sizeof(Integer);
        return value;
    }
    [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

private:
    const std::byte* begin_;
    const std::byte* at_;
};

}  // namespace css::netbeat::bytes
