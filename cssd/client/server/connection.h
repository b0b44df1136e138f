#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "cssd/base/unique_fd.h"
#include "cssd/client/message.h"
#include "cssd/client/server/cgroup.h"

/// The datagrams of run_dir/client.sock, as the daemon reads and writes them. Nothing here waits.
namespace css::client {

/// What a client said.
struct Request {
    Message message;
    bool valid = false;
    CgroupOwner sender;  ///< As the kernel vouches for it.
    UniqueFd descriptor;
    /// It sent a descriptor for which this process has no room.
    bool descriptor_lost = false;
    std::array<std::byte, QuestionBody::kSizeMax> buffer;
    [[nodiscard]] std::span<const std::byte> body() const {
        return std::span{buffer}.first(message.body);
    }
};

enum class Io : std::uint8_t { kDone, kWouldBlock, kClosed };

Io receive(int socket, Request& request);

/// A datagram of these two parts, and a descriptor if there is one (else -1).
Io send(int socket,
        std::span<const std::byte> header,
        std::span<const std::byte> body,
        int descriptor = -1);
Io send(int socket, Kind kind, int status, std::span<const std::byte> body, int descriptor = -1);

}  // namespace css::client
