#include "netbeat/io/interconnect.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cssd/base/check.h"

namespace css::netbeat {

namespace {

/// Room for what 63 peers may have on the way to one node: heartbeats, and the windows of their
/// channels (cssd/group). The kernel counts each datagram twice its size or more.
constexpr int kReceiveBuffer = 2 << 20;

/// Sockets that are closed unless taken over.
class Sockets {
public:
    Sockets() = default;
    ~Sockets() { close_all(); }
    Sockets(const Sockets&) = delete;
    Sockets& operator=(const Sockets&) = delete;
    Sockets(Sockets&&) = delete;
    Sockets& operator=(Sockets&&) = delete;

    void add(int fd) { fds_.push_back(fd); }
    [[nodiscard]] std::vector<int> release() { return std::exchange(fds_, {}); }

private:
    void close_all() {
        for (const int fd : fds_) {
            ::close(fd);
        }
    }
    std::vector<int> fds_;
};

struct Bound {
    int fd = -1;
    int error = 0;
};

/// A non-blocking UDP socket bound to exactly `address`, or the errno that says why not.
Bound bind_to(const Address& address) {
    const bool is_ipv6 = address.family == AddressFamily::kIpv6;
    const int fd = ::socket(
        is_ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
    if (fd < 0) {
        return Bound{-1, errno};
    }
    const int on = 1;
    if (is_ipv6 && ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) {
        const int error = errno;
        ::close(fd);
        return Bound{-1, error};
    }
    // Beyond the system's limit as root; else as much of it as there is.
    if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0) {
        static_cast<void>(
            ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer));
    }
    const SocketAddress where = to_socket_address(address);
    if (::bind(fd, &where.any, size_of(where)) != 0) {
        const int error = errno;
        ::close(fd);
        return Bound{-1, error};
    }
    return Bound{fd, 0};
}

Error cannot_bind(const NodeEntry& node, const Address& address, int error) {
    const std::string what = "node '" + node.name + "': cannot bind " + to_string(address) + ": ";
    if (error == EADDRINUSE) {
        return Error{ErrorCode::kConflict, error, what + "in use; is another cssd running?"};
    }
    return Error{ErrorCode::kSystem, error, what + std::generic_category().message(error)};
}

struct Own {
    NodeNumber number;
    int first_socket = -1;
};

Result<Own> bind_given(const NodesFile& nodes, NodeNumber number) {
    if (!nodes.configured().contains(number)) {
        return Error{ErrorCode::kInvalid,
                     0,
                     "node number " + std::to_string(number.value()) +
                         " is not in the nodes file, or deleted there"};
    }
    const NodeEntry& node = nodes.at(number);
    const Bound bound = bind_to(node.addresses.front());
    if (bound.fd < 0) {
        return cannot_bind(node, node.addresses.front(), bound.error);
    }
    return Own{number, bound.fd};
}

/// SOURCES 2.4: the first line whose first address binds is ours. An address in use belongs to
/// another daemon of this host, so the search goes on; that matters only where several nodes share
/// a host, as in tests.
Result<Own> bind_first(const NodesFile& nodes) {
    std::optional<Error> in_use;
    std::string why;
    for (const NodeNumber number : nodes.configured()) {
        const NodeEntry& node = nodes.at(number);
        const Bound bound = bind_to(node.addresses.front());
        if (bound.fd >= 0) {
            return Own{number, bound.fd};
        }
        if (bound.error == EADDRINUSE && !in_use) {
            in_use = cannot_bind(node, node.addresses.front(), bound.error);
        }
        why += (why.empty() ? "" : "; ") + to_string(node.addresses.front()) + ": " +
               std::generic_category().message(bound.error);
    }
    if (in_use) {
        return *in_use;
    }
    return Error{ErrorCode::kSystem,
                 EADDRNOTAVAIL,
                 "no node of the nodes file has its first address on this host (" + why + ")"};
}

}  // namespace

Result<std::unique_ptr<Interconnect>> Interconnect::open(const NodesFile& nodes,
                                                         std::optional<NodeNumber> node_number) {
    const auto own = node_number ? bind_given(nodes, *node_number) : bind_first(nodes);
    if (!own) {
        return own.error();
    }
    Sockets sockets;
    sockets.add(own->first_socket);
    const NodeEntry& node = nodes.at(own->number);
    for (std::size_t i = 1; i < node.addresses.size(); ++i) {
        const Bound bound = bind_to(node.addresses[i]);
        if (bound.fd < 0) {
            return cannot_bind(node, node.addresses[i], bound.error);
        }
        sockets.add(bound.fd);
    }
    return std::unique_ptr<Interconnect>{
        new Interconnect{own->number, node, sockets.release(), nodes}};
}

Interconnect::Interconnect(NodeNumber self,
                           NodeEntry own,
                           std::vector<int> sockets,
                           const NodesFile& nodes)
    : self_(self), own_(std::move(own)), sockets_(std::move(sockets)) {
    CSS_CHECK(sockets_.size() == own_.addresses.size());
    peers_ = peers_of(nodes, self_);
}

Interconnect::~Interconnect() {
    for (const int fd : sockets_) {
        ::close(fd);
    }
}

