#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "cssd/base/check.h"
#include "cssd/base/types.h"

/// Little-endian integers in a block of bytes: the same bytes on every machine. For the codecs of
/// this folder only.
namespace css::voting {

/// From the order of this machine to that of the block, or back.
template <std::unsigned_integral T>
constexpr T little_endian(T value) {
    if constexpr (std::endian::native == std::endian::little || sizeof(T) == 1) {
        return value;
    } else {
        auto bytes = std::bit_cast<std::array<std::byte, sizeof(T)>>(value);
        std::reverse(bytes.begin(), bytes.end());
        return std::bit_cast<T>(bytes);
    }
}

inline bool all_zero(std::span<const std::byte> bytes) {
    return bytes.empty() || (bytes[0] == std::byte{0} &&
                             std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

/// Writes fields one after another. Running over the end is a mistake of the programmer.
class FieldWriter {
public:
    explicit FieldWriter(std::span<std::byte> rest) : rest_(rest) {}

    template <std::unsigned_integral T>
    void put(T value) {
        CSS_CHECK(sizeof(T) <= rest_.size());
        const T ordered = little_endian(value);
        std::memcpy(rest_.data(), &ordered, sizeof ordered);
        rest_ = rest_.subspan(sizeof ordered);
    }
    void put(std::span<const std::byte> bytes) {
        CSS_CHECK(bytes.size() <= rest_.size());
        std::memcpy(rest_.data(), bytes.data(), bytes.size());
        rest_ = rest_.subspan(bytes.size());
    }
    /// Many numbers of four bytes, one after another; `value_of` makes one of an element.
    template <class Range, class ValueOf>
    void put_each(const Range& range, ValueOf&& value_of) {
        CSS_CHECK(range.size() * 4 <= rest_.size());
        std::byte* to = rest_.data();
        for (const auto& element : range) {
            const std::uint32_t ordered = little_endian(std::uint32_t{value_of(element)});
            std::memcpy(to, &ordered, sizeof ordered);
            to += sizeof ordered;
        }
        rest_ = rest_.subspan(range.size() * 4);
    }
    /// Unused bytes; the block was zeroed before.
    void skip(std::size_t count) {
        CSS_CHECK(count <= rest_.size());
        rest_ = rest_.subspan(count);
    }

private:
    std::span<std::byte> rest_;
};

/// Reads what FieldWriter wrote. The blocks have a fixed size, so running over the end is a mistake
/// of the programmer; a value out of its range is one of the data, and remembered in ok().
class FieldReader {
public:
    explicit FieldReader(std::span<const std::byte> rest) : rest_(rest) {}

    [[nodiscard]] bool ok() const { return ok_; }
    /// Every field was in range and nothing but zeros is left.
    [[nodiscard]] bool ends_well() const { return ok_ && all_zero(rest_); }

    template <std::unsigned_integral T>
    T get() {
        CSS_CHECK(sizeof(T) <= rest_.size());
        T ordered = 0;
        std::memcpy(&ordered, rest_.data(), sizeof ordered);
        rest_ = rest_.subspan(sizeof ordered);
        return little_endian(ordered);
    }
    /// Many numbers of four bytes, one after another; `element_of` makes an element of one.
    template <class Range, class ElementOf>
    void get_each(Range& range, ElementOf&& element_of) {
        CSS_CHECK(range.size() * 4 <= rest_.size());
        const std::byte* from = rest_.data();
        for (auto& element : range) {
            std::uint32_t ordered = 0;
            std::memcpy(&ordered, from, sizeof ordered);
            element = element_of(little_endian(ordered));
            from += sizeof ordered;
        }
        rest_ = rest_.subspan(range.size() * 4);
    }
    Bytes16 get_bytes16() {
        Bytes16 bytes{};
        CSS_CHECK(bytes.size() <= rest_.size());
        std::memcpy(bytes.data(), rest_.data(), bytes.size());
        rest_ = rest_.subspan(bytes.size());
        return bytes;
    }
    bool get_flag() {
        const auto value = get<std::uint8_t>();
        ok_ = ok_ && value <= 1;
        return value != 0;
    }
    /// 1..64, or zero for 'no node'.
    NodeNumber get_node() {
        const auto value = get<std::uint8_t>();
        ok_ = ok_ && value <= kNodesMax;
        return value == 0 || value > kNodesMax ? NodeNumber{} : NodeNumber{value};
    }
    void skip_zeros(std::size_t count) {
        CSS_CHECK(count <= rest_.size());
        ok_ = ok_ && all_zero(rest_.first(count));
        rest_ = rest_.subspan(count);
    }

private:
    std::span<const std::byte> rest_;
    bool ok_ = true;
};

}  // namespace css::voting
