#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "cssd/base/result.h"
#include "cssd/base/time.h"

namespace css::voting {

/// Finished part of a request: `user_data` as submitted, `result` as from the kernel.
struct Completion {
    std::uint64_t user_data = 0;
    int result = 0;
};

/// One io_uring for one file. Made and used by one thread (SINGLE_ISSUER). It knows nothing about
/// buffers: whose they are is the IoSlots' affair (io_slots.h).
class Ring {
public:
    /// Flags best first, stepping down where the kernel is older. EPERM and ENOSYS become an error
    /// that says which sysctl and which seccomp profile to look at.
    static Result<Ring> create(unsigned entries);

    Ring(Ring&& other) noexcept;
    Ring& operator=(Ring&&) = delete;
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    /// Returns at once, also with requests in flight; the kernel goes on with them.
    ~Ring();

    /// Registers the file as fixed file 0 and the region as fixed buffer 0.
    Status register_file(int fd);
    Status register_region(std::span<std::byte> region);

    /// Entries that can still be queued before the next submission.
    [[nodiscard]] unsigned space_left() const { return io_uring_sq_space_left(&ring_); }
    /// The next entry to fill in. The caller has checked space_left().
    io_uring_sqe* next_entry();

    /// Submits what is queued and waits for a completion, at most for `wait` (kForever-like when
    /// negative). Then reaps all there are into `out`; returns how many. EINTR counts as none.
    Result<std::size_t> submit_and_reap(Duration wait, std::span<Completion> out);

    [[nodiscard]] unsigned setup_flags() const { return ring_.flags; }

private:
    Ring() = default;
    io_uring ring_{};
    bool live_ = false;
};

}  // namespace css::voting
