#include "netbeat/io/dispatch.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cssd/base/check.h"

namespace css::netbeat {

namespace {

// Datagrams taken from one socket before the next one has its turn.
constexpr std::size_t kBatchSize = 16;
// Two bytes more than allowed: what is cut off by the buffer is still seen to be too long.
constexpr std::size_t kBufferSize = kUnfragmentedMax + 2;
constexpr std::uint64_t kStopKey = ~std::uint64_t{0};
constexpr int kErrorPauseMs = 10;

Instant now() {
    timespec time{};
    CSS_CHECK(::clock_gettime(CLOCK_BOOTTIME, &time) == 0);
    return Instant{std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec}};
}

Error failed(const std::string& what, int error) {
    return Error{ErrorCode::kSystem, error, what + ": " + std::generic_category().message(error)};
}

bool watch(int epoll, int fd, std::uint64_t key) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = key;
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

/// Where recvmmsg puts what it takes; made once.
struct Dispatch::Batch {
    std::array<std::array<std::byte, kBufferSize>, kBatchSize> buffers{};
    std::array<SocketAddress, kBatchSize> from{};
    std::array<iovec, kBatchSize> parts{};
    std::array<mmsghdr, kBatchSize> messages{};

    /// The kernel overwrites sizes and flags, so before each call.
    void prepare() {
        for (std::size_t k = 0; k < kBatchSize; ++k) {
            parts[k] = iovec{buffers[k].data(), buffers[k].size()};
            messages[k] = mmsghdr{};
            messages[k].msg_hdr.msg_name = &from[k];
            messages[k].msg_hdr.msg_namelen = sizeof(from[k]);
            messages[k].msg_hdr.msg_iov = &parts[k];
            messages[k].msg_hdr.msg_iovlen = 1;
        }
    }
};

Dispatch::Dispatch(Interconnect& interconnect, const Sealer& sealer, DispatchCallbacks callbacks)
    : interconnect_(interconnect),
      sealer_(sealer),
      callbacks_(std::move(callbacks)),
      batch_(std::make_unique<Batch>()) {
    CSS_CHECK(callbacks_.on_heartbeat);
}

Dispatch::~Dispatch() {
    stop();
    for (const int fd : {epoll_, stop_event_}) {
        if (fd >= 0) {
            ::close(fd);
        }
    }
}

Status Dispatch::start() {
    CSS_CHECK(epoll_ < 0);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    stop_event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_ < 0 || stop_event_ < 0) {
        return failed("cannot make the events of the dispatch thread", errno);
    }
    bool watched = watch(epoll_, stop_event_, kStopKey);
    for (std::size_t i = 0; watched && i < interconnect_.count(); ++i) {
        watched = watch(epoll_, interconnect_.socket(i), i);
    }
    if (!watched) {
        return failed("cannot watch the sockets of the interconnects", errno);
    }
    return thread_.start("dispatch", [this] { run(); });
}

void Dispatch::stop() {
    if (stop_event_ >= 0) {
        const std::uint64_t one = 1;
        CSS_CHECK(::write(stop_event_, &one, sizeof(one)) == sizeof(one));
    }
    thread_.join();
}

void Dispatch::run() {
    std::array<epoll_event, kInterconnectsMax + 1> ready{};
    while (true) {
        const int count = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), -1);
        CSS_CHECK(count >= 0 || errno == EINTR);
        for (int k = 0; k < count; ++k) {
            const std::uint64_t key = ready.at(static_cast<std::size_t>(k)).data.u64;
            if (key == kStopKey) {
                return;
            }
            drain(key);
        }
    }
}

// One batch only: what is left makes epoll return at once, after the other sockets' turn and a look
// at the stop event.
void Dispatch::drain(std::size_t i) {
    batch_->prepare();
    const int count = ::recvmmsg(
        interconnect_.socket(i), batch_->messages.data(), kBatchSize, MSG_DONTWAIT, nullptr);
    if (count < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            ++receive_errors_;
            pause_after_error();
        }
        return;
    }
    for (std::size_t k = 0; k < static_cast<std::size_t>(count); ++k) {
        const auto from = from_socket_address(batch_->from[k]);
        const std::size_t size = std::min<std::size_t>(batch_->messages[k].msg_len, kBufferSize);
        take(i, std::span{batch_->buffers[k]}.first(size), from.value_or(Address{}));
    }
}

void Dispatch::take(std::size_t i, std::span<const std::byte> datagram, const Address& from) {
    NodeNumber sender = interconnect_.node_at(i, from);
    const bool is_message = callbacks_.on_message && kind_of(datagram) == DatagramKind::kMessage;
    const bool by_guardian = !sender.is_some() && !is_message;
    if (const NodeNumber named = sender_named(datagram);
        by_guardian && named.is_some() && interconnect_.is_host_of(named, i, from)) {
        sender = named;
    }
    DatagramVerdict verdict = DatagramVerdict::kUnknownAddress;
    if (sender.is_some()) {
        verdict = is_message ? sealer_.open_message(datagram, sender, message_)
                             : sealer_.open(datagram, sender, heartbeat_);
    }
    if (by_guardian && verdict == DatagramVerdict::kAccepted &&
        heartbeat_.state != NodeState::kFenced && heartbeat_.state != NodeState::kResetting) {
        verdict = DatagramVerdict::kUnknownAddress;
    }
    ++counts_.at(static_cast<std::size_t>(verdict));
    if (verdict != DatagramVerdict::kAccepted) {
        if (const auto since = refusals_.add(verdict, now()); since && callbacks_.on_refused) {
            callbacks_.on_refused(verdict, from, *since);
        }
    } else if (is_message) {
        callbacks_.on_message(sender, std::span{message_}.first(datagram.size() - kSealOverhead));
    } else {
        callbacks_.on_heartbeat(heartbeat_);
    }
}

// An error that does not go away must not become a busy loop.
void Dispatch::pause_after_error() {
    pollfd stop{stop_event_, POLLIN, 0};
    ::poll(&stop, 1, kErrorPauseMs);
}

std::uint64_t Dispatch::count(DatagramVerdict verdict) const {
    return counts_.at(static_cast<std::size_t>(verdict));
}

}  // namespace css::netbeat
