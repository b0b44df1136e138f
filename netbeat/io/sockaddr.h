#pragma once

#include <optional>

#include <netinet/in.h>
#include <sys/socket.h>

#include "netbeat/wire/address.h"

namespace css::netbeat {

/// An address in the form that the socket calls want.
union SocketAddress {
    sockaddr any;
    sockaddr_in ipv4;
    sockaddr_in6 ipv6;
};

[[nodiscard]] SocketAddress to_socket_address(const Address& address);
[[nodiscard]] socklen_t size_of(const SocketAddress& address);
/// Nothing when it is of neither IP version.
[[nodiscard]] std::optional<Address> from_socket_address(const SocketAddress& address);

}  // namespace css::netbeat
