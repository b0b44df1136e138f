#include "netbeat/io/sockaddr.h"

#include <cstring>

#include <arpa/inet.h>

namespace css::netbeat {

SocketAddress to_socket_address(const Address& address) {
    SocketAddress result{};
    std::memset(&result, 0, sizeof(result));
    if (address.family == AddressFamily::kIpv4) {
        result.ipv4.sin_family = AF_INET;
        result.ipv4.sin_port = htons(address.port);
        std::memcpy(&result.ipv4.sin_addr, address.ip.data(), sizeof(result.ipv4.sin_addr));
    } else {
        result.ipv6.sin6_family = AF_INET6;
        result.ipv6.sin6_port = htons(address.port);
        std::memcpy(&result.ipv6.sin6_addr, address.ip.data(), sizeof(result.ipv6.sin6_addr));
    }
    return result;
}

socklen_t size_of(const SocketAddress& address) {
    return address.any.sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

std::optional<Address> from_socket_address(const SocketAddress& address) {
    Address result;
    if (address.any.sa_family == AF_INET) {
        result.family = AddressFamily::kIpv4;
        result.port = ntohs(address.ipv4.sin_port);
        std::memcpy(result.ip.data(), &address.ipv4.sin_addr, sizeof(address.ipv4.sin_addr));
        return result;
    }
    if (address.any.sa_family == AF_INET6) {
        result.family = AddressFamily::kIpv6;
        result.port = ntohs(address.ipv6.sin6_port);
        std::memcpy(result.ip.data(), &address.ipv6.sin6_addr, sizeof(address.ipv6.sin6_addr));
        return result;
    }
    return std::nullopt;
}

}  // namespace css::netbeat
