#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

/// What a client and the daemon say to each other at run_dir/client.sock: SEQPACKET datagrams,
/// little-endian. A header of 16 bytes: magic u32, version u16, kind u16, status i32 (0 or a
/// negative errno, in answers), size u32 of the body that follows it. Used by libcss too: nothing
/// here needs the C++ library.
namespace css::client {

inline constexpr std::size_t kMessageSize = 16;             ///< Of the header.
inline constexpr std::uint32_t kMessageMagic = 0x43535343;  // "CSSC"
inline constexpr std::uint16_t kMessageVersion = 1;

enum class Kind : std::uint16_t {
    kHello = 1,       ///< First. Answer: welcome.
    kWelcome = 2,     ///< With the lease page, read only, as descriptor.
    kRegister = 3,    ///< With a pidfd of the sender. Answer: registered.
    kRegistered = 4,  ///< status 0: guarded from now on.
    kUnregister = 5,  ///< Of the process or of the cgroup. Answer: unregistered.
    kUnregistered = 6,
    /// With a descriptor of a cgroup's directory: this whole cgroup is the client. Answer:
    /// registered. ClientServer checks what it is and whose; the guardians freeze and kill it.
    kRegisterCgroup = 7,
};
inline constexpr std::uint32_t kKindMax = 7;

struct Message {
    std::uint32_t magic = 0;
    std::uint16_t version = 0;
    Kind kind = Kind::kHello;
    std::int32_t status = 0;
};

struct MessageBytes {
    unsigned char at[kMessageSize] = {};  // NOLINT(modernize-avoid-c-arrays)
};

inline MessageBytes encode(Kind kind, std::int32_t status) {
    MessageBytes bytes;
    const auto put = [&bytes](std::size_t offset, std::size_t width, std::uint32_t value) {
        for (std::size_t i = 0; i < width; ++i) {
            bytes.at[offset + i] = static_cast<unsigned char>((value >> (8 * i)) & 0xFF);
        }
    };
    put(0, 4, kMessageMagic);
    put(4, 2, kMessageVersion);
    put(6, 2, static_cast<std::uint32_t>(kind));
    put(8, 4, static_cast<std::uint32_t>(status));
    return bytes;
}

/// False: not a message of this version.
inline bool decode(const MessageBytes& bytes, std::size_t size, Message& message) {
    const auto get = [&bytes](std::size_t offset, std::size_t width) {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < width; ++i) {
            value |= std::uint32_t{bytes.at[offset + i]} << (8 * i);
        }
        return value;
    };
    message.magic = get(0, 4);
    message.version = static_cast<std::uint16_t>(get(4, 2));
    const std::uint32_t kind = get(6, 2);
    message.status = static_cast<std::int32_t>(get(8, 4));
    message.kind = static_cast<Kind>(kind);
    return size == kMessageSize && message.magic == kMessageMagic &&
           message.version == kMessageVersion && kind >= 1 && kind <= kKindMax && get(12, 4) == 0;
}

}  // namespace css::client
