#include "netbeat/wire/address.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <arpa/inet.h>

namespace css::netbeat {

namespace {

Error refuse(std::string_view text, const std::string& why) {
    return Error{ErrorCode::kInvalid, 0, "'" + std::string{text} + "' " + why};
}

struct Parts {
    std::string host;
    std::string_view port;  ///< Empty: none was given.
    bool has_port = false;
    bool is_ipv6 = false;
};

/// Takes the text apart without judging host and port. Nothing when brackets or colons do not add
/// up. More than one colon outside brackets can only be IPv6 without a port.
std::optional<Parts> split(std::string_view text) {
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos) {
            return std::nullopt;
        }
        const auto rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':') {
            return std::nullopt;
        }
        const auto port = rest.empty() ? rest : rest.substr(1);
        return Parts{std::string{text.substr(1, close - 1)}, port, !rest.empty(), true};
    }
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) {
        return Parts{std::string{text}, {}, false, false};
    }
    if (text.find(':', colon + 1) != std::string_view::npos) {
        return Parts{std::string{text}, {}, false, true};
    }
    return Parts{std::string{text.substr(0, colon)}, text.substr(colon + 1), true, false};
}

/// Why no single interface of a host can be meant; nothing when it can.
std::optional<std::string> why_unusable(const Address& address) {
    const auto& ip = address.ip;
    if (address.family == AddressFamily::kIpv4) {
        if (ip[0] == 0) {
            return "means 'any address': give the address of one interface";
        }
        if (ip[0] >= 224) {
            return "is a multicast, broadcast or reserved address: give one interface's";
        }
        return std::nullopt;
    }
    if (std::all_of(ip.begin(), ip.end(), [](std::uint8_t byte) { return byte == 0; })) {
        return "means 'any address': give the address of one interface";
    }
    if (ip[0] == 0xff) {
        return "is a multicast address: give one interface's";
    }
    if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) {
        return "is a link-local address, which means something else on each host: give a unique "
               "local or global one";
    }
    const bool mapped = ip[10] == 0xff && ip[11] == 0xff &&
                        std::all_of(ip.begin(), ip.begin() + 10, [](auto b) { return b == 0; });
    if (mapped) {
        return "is an IPv4 address written as IPv6: write it as IPv4";
    }
    return std::nullopt;
}

bool parse_port(std::string_view text, std::uint16_t& port) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && port != 0;
}

bool is_ipv6(const std::string& host) {
    in6_addr ignored{};
    return ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

/// `fd00::1:5499` without brackets may be all address, or an address and a port. Guessing would
/// give two nodes different ideas of where a third one is.
std::optional<std::string> why_ambiguous(std::string_view text) {
    const auto colon = text.rfind(':');
    std::uint16_t port = 0;
    if (text.starts_with('[') || colon == std::string_view::npos ||
        !parse_port(text.substr(colon + 1), port)) {
        return std::nullopt;
    }
    const std::string host{text.substr(0, colon)};
    if (!is_ipv6(host) || !is_ipv6(std::string{text})) {
        return std::nullopt;
    }
    return "may be read in two ways: write [" + host + "]:" + std::to_string(port) + " or [" +
           std::string{text} + "]";
}

}  // namespace

std::string to_string(const Address& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool bracketed = address.family == AddressFamily::kIpv6;
    const char* ip = ::inet_ntop(bracketed ? AF_INET6 : AF_INET,
                                 address.ip.data(),
                                 text.data(),
                                 static_cast<socklen_t>(text.size()));
    CSS_CHECK(ip != nullptr);
    const std::string host = bracketed ? "[" + std::string{ip} + "]" : std::string{ip};
    return host + ":" + std::to_string(address.port);
}

Result<Address> parse_address(std::string_view text) {
    const auto parts = split(text);
    if (!parts) {
        return refuse(text, "is not an address: write 10.0.0.1, 10.0.0.1:5499 or [fd00::1]:5499");
    }
    Address address;
    address.family = parts->is_ipv6 ? AddressFamily::kIpv6 : AddressFamily::kIpv4;
    address.port = kDefaultPort;
    const int family = parts->is_ipv6 ? AF_INET6 : AF_INET;
    // A zero byte would end the text early for inet_pton.
    const bool whole = parts->host.find('\0') == std::string::npos;
    if (!whole || ::inet_pton(family, parts->host.c_str(), address.ip.data()) != 1) {
        return refuse(text,
                      std::string{"is not an "} + (parts->is_ipv6 ? "IPv6" : "IPv4") +
                          " address: write 10.0.0.1, 10.0.0.1:5499 or [fd00::1]:5499");
    }
    if (parts->has_port && !parse_port(parts->port, address.port)) {
        return refuse(text, "has a bad port: give a number from 1 to 65535");
    }
    if (const auto why = why_ambiguous(text)) {
        return refuse(text, *why);
    }
    if (const auto why = why_unusable(address)) {
        return refuse(text, *why);
    }
    return address;
}

}  // namespace css::netbeat
