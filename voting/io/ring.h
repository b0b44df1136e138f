#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <liburing.h>

#include "cssd/base/result.h"
#include "cssd/base/time.h"

namespace css::voting {

/// A finished request: `user_data` as submitted, `result` as from the kernel.
struct Completion {
    std::uint64_t user_data = 0;
    int result = 0;
};

/// One io_uring for one file. Made and used by one thread alone (SINGLE_ISSUER). It does not know
/// whose buffers are in flight: that is the affair of IoSlots (io_slots.h).
class Ring {
public:
    /// Set-up flags best first, stepping down where the kernel is older. EPERM and ENOSYS become an
    /// error that says which sysctl and which seccomp profile to look at; a kernel without the
    /// features needed is named as such.
    static Result<Ring> create(unsigned entries);

    Ring(Ring&& other) noexcept;
    Ring& operator=(Ring&&) = delete;
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    /// Returns at once, also with requests in flight; the kernel carries on with them.
    ~Ring();

    /// The file becomes fixed file 0, the region fixed buffer 0 (in place of an earlier one, on
    /// which nothing may be in flight).
    Status register_file(int fd);
    Status register_region(std::span<std::byte> region);
    /// Lets the ring's own reference to the file go, so that closing it is the end of its locks.
    /// Nothing may be in flight on it.
    void unregister_file();

    /// Entries that can still be queued before the next submission. A chain is one unit: check
    /// this first, else its first half would be linked to whatever comes next.
    [[nodiscard]] unsigned space_left() const { return io_uring_sq_space_left(&ring_); }
    /// The next entry to fill in; space_left() was checked.
    [[nodiscard]] io_uring_sqe* next_entry();

    /// Submits what is queued, waits for a completion (at most `wait`; nothing: without limit) and
    /// reaps what there is into `out`, no more than fits. Zero when the time is over, or when the
    /// kernel asked to be called again.
    std::size_t submit_and_reap(std::optional<Duration> wait, std::span<Completion> out);

    [[nodiscard]] unsigned setup_flags() const { return ring_.flags; }

private:
    Ring() = default;
    io_uring ring_{};
    bool live_ = false;
    bool region_registered_ = false;
};

}  // namespace css::voting
