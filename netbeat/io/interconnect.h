#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/base/types.h"
#include "netbeat/io/sockaddr.h"
#include "netbeat/wire/nodes_file.h"

namespace css::netbeat {

/// What became of one datagram to all peers.
struct SendReport {
    unsigned sent = 0;      ///< Handed to the kernel; it may still be lost.
    unsigned not_sent = 0;  ///< Refused by the kernel.
    int last_errno = 0;     ///< Of the last one refused.
    NodeSet reached;        ///< Peers for which at least one interconnect took it.
};

/// The sockets of this node: one UDP socket for every address on its own line of the nodes file,
/// bound to exactly that address, so that traffic leaves by the interconnect (SOURCES 2.9).
/// Interconnect i is the i-th address of each line. Sockets are non-blocking.
/// send() is for one thread, the rest for any.
class Interconnect {
public:
    /// Binds the addresses of `node_number`, or, without one, of the first line whose first address
    /// can be bound here: that is the own number (SOURCES 2.4). SO_REUSEADDR is not set, so a
    /// second daemon cannot take the same address. With net.ipv4.ip_nonlocal_bind every address
    /// binds; then the number must be given. kInvalid: no such number; kConflict: the address is
    /// in use; kSystem: no line can be bound here, or any other failure.
    [[nodiscard]] static Result<std::unique_ptr<Interconnect>> open(
        const NodesFile& nodes, std::optional<NodeNumber> node_number);
    ~Interconnect();
    Interconnect(const Interconnect&) = delete;
    Interconnect& operator=(const Interconnect&) = delete;
    Interconnect(Interconnect&&) = delete;
    Interconnect& operator=(Interconnect&&) = delete;

    [[nodiscard]] NodeNumber self() const { return self_; }
    [[nodiscard]] std::size_t count() const { return sockets_.size(); }
    /// Of interconnect `i`; owned here.
    [[nodiscard]] int socket(std::size_t i) const { return sockets_.at(i); }

    /// Sends the same bytes to every peer over every interconnect that both have. An error of a
    /// send means 'not sent' (STYLE 9.12): counted, never fatal, never a reason to wait.
    SendReport send(std::span<const std::byte> datagram);
    /// Sends to one node over every interconnect that both have. On one whose kernel buffer is half
    /// full it is not sent, so that heartbeats always find room there. Same thread as send().
    SendReport send_to(NodeNumber node, std::span<const std::byte> datagram);

    /// The peer whose address on interconnect `i` this is; 'no node' when it is nobody's.
    [[nodiscard]] NodeNumber node_at(std::size_t i, const Address& address) const;

    /// Whether this address on interconnect `i` is the node's, whatever its port.
    [[nodiscard]] bool is_host_of(NodeNumber node, std::size_t i, const Address& address) const;

    /// Takes the peers from a nodes file read again. Refused (kConflict), changing nothing, when
    /// the own line differs: sockets stay as they are for the life of the daemon.
    [[nodiscard]] Status reload(const NodesFile& nodes);
    /// Whether reload() would take it.
    [[nodiscard]] Status check(const NodesFile& nodes) const;

    /// How often a send was refused with this errno since the start.
    [[nodiscard]] std::uint64_t send_errors(int error_number) const;
    [[nodiscard]] std::uint64_t datagrams_sent() const { return datagrams_sent_; }

private:
    struct Peer {
        NodeNumber node;
        Address address;
        SocketAddress socket_address;
    };
    /// [i] are the peers on interconnect i. Immutable once published.
    using Peers = std::vector<std::vector<Peer>>;

    Interconnect(NodeNumber self, NodeEntry own, std::vector<int> sockets, const NodesFile& nodes);
    [[nodiscard]] static std::shared_ptr<const Peers> peers_of(const NodesFile& nodes,
                                                               NodeNumber self);
    [[nodiscard]] std::shared_ptr<const Peers> peers() const;
    void send_on(std::size_t i,
                 std::span<const Peer> peers,
                 std::span<const std::byte> datagram,
                 SendReport& report);
    [[nodiscard]] bool has_room_for_messages(std::size_t i) const;
    void count_error(int error_number);

    // Errors above this share the last counter; Linux has none above 133.
    static constexpr std::size_t kErrnoMax = 160;

    const NodeNumber self_;
    const NodeEntry own_;
    const std::vector<int> sockets_;
    mutable std::mutex peers_mutex_;  // Guards the pointer only.
    std::shared_ptr<const Peers> peers_;
    std::array<std::atomic<std::uint64_t>, kErrnoMax> errors_{};
    std::atomic<std::uint64_t> datagrams_sent_ = 0;
};

}  // namespace css::netbeat
