#include "voting/io/ring.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <sys/uio.h>

#include "voting/io/system_error.h"

namespace css::voting {
namespace {

/// Best first. Linux 6.1; 5.19; any.
constexpr std::array<unsigned, 3> kTiers = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
    IORING_SETUP_COOP_TASKRUN,
    0,
};
constexpr unsigned kAlways = IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL;

/// EXT_ARG: waiting with a time-out and no entry for it (5.11). NODROP: completions are never lost
/// (5.5). SUBMIT_STABLE: entries may be reused after submission (5.5).
constexpr unsigned kFeatures = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE;

constexpr std::array kOperations = {IORING_OP_READ,
                                    IORING_OP_WRITE,
                                    IORING_OP_READ_FIXED,
                                    IORING_OP_WRITE_FIXED,
                                    IORING_OP_LINK_TIMEOUT,
                                    IORING_OP_POLL_ADD};

/// The kernel had no room for the request just now; asked again after this pause.
constexpr long kPauseNs = 10'000'000;

Error refused(int number) {
    if (number == EPERM || number == ENOSYS) {
        return Error{ErrorCode::kNotPermitted,
                     number,
                     "io_uring is refused on this host: " + errno_text(number) +
                         "; look at sysctl kernel.io_uring_disabled (must be 0, or 1 with "
                         "CAP_SYS_ADMIN) and at the seccomp profile of this service or container "
                         "(it must allow io_uring_setup, io_uring_enter and io_uring_register)"};
    }
    if (number == ENOMEM) {
        return system_error(
            "cannot set up an io_uring; look at the limit of locked memory "
            "(ulimit -l, LimitMEMLOCK)",
            number);
    }
    return system_error("cannot set up an io_uring", number);
}

Status check_features(io_uring& ring) {
    if ((ring.features & kFeatures) != kFeatures) {
        return Error{ErrorCode::kSystem,
                     0,
                     "the io_uring of this kernel lacks features that are needed; Linux 5.11 or "
                     "later is required"};
    }
    io_uring_probe* probe = io_uring_get_probe_ring(&ring);
    const bool all = probe != nullptr && std::ranges::all_of(kOperations, [&](int operation) {
                         return io_uring_opcode_supported(probe, operation) != 0;
                     });
    io_uring_free_probe(probe);
    if (!all) {
        return Error{ErrorCode::kSystem,
                     0,
                     "the io_uring of this kernel lacks operations that are needed; Linux 5.11 or "
                     "later is required"};
    }
    return Done{};
}

/// Sorts the answers of io_uring_enter: retry or impossible. What is wrong with one request comes
/// in its completion, never here.
void check_enter(int result) {
    if (result >= 0 || result == -ETIME || result == -EINTR) {
        return;
    }
    CSS_CHECK(result == -EAGAIN || result == -EBUSY || result == -ENOMEM);
    const timespec pause{0, kPauseNs};
    (void)::nanosleep(&pause, nullptr);
}

}  // namespace

Result<Ring> Ring::create(unsigned entries) {
    Ring made;
    int result = -EINVAL;
    for (const unsigned tier : kTiers) {
        // SUBMIT_ALL came with 5.18: the last tier is also tried without it.
        for (const unsigned common : {kAlways, unsigned{IORING_SETUP_CLAMP}}) {
            result = io_uring_queue_init(entries, &made.ring_, tier | common);
            if (result != -EINVAL) {
                break;
            }
        }
        if (result != -EINVAL) {
            break;
        }
    }
    if (result < 0) {
        return refused(-result);
    }
    made.live_ = true;
    if (Status checked = check_features(made.ring_); !checked) {
        return checked.error();
    }
    // A failure only means that a child process would see the ring, which it never touches.
    (void)io_uring_ring_dontfork(&made.ring_);
    return made;
}

Ring::Ring(Ring&& other) noexcept
    : ring_(other.ring_),
      live_(std::exchange(other.live_, false)),
      region_registered_(other.region_registered_) {}

Ring::~Ring() {
    if (live_) {
        io_uring_queue_exit(&ring_);
    }
}

Status Ring::register_file(int fd) {
    if (const int result = io_uring_register_files(&ring_, &fd, 1); result < 0) {
        return system_error("cannot register the voting file with io_uring", -result);
    }
    return Done{};
}

Status Ring::register_region(std::span<std::byte> region) {
    if (std::exchange(region_registered_, false)) {
        CSS_CHECK(io_uring_unregister_buffers(&ring_) == 0);
    }
    const iovec whole{region.data(), region.size()};
    if (const int result = io_uring_register_buffers(&ring_, &whole, 1); result < 0) {
        return system_error("cannot register " + std::to_string(region.size()) +
                                " bytes of buffers with io_uring; look at the limit of locked "
                                "memory (ulimit -l, LimitMEMLOCK)",
                            -result);
    }
    region_registered_ = true;
    return Done{};
}

void Ring::unregister_file() {
    CSS_CHECK(io_uring_unregister_files(&ring_) == 0);
}

io_uring_sqe* Ring::next_entry() {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    CSS_CHECK(entry != nullptr);
    return entry;
}

std::size_t Ring::submit_and_reap(std::optional<Duration> wait, std::span<Completion> out) {
    __kernel_timespec limit{};
    if (wait) {
        const Duration bounded = std::max(*wait, Duration::zero());
        limit.tv_sec = std::chrono::floor<std::chrono::seconds>(bounded).count();
        limit.tv_nsec = (bounded % std::chrono::seconds{1}).count();
    }
    io_uring_cqe* first = nullptr;
    check_enter(
        io_uring_submit_and_wait_timeout(&ring_, &first, 1, wait ? &limit : nullptr, nullptr));
    std::size_t count = 0;
    while (count < out.size() && io_uring_peek_cqe(&ring_, &first) == 0) {
        out[count++] = Completion{first->user_data, first->res};
        io_uring_cqe_seen(&ring_, first);
    }
    return count;
}

}  // namespace css::voting
