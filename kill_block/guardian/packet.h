#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "kill_block/guardian/message.h"

namespace css::guardian {

inline constexpr std::size_t kDescriptorsMax = 3;

/// A datagram with the descriptors that came along; owns those not taken.
struct Packet {
    Packet() = default;
    ~Packet();
    Packet(Packet&& other) noexcept;
    Packet& operator=(Packet&&) = delete;
    Packet(const Packet&) = delete;
    Packet& operator=(const Packet&) = delete;
    /// Ownership of one descriptor; -1 when there is none (any more).
    int take(std::size_t index);

    std::optional<Message> message;  ///< Nothing: malformed.
    std::array<int, kDescriptorsMax> descriptors{-1, -1, -1};
};

enum class Io { kDone, kWouldBlock, kClosed };

/// Sends without blocking or raising a signal. The descriptors stay the caller's.
Io send_packet(int socket, const Message& message, std::span<const int> descriptors = {});
/// Receives one datagram without blocking.
Io receive_packet(int socket, Packet& packet);

}  // namespace css::guardian
