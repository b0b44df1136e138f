/// libcss. Speaks C outside and uses nothing of the C++ library inside, so that a C program gets no
/// second run-time library with it.

#include "cssd/client/css.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "cssd/client/handle.h"

namespace {

using css::client::is_alive;
using css::client::Kind;
using css::client::LeasePage;
using css::client::LeaseView;
using css::client::Received;

constexpr std::int64_t kSecond = 1'000'000'000;

/// The status in the answer, or what went wrong. The descriptor that came along goes to
/// *descriptor, when asked for. Late answers to questions are dropped.
int receive_answer(int socket, Kind kind, int* descriptor) {
    const std::int64_t deadline = css::client::boottime_now() + css::client::kPatience;
    const css::client::Pages pages{css::client::kAnswerSizeMax};
    if (pages.at() == nullptr) {
        return -ENOMEM;
    }
    for (;;) {
        Received received;
        const int status = css::client::receive_message(
            socket, deadline, pages.at(), css::client::kAnswerSizeMax, &received);
        if (status != 0) {
            return status;
        }
        if (descriptor != nullptr) {
            *descriptor = received.descriptor;
        } else if (received.descriptor >= 0) {
            close(received.descriptor);
        }
        if (received.message.kind == kind && received.message.body == 0) {
            return received.message.status;
        }
        if (received.message.kind != Kind::kAnswer) {
            return -EPROTO;
        }
    }
}

/// After a time-out or a wrong answer the next answer could belong to this request: the connection
/// is of no more use.
int converse(css_t* handle, Kind request, int descriptor, Kind answer) {
    int status = css::client::send_message(handle->socket, request, {}, descriptor);
    if (status == 0) {
        status = receive_answer(handle->socket, answer, nullptr);
    } else {
        status = -ECONNRESET;
    }
    if (status == -ETIMEDOUT || status == -EPROTO || status == -ECONNRESET) {
        shutdown(handle->socket, SHUT_RDWR);
    }
    return status;
}

int open_socket(const char* run_dir) {
    if (run_dir == nullptr) {
        run_dir = std::getenv("CSS_RUN_DIR");
    }
    if (run_dir == nullptr) {
        run_dir = "/run/cssd";
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const int length =
        std::snprintf(address.sun_path, sizeof address.sun_path, "%s/client.sock", run_dir);
    if (length < 0 || static_cast<std::size_t>(length) >= sizeof address.sun_path) {
        return -ENAMETOOLONG;
    }
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int failure = -errno;
        close(fd);
        return failure;
    }
    return fd;
}

/// A page that says no to everything if it is not what we know.
int map_page(int descriptor, const LeasePage** page) {
    void* memory = mmap(nullptr, css::client::kLeasePageSize, PROT_READ, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    const auto* mapped = static_cast<const LeasePage*>(memory);
    if (mapped->magic.load(std::memory_order_acquire) != css::client::kLeasePageMagic ||
        mapped->version.load(std::memory_order_relaxed) != css::client::kLeasePageVersion) {
        munmap(memory, css::client::kLeasePageSize);
        return -EPROTO;
    }
    madvise(memory, css::client::kLeasePageSize, MADV_DONTFORK);
    *page = mapped;
    return 0;
}

int meet(int socket, const LeasePage** page) {
    int descriptor = -1;
    int status = css::client::send_message(socket, Kind::kHello, {}, -1);
    if (status == 0) {
        status = receive_answer(socket, Kind::kWelcome, &descriptor);
    }
    if (status == 0) {
        status = descriptor < 0 ? -EPROTO : map_page(descriptor, page);
    }
    if (descriptor >= 0) {
        close(descriptor);  // The mapping stays.
    }
    return status == -EPIPE ? -ECONNRESET : status;
}

/// Registered, active and the end not passed; else the empty view.
LeaseView lease_in_force(const css_t* handle, std::int64_t* left) {
    if (!is_alive(handle) || handle->registered.load(std::memory_order_acquire) != 1) {
        return {};
    }
    const LeaseView view = css::client::read_lease(*handle->page);
    const std::int64_t rest = view.end - css::client::boottime_now();
    if (!view.may_act || rest <= 0) {
        return {};
    }
    if (left != nullptr) {
        *left = rest;
    }
    return view;
}

bool is_gone(const css_t* handle) {
    pollfd look{handle->socket, POLLRDHUP, 0};
    return handle->page->revoked.load(std::memory_order_acquire) != 0 ||
           (poll(&look, 1, 0) == 1 && (look.revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0);
}

}  // namespace

extern "C" int css_connect(const char* run_dir, css_t** out) {
    if (out == nullptr) {
        return -EINVAL;
    }
    *out = nullptr;
    const int socket = open_socket(run_dir);
    if (socket < 0) {
        return socket;
    }
    const LeasePage* page = nullptr;
    const int status = meet(socket, &page);
    if (status != 0) {
        close(socket);
        return status;
    }
    void* memory =
        mmap(nullptr, sizeof(css_t), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || madvise(memory, sizeof(css_t), MADV_WIPEONFORK) != 0) {
        close(socket);
        return -ENOMEM;
    }
    auto* handle = static_cast<css_t*>(memory);  // Zero from the kernel.
    handle->socket = socket;
    handle->page = page;
    pthread_mutex_init(&handle->conversation, nullptr);
    pthread_mutex_init(&handle->subscription, nullptr);
    handle->alive = css::client::kAlive;
    *out = handle;
    return 0;
}

extern "C" void css_disconnect(css_t* handle) {
    if (handle == nullptr) {
        return;
    }
    if (is_alive(handle)) {  // Else this is the wiped copy in a child: the parent owns the rest.
        close(handle->socket);
        munmap(const_cast<void*>(static_cast<const void*>(handle->page)),
               css::client::kLeasePageSize);
        if (const int events = handle->events.load(std::memory_order_acquire); events != 0) {
            close(events - 1);
        }
        pthread_mutex_destroy(&handle->subscription);
        pthread_mutex_destroy(&handle->conversation);
    }
    munmap(handle, sizeof(css_t));
}

namespace {

int register_by(css_t* handle, Kind request, int descriptor) {
    pthread_mutex_lock(&handle->conversation);
    int status = -EALREADY;
    if (handle->registered.load(std::memory_order_relaxed) == 0) {
        status = converse(handle, request, descriptor, Kind::kRegistered);
        handle->registered.store(status == 0 ? 1 : 0, std::memory_order_release);
    }
    pthread_mutex_unlock(&handle->conversation);
    return status;
}

}  // namespace

extern "C" int css_register_self(css_t* handle) {
    if (!is_alive(handle)) {
        return -EINVAL;
    }
    const int self = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
    if (self < 0) {
        return -errno;
    }
    const int status = register_by(handle, Kind::kRegister, self);
    close(self);
    return status;
}

extern "C" int css_register_cgroup(css_t* handle, int directory) {
    if (!is_alive(handle)) {
        return -EINVAL;
    }
    return directory < 0 ? -EBADF : register_by(handle, Kind::kRegisterCgroup, directory);
}

extern "C" int css_unregister_self(css_t* handle) {
    if (!is_alive(handle)) {
        return -EINVAL;
    }
    pthread_mutex_lock(&handle->conversation);
    int status = -EINVAL;
    if (handle->registered.exchange(0, std::memory_order_acq_rel) == 1) {
        status = converse(handle, Kind::kUnregister, -1, Kind::kUnregistered);
    }
    pthread_mutex_unlock(&handle->conversation);
    return status;
}

extern "C" int css_may_act(const css_t* handle, uint64_t* token) {
    const LeaseView view = lease_in_force(handle, nullptr);
    if (view.may_act && token != nullptr) {
        *token = view.token;
    }
    return view.may_act ? 1 : 0;
}

extern "C" int64_t css_lease_left(const css_t* handle) {
    std::int64_t left = 0;
    static_cast<void>(lease_in_force(handle, &left));
    return left;
}

extern "C" uint64_t css_token(const css_t* handle) {
    return lease_in_force(handle, nullptr).token;
}

/// Sleeps on the page's counter of changes, and looks once a second whether the daemon is there:
/// one that died together with both guardians changes no counter.
extern "C" int css_wait_active(css_t* handle, int64_t timeout_ns) {
    if (!is_alive(handle)) {
        return -EINVAL;
    }
    const std::int64_t begin = css::client::boottime_now();
    for (;;) {
        const std::uint32_t changes = handle->page->changes.load(std::memory_order_acquire);
        if (css_may_act(handle, nullptr) == 1) {
            return 0;
        }
        if (handle->registered.load(std::memory_order_acquire) == 0) {
            return -EPERM;
        }
        if (is_gone(handle)) {
            return -ECONNRESET;
        }
        std::int64_t rest = kSecond;
        if (timeout_ns >= 0) {
            const std::int64_t left = timeout_ns - (css::client::boottime_now() - begin);
            if (left <= 0) {
                return -ETIMEDOUT;
            }
            rest = left < rest ? left : rest;
        }
        const timespec wait{rest / kSecond, rest % kSecond};
        syscall(SYS_futex,
                static_cast<const void*>(&handle->page->changes),
                FUTEX_WAIT,
                changes,
                &wait,
                nullptr,
                0);
    }
}
