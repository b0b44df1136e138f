#include "cssd/client/server/connection.h"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace css::client {

Io receive(int socket, Request& request) {
    MessageBytes bytes;
    std::array<iovec, 2> parts{iovec{bytes.at, sizeof bytes.at},
                               iovec{request.buffer.data(), request.buffer.size()}};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(ucred))>
        control{};
    msghdr header{};
    header.msg_iov = parts.data();
    header.msg_iovlen = parts.size();
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t got = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? Io::kWouldBlock : Io::kClosed;
    }
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
            request.descriptor.reset(fd);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
            ucred sender{};
            std::memcpy(&sender, CMSG_DATA(c), sizeof sender);
            request.sender = CgroupOwner{sender.pid, sender.uid};
        }
    }
    request.descriptor_lost = (header.msg_flags & MSG_CTRUNC) != 0 && !request.descriptor.is_open();
    request.valid = (header.msg_flags & MSG_TRUNC) == 0 &&
                    decode(bytes, static_cast<std::size_t>(got), request.message);
    return got == 0 ? Io::kClosed : Io::kDone;
}

Io send(int socket,
        std::span<const std::byte> header,
        std::span<const std::byte> body,
        int descriptor) {
    // sendmsg only reads what these point to, but its types do not say so.
    std::array<iovec, 2> parts{iovec{const_cast<std::byte*>(header.data()), header.size()},
                               iovec{const_cast<std::byte*>(body.data()), body.size()}};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    if (descriptor >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
    }
    if (sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        return Io::kDone;
    }
    return errno == EAGAIN ? Io::kWouldBlock : Io::kClosed;
}

Io send(int socket, Kind kind, int status, std::span<const std::byte> body, int descriptor) {
    const MessageBytes bytes = encode(kind, status, body.size());
    return send(socket, std::as_bytes(std::span{bytes.at}), body, descriptor);
}

}  // namespace css::client
