#include "cssd/client/handle.h"

#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace css::client {
namespace {

/// Milliseconds for poll(), rounded up; never more than a day at a time.
int milliseconds_until(std::int64_t deadline) {
    constexpr std::int64_t kMillisecond = 1'000'000;
    constexpr std::int64_t kDay = 86'400'000;
    if (deadline == kNoDeadline) {
        return -1;
    }
    const std::int64_t left = deadline - boottime_now();
    const std::int64_t rounded = left <= 0 ? 0 : (left + kMillisecond - 1) / kMillisecond;
    return static_cast<int>(rounded < kDay ? rounded : kDay);
}

/// 0 when there is something to read.
int wait_for_input(int socket, std::int64_t deadline) {
    for (;;) {
        pollfd wait{socket, POLLIN, 0};
        const int ready = poll(&wait, 1, milliseconds_until(deadline));
        if (ready > 0) {
            return 0;
        }
        if (ready < 0 && errno != EINTR) {
            return -errno;
        }
        if (boottime_now() >= deadline) {
            return -ETIMEDOUT;
        }
    }
}

int descriptor_of(msghdr& header) {
    int received = -1;
    const cmsghdr* c = CMSG_FIRSTHDR(&header);
    if (c != nullptr && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        std::memcpy(&received, CMSG_DATA(c), sizeof received);
    }
    return received;
}

std::size_t encode_question(const Question& question,
                            std::uint64_t number,
                            std::size_t name_size,
                            unsigned char* body) {
    put(body, number);
    put(body + QuestionBody::kMember, question.member);
    body[QuestionBody::kNameSize] = static_cast<unsigned char>(name_size);
    if (name_size > 0) {
        std::memcpy(body + QuestionBody::kName, question.name, name_size);
    }
    if (question.data.size > 0) {
        std::memcpy(body + QuestionBody::kName + name_size, question.data.at, question.data.size);
    }
    return QuestionBody::kName + name_size + question.data.size;
}

/// Reads until the answer with this number comes.
int await_answer(css_t* handle,
                 std::uint64_t number,
                 std::int64_t deadline,
                 unsigned char* bytes,
                 Received* received) {
    for (;;) {
        const int status =
            receive_message(handle->socket, deadline, bytes, kAnswerSizeMax, received);
        if (status != 0) {
            return status;
        }
        if (received->descriptor >= 0) {
            close(received->descriptor);
        }
        if (received->message.kind != Kind::kAnswer || received->message.body < kAnswerNumberSize) {
            return -EPROTO;
        }
        if (get<std::uint64_t>(bytes) == number) {
            return 0;
        }
    }
}

int ask_locked(css_t* handle,
               const Question& question,
               std::int64_t timeout_ns,
               unsigned char* bytes,
               AnswerBuffer* answer) {
    const std::size_t name_size = question.name == nullptr ? 0 : std::strlen(question.name);
    const std::uint64_t number = ++handle->last_question;
    const std::size_t size = encode_question(question, number, name_size, bytes);
    if (send_message(handle->socket, question.kind, {bytes, size}, question.descriptor) != 0) {
        return -ECONNRESET;
    }
    const std::int64_t now = boottime_now();
    const std::int64_t deadline =
        timeout_ns < 0 || timeout_ns > kNoDeadline - now ? kNoDeadline : now + timeout_ns;
    Received received;
    int status = await_answer(handle, number, deadline, bytes, &received);
    if (status == -EPROTO) {
        shutdown(handle->socket, SHUT_RDWR);
    }
    if (status != 0) {
        return status;
    }
    const std::size_t rest = received.message.body - kAnswerNumberSize;
    if (received.message.status == 0 && answer != nullptr) {
        if (rest > answer->size_max) {
            return -EPROTO;
        }
        std::memcpy(answer->at, bytes + kAnswerNumberSize, rest);
        answer->size = rest;
    }
    return received.message.status;
}

}  // namespace

int send_message(int socket, Kind kind, ConstBytes body, int descriptor) {
    MessageBytes bytes = encode(kind, 0, body.size);
    // sendmsg only reads what these point to, but its types do not say so.
    iovec parts[2] = {{bytes.at, sizeof bytes.at},  // NOLINT(modernize-avoid-c-arrays)
                      {const_cast<void*>(body.at), body.size}};
    alignas(
        cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};  // NOLINT(modernize-avoid-c-arrays)
    msghdr header{};
    header.msg_iov = parts;
    header.msg_iovlen = 2;
    if (descriptor >= 0) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        cmsghdr* c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int receive_message(int socket,
                    std::int64_t deadline,
                    unsigned char* body,
                    std::size_t size_max,
                    Received* received) {
    if (const int failure = wait_for_input(socket, deadline); failure != 0) {
        return failure;
    }
    MessageBytes bytes;
    iovec parts[2] = {{bytes.at, sizeof bytes.at},  // NOLINT(modernize-avoid-c-arrays)
                      {body, size_max}};
    alignas(
        cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};  // NOLINT(modernize-avoid-c-arrays)
    msghdr header{};
    header.msg_iov = parts;
    header.msg_iovlen = 2;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (got <= 0) {
        return -ECONNRESET;
    }
    received->descriptor = descriptor_of(header);
    if ((header.msg_flags & MSG_TRUNC) != 0 ||
        !decode(bytes, static_cast<std::size_t>(got), received->message)) {
        if (received->descriptor >= 0) {
            close(received->descriptor);
            received->descriptor = -1;
        }
        return -EPROTO;
    }
    return 0;
}

int ask(css_t* handle, const Question& question, std::int64_t timeout_ns, AnswerBuffer* answer) {
    if (!is_alive(handle) || question.data.size > kDataSizeMax ||
        (question.data.at == nullptr && question.data.size > 0) ||
        (question.name != nullptr && std::strlen(question.name) > kNameSizeMax)) {
        return -EINVAL;
    }
    const Pages pages{kAnswerSizeMax > QuestionBody::kSizeMax ? kAnswerSizeMax
                                                              : QuestionBody::kSizeMax};
    if (pages.at() == nullptr) {
        return -ENOMEM;
    }
    pthread_mutex_lock(&handle->conversation);
    const int status = ask_locked(handle, question, timeout_ns, pages.at(), answer);
    pthread_mutex_unlock(&handle->conversation);
    return status;
}

}  // namespace css::client
