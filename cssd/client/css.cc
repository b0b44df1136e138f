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

#include "cssd/client/lease_page.h"
#include "cssd/client/message.h"

namespace {

using css::client::Kind;
using css::client::LeasePage;
using css::client::LeaseView;
using css::client::MessageBytes;

constexpr std::uint32_t kAlive = 0x43535331;
constexpr int kPatienceMs = 5000;
constexpr std::int64_t kSecond = 1'000'000'000;

}  // namespace

/// Lives in memory that fork() wipes (MADV_WIPEONFORK), so that in the child `alive` and
/// `registered` are zero without asking anybody: the child is not registered.
struct css_handle {
    std::uint32_t alive;
    std::atomic<std::uint32_t> registered;
    int socket;
    const LeasePage* page;
    pthread_mutex_t conversation;  ///< One request and its answer at a time.
};

namespace {

bool is_alive(const css_t* handle) {
    return handle != nullptr && handle->alive == kAlive;
}

int send_message(int socket, Kind kind, int descriptor) {
    MessageBytes bytes = css::client::encode(kind, 0);
    iovec part{bytes.at, sizeof bytes.at};
    alignas(
        cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};  // NOLINT(modernize-avoid-c-arrays)
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
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

/// The status in the answer, or what went wrong. The descriptor that came along goes to
/// *descriptor, when asked for.
int receive_answer(int socket, Kind kind, int* descriptor) {
    pollfd wait{socket, POLLIN, 0};
    int ready = 0;
    do {
        ready = poll(&wait, 1, kPatienceMs);
    } while (ready < 0 && errno == EINTR);
    if (ready != 1) {
        return ready == 0 ? -ETIMEDOUT : -errno;
    }
    MessageBytes bytes;
    iovec part{bytes.at, sizeof bytes.at};
    alignas(
        cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};  // NOLINT(modernize-avoid-c-arrays)
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (got <= 0) {
        return -ECONNRESET;
    }
    int received = -1;
    const cmsghdr* c = CMSG_FIRSTHDR(&header);
    if (c != nullptr && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        std::memcpy(&received, CMSG_DATA(c), sizeof received);
    }
    if (descriptor != nullptr) {
        *descriptor = received;
    } else if (received >= 0) {
        close(received);
    }
    css::client::Message message;
    if (!css::client::decode(bytes, static_cast<std::size_t>(got), message) ||
        message.kind != kind) {
        return -EPROTO;
    }
    return message.status;
}

/// After a time-out or a wrong answer the next answer could belong to this request: the connection
/// is of no more use.
int converse(css_t* handle, Kind request, int descriptor, Kind answer) {
    int status = send_message(handle->socket, request, descriptor);
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
    int status = send_message(socket, Kind::kHello, -1);
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
    handle->alive = kAlive;
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
