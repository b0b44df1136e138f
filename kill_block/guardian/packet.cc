#include "kill_block/guardian/packet.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <unistd.h>

#include "cssd/base/check.h"

namespace css::guardian {
namespace {

struct Control {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsMax * sizeof(int))> bytes{};
};

Io outcome_of_errno() {
    return errno == EAGAIN || errno == ENOBUFS ? Io::kWouldBlock : Io::kClosed;
}

/// Keeps the first descriptors; closes what nobody asked for.
void collect(msghdr& header, Packet& packet) {
    std::size_t count = 0;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < fds; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (count < kDescriptorsMax) {
                packet.descriptors[count++] = fd;
            } else {
                close(fd);
            }
        }
    }
}

}  // namespace

Packet::~Packet() {
    for (const int fd : descriptors) {
        if (fd >= 0) {
            close(fd);
        }
    }
}

Packet::Packet(Packet&& other) noexcept : message(other.message), descriptors(other.descriptors) {
    other.descriptors.fill(-1);
}

int Packet::take(std::size_t index) {
    const int fd = descriptors.at(index);
    descriptors.at(index) = -1;
    return fd;
}

Io send_packet(int socket, const Message& message, std::span<const int> descriptors) {
    CSS_CHECK(descriptors.size() <= kDescriptorsMax);
    MessageBytes bytes = encode(message);
    iovec part{bytes.data(), bytes.size()};
    Control control;
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!descriptors.empty()) {
        header.msg_control = control.bytes.data();
        header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(c), descriptors.data(), descriptors.size_bytes());
    }
    ssize_t sent = -1;
    do {
        sent = sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? Io::kDone : outcome_of_errno();
}

Io receive_packet(int socket, Packet& packet) {
    std::array<std::byte, kMessageSize + 1> bytes{};  // One more: a longer datagram is malformed.
    iovec part{bytes.data(), bytes.size()};
    Control control;
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes.data();
    header.msg_controllen = control.bytes.size();
    ssize_t got = -1;
    do {
        got = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return outcome_of_errno();
    }
    collect(header, packet);
    if (got == 0) {
        return Io::kClosed;
    }
    packet.message = decode(std::span{bytes}.first(static_cast<std::size_t>(got)));
    return Io::kDone;
}

}  // namespace css::guardian
