#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cssd/base/check.h"
#include "netbeat/io/dispatch.h"
#include "netbeat/io/interconnect.h"
#include "netbeat/io/sockaddr.h"
#include "netbeat/wire/nodes_file.h"

namespace css::netbeat {

/// Long enough for a machine at a tenth of the speed; only a failing test ever waits so long.
inline constexpr std::chrono::seconds kPatience{30};

/// An address of this host that no other test process uses: 127.0.0.0/8 is all local, so the
/// process id goes into address and port.
inline std::string loopback(unsigned host, unsigned net = 0) {
    const auto pid = static_cast<unsigned>(::getpid());
    return "127." + std::to_string(16 + ((pid >> 14) & 127)) + "." +
           std::to_string((pid >> 6) & 255) + "." + std::to_string(host) + ":" +
           std::to_string(20'000 + (pid & 63) * 100 + net);
}

inline std::string loopback_ipv6(unsigned host) {
    const auto pid = static_cast<unsigned>(::getpid());
    return "[::1]:" + std::to_string(10'000 + (pid % 2'000) * 10 + host);
}

inline Address address_of(const std::string& text) {
    const auto address = parse_address(text);
    CSS_CHECK(address.has_value());
    return *address;
}

inline NodesFile nodes_of(const std::string& text) {
    const auto file = parse_nodes_file(text, "nodes");
    CSS_CHECK(file.has_value());
    return *file;
}

inline std::unique_ptr<Interconnect> opened(const NodesFile& nodes, unsigned number) {
    auto interconnect = Interconnect::open(nodes, NodeNumber{number});
    CSS_CHECK(interconnect.has_value());
    return std::move(interconnect).value();
}

/// A socket that says whatever it likes from any address of this host.
class RawSocket {
public:
    explicit RawSocket(const std::string& own) {
        const SocketAddress where = to_socket_address(address_of(own));
        fd_ = ::socket(where.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        CSS_CHECK(fd_ >= 0);
        CSS_CHECK(::bind(fd_, &where.any, size_of(where)) == 0);
    }
    ~RawSocket() { ::close(fd_); }
    RawSocket(const RawSocket&) = delete;
    RawSocket& operator=(const RawSocket&) = delete;
    RawSocket(RawSocket&&) = delete;
    RawSocket& operator=(RawSocket&&) = delete;

    void send(const std::string& to, std::span<const std::byte> bytes) const {
        const SocketAddress where = to_socket_address(address_of(to));
        const ssize_t n = ::sendto(fd_, bytes.data(), bytes.size(), 0, &where.any, size_of(where));
        CSS_CHECK(n == static_cast<ssize_t>(bytes.size()));
    }
    /// Waits for one datagram; empty when none came in time.
    [[nodiscard]] std::vector<std::byte> receive(std::chrono::milliseconds patience) const {
        pollfd ready{fd_, POLLIN, 0};
        if (::poll(&ready, 1, static_cast<int>(patience.count())) != 1) {
            return {};
        }
        std::vector<std::byte> bytes(65'536);
        const ssize_t n = ::recv(fd_, bytes.data(), bytes.size(), 0);
        CSS_CHECK(n >= 0);
        bytes.resize(static_cast<std::size_t>(n));
        return bytes;
    }

private:
    int fd_ = -1;
};

/// What a dispatch thread handed over.
class Collector {
public:
    struct Refused {
        DatagramVerdict kind;
        Address from;
        std::uint64_t count;
    };

    [[nodiscard]] DispatchCallbacks callbacks() {
        return DispatchCallbacks{
            .on_heartbeat = [this](const Heartbeat& h) { add(heartbeats_, h); },
            .on_message = {},
            .on_refused =
                [this](DatagramVerdict kind, const Address& from, std::uint64_t count) {
                    add(refused_, Refused{kind, from, count});
                },
        };
    }
    /// Waits until that many heartbeats have come; returns all.
    [[nodiscard]] std::vector<Heartbeat> wait_for(std::size_t count) {
        std::unique_lock lock{mutex_};
        changed_.wait_for(lock, kPatience, [&] { return heartbeats_.size() >= count; });
        return heartbeats_;
    }
    [[nodiscard]] std::vector<Refused> refused() {
        const std::lock_guard lock{mutex_};
        return refused_;
    }

private:
    template <class T>
    void add(std::vector<T>& to, const T& one) {
        const std::lock_guard lock{mutex_};
        to.push_back(one);
        changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Heartbeat> heartbeats_;
    std::vector<Refused> refused_;
};

}  // namespace css::netbeat
