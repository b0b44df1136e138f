/// libcss: events. They come on a pair of sockets of their own, so that whoever waits for one never
/// stands in the way of a conversation.

#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <unistd.h>

#include "cssd/client/css.h"
#include "cssd/client/handle.h"

namespace {

using css::client::EventBody;
using css::client::get;
using css::client::Kind;

void decode_event(const unsigned char* at, std::size_t size, css_event_t* to) {
    std::memset(to, 0, offsetof(css_event_t, data));
    to->type = get<std::uint32_t>(at);
    to->reason = get<std::uint32_t>(at + EventBody::kReason);
    to->node = get<std::uint32_t>(at + EventBody::kNode);
    to->pid = get<std::uint32_t>(at + EventBody::kPid);
    to->incarnation = get<std::uint64_t>(at + EventBody::kIncarnation);
    to->serial = get<std::uint64_t>(at + EventBody::kSerial);
    to->member = get<std::uint64_t>(at + EventBody::kMember);
    to->missed = get<std::uint64_t>(at + EventBody::kMissed);
    std::memcpy(to->group, at + EventBody::kName, CSS_NAME_MAX + 1);
    to->group[CSS_NAME_MAX] = '\0';
    to->size = size - EventBody::kSize;
    std::memcpy(to->data, at + EventBody::kSize, to->size);
}

/// A descriptor, or a negative errno.
int subscribe(css_t* handle) {
    int pair[2] = {-1, -1};  // NOLINT(modernize-avoid-c-arrays)
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return -errno;
    }
    css::client::Question question{Kind::kEvents};
    question.descriptor = pair[1];
    const int status = css::client::ask(handle, question, css::client::kPatience, nullptr);
    close(pair[1]);
    if (status != 0) {
        close(pair[0]);
        return status;
    }
    return pair[0];
}

}  // namespace

extern "C" int css_event_fd(css_t* handle) {
    if (!css::client::is_alive(handle)) {
        return -EINVAL;
    }
    pthread_mutex_lock(&handle->subscription);
    int descriptor = handle->events.load(std::memory_order_relaxed) - 1;
    if (descriptor < 0) {
        descriptor = subscribe(handle);
        if (descriptor >= 0) {
            handle->events.store(descriptor + 1, std::memory_order_release);
        }
    }
    pthread_mutex_unlock(&handle->subscription);
    return descriptor;
}

extern "C" int css_next_event(css_t* handle, css_event_t* event) {
    if (!css::client::is_alive(handle) || event == nullptr ||
        handle->events.load(std::memory_order_acquire) == 0) {
        return -EINVAL;
    }
    unsigned char bytes[EventBody::kSizeMax];  // NOLINT(modernize-avoid-c-arrays)
    for (;;) {
        css::client::Received received;
        const int status = css::client::receive_message(
            handle->events.load(std::memory_order_acquire) - 1, 0, bytes, sizeof bytes, &received);
        if (status != 0) {
            return status == -ETIMEDOUT ? -EAGAIN : status;
        }
        if (received.descriptor >= 0) {
            close(received.descriptor);
        }
        if (received.message.kind == Kind::kEvent && received.message.body >= EventBody::kSize) {
            decode_event(bytes, received.message.body, event);
            return 0;
        }
    }
}
