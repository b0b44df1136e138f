#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cssd/group/types.h"

/// Little-endian integers by shifts. The reader checks every end: after a read beyond it all that
/// follows is zero and good() is false.
namespace css::group {

class Writer {
public:
    template <class Integer>
    void put(Integer value) {
        static_assert(std::is_unsigned_v<Integer>);
        for (std::size_t i = 0; i < sizeof(Integer); ++i) {
            out_.push_back(static_cast<std::byte>((std::uint64_t{value} >> (8 * i)) & 0xFF));
        }
    }
    void put(std::span<const std::byte> bytes) {
        out_.insert(out_.end(), bytes.begin(), bytes.end());
    }
    /// With its length in front, in one byte.
    void put_name(std::string_view name) {
        put(static_cast<std::uint8_t>(name.size()));
        for (const char c : name) {
            out_.push_back(static_cast<std::byte>(c));
        }
    }
    /// With its length in front, in two bytes.
    void put_data(const Blob& data) {
        put(static_cast<std::uint16_t>(data == nullptr ? 0 : data->size()));
        if (data != nullptr) {
            put(std::span{*data});
        }
    }
    [[nodiscard]] Bytes take() { return std::move(out_); }

private:
    Bytes out_;
};

class Reader {
public:
    explicit Reader(std::span<const std::byte> in) : rest_(in) {}

    template <class Integer>
    [[nodiscard]] Integer get() {
        static_assert(std::is_unsigned_v<Integer>);
        std::uint64_t value = 0;
        const auto from = take(sizeof(Integer));
        for (std::size_t i = 0; i < from.size(); ++i) {
            value |= std::to_integer<std::uint64_t>(from[i]) << (8 * i);
        }
        return static_cast<Integer>(value);
    }
    /// 1..kNameMax bytes; else not good.
    [[nodiscard]] std::string get_name() {
        const auto bytes = take(get<std::uint8_t>());
        good_ = good_ && !bytes.empty() && bytes.size() <= kNameMax;
        std::string name;
        std::ranges::transform(
            bytes, std::back_inserter(name), [](std::byte b) { return std::to_integer<char>(b); });
        return name;
    }
    [[nodiscard]] Blob get_data() {
        const auto bytes = take(get<std::uint16_t>());
        good_ = good_ && bytes.size() <= kDataMax;
        return blob(Bytes{bytes.begin(), bytes.end()});
    }
    [[nodiscard]] NodeNumber get_node() {
        const auto value = get<std::uint8_t>();
        good_ = good_ && value >= 1 && value <= kNodesMax;
        return good_ ? NodeNumber{value} : NodeNumber{};
    }
    [[nodiscard]] bool good() const { return good_; }
    /// Everything was read, and nothing beyond it.
    [[nodiscard]] bool done() const { return good_ && rest_.empty(); }
    [[nodiscard]] std::span<const std::byte> rest() const { return rest_; }

private:
    std::span<const std::byte> take(std::size_t size) {
        if (!good_ || size > rest_.size()) {
            good_ = false;
            return {};
        }
        const auto taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    std::span<const std::byte> rest_;
    bool good_ = true;
};

}  // namespace css::group
