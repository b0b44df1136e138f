#include "tests/e2e/harness/wire.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <thread>

#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "cssd/base/check.h"
#include "netbeat/wire/seal.h"

namespace css::e2e {
namespace {

constexpr std::size_t kIpAt = 14;
constexpr std::size_t kIpSize = 20;
constexpr std::size_t kUdpAt = kIpAt + kIpSize;
constexpr std::size_t kPayloadAt = kUdpAt + 8;
constexpr std::size_t kFrameMax = 1514;

void put_u16(Frame& frame, std::size_t at, std::size_t value) {
    frame[at] = static_cast<std::byte>(value >> 8U);
    frame[at + 1] = static_cast<std::byte>(value);
}

/// The header's own checksum; UDP over IPv4 may go without one.
void put_checksums(Frame& frame) {
    put_u16(frame, kIpAt + 10, 0);
    put_u16(frame, kUdpAt + 6, 0);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < kIpSize; i += 2) {
        sum += std::to_integer<std::uint32_t>(frame[kIpAt + i]) << 8U |
               std::to_integer<std::uint32_t>(frame[kIpAt + i + 1]);
    }
    while (sum > 0xFFFF) {
        sum = (sum & 0xFFFFU) + (sum >> 16U);
    }
    put_u16(frame, kIpAt + 10, ~sum & 0xFFFFU);
}

bool is_udp(const Frame& frame) {
    return frame.size() > kPayloadAt && frame[kIpAt] == std::byte{0x45} &&
           frame[kIpAt + 9] == std::byte{IPPROTO_UDP};
}

}  // namespace

std::span<const std::byte> payload_of(const Frame& frame) {
    return std::span{frame}.subspan(kPayloadAt);
}

Frame with_payload(const Frame& frame, std::span<const std::byte> payload) {
    CSS_CHECK(kPayloadAt + payload.size() <= kFrameMax);
    Frame made(kPayloadAt + payload.size());
    std::copy_n(frame.begin(), kPayloadAt, made.begin());
    std::ranges::copy(payload, made.begin() + kPayloadAt);
    put_u16(made, kIpAt + 2, made.size() - kIpAt);
    put_u16(made, kUdpAt + 4, made.size() - kUdpAt);
    put_checksums(made);
    return made;
}

Frame from_host(Frame frame, std::uint8_t host) {
    frame[kIpAt + 15] = static_cast<std::byte>(host);
    put_checksums(frame);
    return frame;
}

// ------------------------------------------------------------------------------------ wire

Wire::Wire(int network_namespace) {
    int fd = -1;
    std::thread{[&fd, network_namespace, this] {  // A namespace belongs to a thread.
        if (::setns(network_namespace, CLONE_NEWNET) != 0) {
            return;
        }
        fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IP));
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(ETH_P_IP);
        address.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
        void* const any = &address;
        CSS_CHECK(::bind(fd, static_cast<sockaddr*>(any), sizeof address) == 0);
        ifreq request{};
        std::snprintf(&request.ifr_name[0], sizeof request.ifr_name, "eth0");
        CSS_CHECK(::ioctl(fd, SIOCGIFHWADDR, &request) == 0);
        std::memcpy(mac_.data(), &request.ifr_hwaddr.sa_data[0], mac_.size());
    }}
        .join();
    CSS_CHECK(fd >= 0);
    socket_.reset(fd);
}

std::vector<Frame> Wire::capture(milliseconds time) {
    std::vector<Frame> frames;
    const Nanos deadline = boottime_now() + nanos(time);
    for (Nanos left = nanos(time); left > 0; left = deadline - boottime_now()) {
        pollfd ready{socket_.get(), POLLIN, 0};
        if (::poll(&ready, 1, static_cast<int>(left / 1'000'000) + 1) <= 0) {
            continue;
        }
        Frame frame(kFrameMax);
        sockaddr_ll from{};
        socklen_t size = sizeof from;
        void* const any = &from;
        const ssize_t got = ::recvfrom(socket_.get(),
                                       frame.data(),
                                       frame.size(),
                                       MSG_DONTWAIT,
                                       static_cast<sockaddr*>(any),
                                       &size);
        frame.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        if (is_udp(frame) && from.sll_pkttype == PACKET_HOST) {
            frames.push_back(std::move(frame));
        }
    }
    return frames;
}

std::size_t Wire::send(std::span<Frame> frames) {
    std::size_t sent = 0;
    for (Frame& frame : frames) {
        std::ranges::copy(mac_, frame.begin() + ETH_ALEN);
        sent += ::send(socket_.get(), frame.data(), frame.size(), 0) > 0 ? 1U : 0U;
    }
    return sent;
}

// --------------------------------------------------------------------------------- forgery

Forgery::Forgery(std::vector<Frame> captured, std::uint64_t seed)
    : captured_(std::move(captured)), random_(seed) {
    CSS_CHECK(!captured_.empty());
}

Frame Forgery::next() {
    const Frame& frame = any();
    const auto payload = payload_of(frame);
    Frame changed{payload.begin(), payload.end()};
    switch (count_++ % 8) {
        case 0: return frame;
        case 1:
            changed[random_() % changed.size()] ^= std::byte{1} << (random_() % 8);
            return with_payload(frame, changed);
        case 2: return with_payload(frame, payload.first(random_() % payload.size()));
        case 3:
            changed.resize(netbeat::kUnfragmentedMax + 1 + random_() % 200);
            return with_payload(frame, changed);
        case 4: return of_another_key(frame);
        case 5: return from_host(frame, static_cast<std::uint8_t>(100 + random_() % 100));
        case 6: {
            // What one node said, as if another one had.
            const Frame& other = any();
            return with_payload(other, payload);
        }
        default:
            std::ranges::generate(changed, [this] { return static_cast<std::byte>(random_()); });
            return with_payload(frame, changed);
    }
}

/// That its node begins a new life: everybody would have to take that for true.
Frame Forgery::of_another_key(const Frame& like) {
    static const netbeat::Key other = netbeat::random_key();
    static const netbeat::Sealer sealer{ClusterGuid{}, other};
    const auto real = payload_of(like);
    const NodeNumber named = netbeat::sender_named(real);  // None: a short message.
    netbeat::Heartbeat heartbeat;
    heartbeat.sender = {named.is_some() ? named : NodeNumber{2}, Unique{0xFFFF'FFF0}};
    heartbeat.sequence = Sequence{1};
    Frame sealed(netbeat::kDatagramSizeMax);
    sealed.resize(sealer.seal(heartbeat, sealed));
    // The prefix of the cluster's own, so that nothing but the key is wrong.
    std::ranges::copy(real.first(netbeat::kPrefixSize), sealed.begin());
    return with_payload(like, sealed);
}

std::size_t flood(
    Lab& lab, Forgery& forgery, Wire& attacker, std::size_t count, unsigned per_second) {
    std::vector<Frame> batch(200);
    const Nanos begin = boottime_now();
    std::size_t sent = 0;
    while (sent < count) {
        std::ranges::generate(batch, [&forgery] { return forgery.next(); });
        sent += attacker.send(batch);
        const Nanos due =
            per_second == 0 ? 0 : begin + static_cast<Nanos>(sent) * 1'000'000'000 / per_second;
        lab.watch_for(milliseconds{std::max<Nanos>(0, due - boottime_now()) / 1'000'000});
    }
    return sent;
}

}  // namespace css::e2e