std::shared_ptr<const Interconnect::Peers> Interconnect::peers_of(const NodesFile& nodes,
                                                                  NodeNumber self) {
    auto peers = std::make_shared<Peers>(nodes.at(self).addresses.size());
    for (const NodeNumber number : nodes.configured() - NodeSet::of(self)) {
        const auto& addresses = nodes.at(number).addresses;
        for (std::size_t i = 0; i < std::min(addresses.size(), peers->size()); ++i) {
            (*peers)[i].push_back(Peer{number, addresses[i], to_socket_address(addresses[i])});
        }
    }
    return peers;
}

std::shared_ptr<const Interconnect::Peers> Interconnect::peers() const {
    const std::lock_guard lock{peers_mutex_};
    return peers_;
}

NodeNumber Interconnect::node_at(std::size_t i, const Address& address) const {
    const auto all = peers();
    const auto& here = all->at(i);
    const auto found = std::find_if(
        here.begin(), here.end(), [&](const Peer& peer) { return peer.address == address; });
    return found == here.end() ? NodeNumber{} : found->node;
}

bool Interconnect::is_host_of(NodeNumber node, std::size_t i, const Address& address) const {
    const auto all = peers();
    const auto& here = all->at(i);
    return std::any_of(here.begin(), here.end(), [&](const Peer& peer) {
        return peer.node == node && peer.address.family == address.family &&
               peer.address.ip == address.ip;
    });
}

Status Interconnect::check(const NodesFile& nodes) const {
    if (!nodes.configured().contains(self_) || nodes.at(self_) != own_) {
        return Error{ErrorCode::kConflict,
                     0,
                     "the line of this node, number " + std::to_string(self_.value()) +
                         ", has changed in the nodes file: that needs a restart of this node"};
    }
    return Done{};
}

Status Interconnect::reload(const NodesFile& nodes) {
    if (const Status same = check(nodes); !same) {
        return same;
    }
    auto fresh = peers_of(nodes, self_);
    const std::lock_guard lock{peers_mutex_};
    peers_ = std::move(fresh);
    return Done{};
}

SendReport Interconnect::send(std::span<const std::byte> datagram) {
    SendReport report;
    const auto all = peers();
    for (std::size_t i = 0; i < all->size(); ++i) {
        send_on(i, (*all)[i], datagram, report);
    }
    datagrams_sent_ += report.sent;
    return report;
}

SendReport Interconnect::send_to(NodeNumber node, std::span<const std::byte> datagram) {
    SendReport report;
    const auto all = peers();
    for (std::size_t i = 0; i < all->size(); ++i) {
        const auto& here = (*all)[i];
        const auto peer = std::find_if(
            here.begin(), here.end(), [node](const Peer& p) { return p.node == node; });
        if (peer == here.end()) {
            continue;
        }
        if (has_room_for_messages(i)) {
            send_on(i, std::span{&*peer, 1}, datagram, report);
        } else {
            ++report.not_sent;
            count_error(ENOBUFS);
        }
    }
    datagrams_sent_ += report.sent;
    return report;
}

bool Interconnect::has_room_for_messages(std::size_t i) const {
    int waiting = 0;
    int size = 0;
    socklen_t length = sizeof size;
    return ::ioctl(sockets_[i], SIOCOUTQ, &waiting) == 0 &&
           ::getsockopt(sockets_[i], SOL_SOCKET, SO_SNDBUF, &size, &length) == 0 &&
           waiting < size / 2;
}

void Interconnect::send_on(std::size_t i,
                           std::span<const Peer> peers,
                           std::span<const std::byte> datagram,
                           SendReport& report) {
    // The socket calls only read what these point to, but their types do not say so.
    iovec bytes{const_cast<std::byte*>(datagram.data()), datagram.size()};
    std::array<mmsghdr, kNodesMax> messages{};
    CSS_CHECK(peers.size() <= messages.size());
    for (std::size_t p = 0; p < peers.size(); ++p) {
        msghdr& header = messages[p].msg_hdr;
        header.msg_name = const_cast<SocketAddress*>(&peers[p].socket_address);
        header.msg_namelen = size_of(peers[p].socket_address);
        header.msg_iov = &bytes;
        header.msg_iovlen = 1;
    }
    std::size_t done = 0;
    while (done < peers.size()) {
        const int sent = ::sendmmsg(
            sockets_[i], &messages[done], static_cast<unsigned>(peers.size() - done), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            // The first of the rest was refused; the others may well go through.
            report.last_errno = errno;
            ++report.not_sent;
            count_error(errno);
            ++done;
            continue;
        }
        for (const auto end = done + static_cast<std::size_t>(sent); done < end; ++done) {
            report.reached.insert(peers[done].node);
            ++report.sent;
        }
    }
}

void Interconnect::count_error(int error_number) {
    const auto index = static_cast<std::size_t>(std::max(error_number, 0));
    ++errors_[std::min(index, kErrnoMax - 1)];
}

std::uint64_t Interconnect::send_errors(int error_number) const {
    const auto index = static_cast<std::size_t>(std::max(error_number, 0));
    return errors_[std::min(index, kErrnoMax - 1)];
}

}  // namespace css::netbeat
