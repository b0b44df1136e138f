#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "cssd/base/result.h"

namespace css::netbeat {

inline constexpr std::uint16_t kDefaultPort = 5499;

enum class AddressFamily : std::uint8_t { kIpv4 = 4, kIpv6 = 6 };

/// An IP address with a UDP port. An IPv4 address uses the first four bytes, the rest is zero.
struct Address {
    AddressFamily family = AddressFamily::kIpv4;
    std::array<std::uint8_t, 16> ip{};
    std::uint16_t port = 0;
    friend bool operator==(const Address&, const Address&) = default;
    friend auto operator<=>(const Address&, const Address&) = default;
};

/// `10.0.0.1:5499`, `[fd00::1]:5499`.
[[nodiscard]] std::string to_string(const Address& address);

/// Reads `10.0.0.1`, `10.0.0.1:7000`, `fd00::1`, `[fd00::1]`, `[fd00::1]:7000`; without a port it
/// is kDefaultPort. Refuses host names and addresses that no single interface can have (any,
/// multicast, broadcast), link-local IPv6 (needs a zone, which differs from host to host), IPv4
/// written as IPv6, and `fd00::1:7000` without brackets, which might mean two things. The message
/// says what is wrong with `text`; the caller adds where it stood.
[[nodiscard]] Result<Address> parse_address(std::string_view text);

}  // namespace css::netbeat
