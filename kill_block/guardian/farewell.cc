#include "kill_block/guardian/farewell.h"

#include <algorithm>
#include <cstring>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace css::guardian {
namespace {

constexpr int kTimes = 4;
constexpr Duration kFirstPause = std::chrono::milliseconds{20};  ///< Doubled each time.

/// Puts the sender's address into the control message: a receiver takes a heartbeat only from the
/// address of the node that it names.
template <class Info>
void put_source(msghdr& header, int level, int type, const Info& info) {
    header.msg_controllen = CMSG_SPACE(sizeof info);
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(c), &info, sizeof info);
}

void send_to(int fd, FarewellTarget target, const std::byte* bytes, std::size_t size) {
    iovec part{const_cast<std::byte*>(bytes), size};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> control{};
    msghdr header{};
    header.msg_name = &target.to;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    if (target.to.any.sa_family == AF_INET6) {
        header.msg_namelen = sizeof(sockaddr_in6);
        in6_pktinfo info{};
        info.ipi6_addr = target.from.ipv6.sin6_addr;
        put_source(header, IPPROTO_IPV6, IPV6_PKTINFO, info);
    } else {
        header.msg_namelen = sizeof(sockaddr_in);
        in_pktinfo info{};
        info.ipi_spec_dst = target.from.ipv4.sin_addr;
        put_source(header, IPPROTO_IP, IP_PKTINFO, info);
    }
    static_cast<void>(sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT));
}

}  // namespace

FarewellSender::~FarewellSender() {
    for (const int fd : {ipv4_, ipv6_}) {
        if (fd >= 0) {
            close(fd);
        }
    }
}

Instant FarewellSender::say(std::optional<Farewell> what,
                            Instance instance,
                            const OrdersPage& page,
                            Instant now) {
    if (what != said_) {
        said_ = what;
        times_ = 0;
        next_ = now;
    }
    if (!what.has_value() || times_ == kTimes || now < next_) {
        return what.has_value() && times_ < kTimes ? next_ : kForever;
    }
    const std::uint32_t generation = page.generation.load(std::memory_order_acquire);
    const FarewellSet& set = page.sets[generation % 2];
    if (generation == 0 || set.node != instance.node.value() ||
        set.unique != instance.unique.value()) {
        return kForever;  // It was never heard on the network: nobody waits for it there.
    }
    send(set, *what);
    ++times_;
    next_ = now + kFirstPause * (1 << times_);
    return times_ < kTimes ? next_ : kForever;
}

void FarewellSender::send(const FarewellSet& set, Farewell what) {
    const auto index = static_cast<std::size_t>(what);
    const std::size_t size = std::min<std::size_t>(set.sizes[index], kFarewellSizeMax);
    const std::size_t targets = std::min<std::size_t>(set.targets, kTargetsMax);
    for (std::size_t i = 0; i < targets; ++i) {
        const bool is_ipv6 = set.target[i].to.any.sa_family == AF_INET6;
        int& fd = is_ipv6 ? ipv6_ : ipv4_;
        if (fd < 0) {
            fd = socket(is_ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        }
        send_to(fd, set.target[i], set.datagrams[index].data(), size);
    }
}

}  // namespace css::guardian
