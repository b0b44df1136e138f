#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <liburing.h>

#include "cssd/base/time.h"
#include "voting/format/layout.h"
#include "voting/io/ring.h"

namespace css::voting {

enum class DiskOperation : std::uint8_t {
    kReadHeader,
    kWriteHeader,
    kWriteOwn,
    kWriteKill,
    kReadSlots
};

/// One request to the file, with its deadline.
struct IoRequest {
    DiskOperation operation = DiskOperation::kReadHeader;
    Extent extent;                ///< Where in the file.
    std::span<std::byte> buffer;  ///< In the ring's registered region; as long as the extent.
    Instant begun;                ///< For people; taken before it is submitted.
};

/// What a completion meant.
struct IoEvent {
    enum class Kind : std::uint8_t {
        kLate,   ///< The deadline passed; the I/O is still in flight. Once per I/O.
        kEnded,  ///< The I/O ended; its buffer is ours again.
    };
    Kind kind = Kind::kEnded;
    DiskOperation operation = DiskOperation::kReadHeader;
    Instant begun;
    bool was_late = false;
    int error = 0;  ///< kEnded: zero, an errno, or kShortTransfer.
};
/// The device transferred less than it was asked to: an error, never half a success.
inline constexpr int kShortTransfer = -1;

/// The I/Os in flight on one ring: a fixed number of slots, used by the ring's thread.
///
/// Slot states: free -> in flight (-> late) -> free. Two completions end each I/O, its own and that
/// of the timer linked to it, in either order; only then is the slot free again.
///
/// The timer is nothing but a wake-up. A request that the device already has cannot be stopped: at
/// the deadline the timer answers -ENOENT (or -EALREADY, -ETIME) and the request goes on, with its
/// buffer. Only the own completion of the I/O gives the buffer back.
class IoSlots {
public:
    static constexpr unsigned kSlots = 8;
    /// Entries that the ring needs: two for each slot and the wake-up's.
    static constexpr unsigned kRingEntries = 2 * kSlots + 1;

    /// `late_after`: deadline of each I/O. `sector_size`: the unit of offset, length and address.
    IoSlots(Duration late_after, std::size_t sector_size);

    [[nodiscard]] bool has_free() const { return in_use_ < kSlots; }
    /// Something is still in flight: the region must not be unmapped, the file not be closed.
    [[nodiscard]] bool busy() const { return in_use_ > 0; }

    /// Queues the request with its timer; has_free() and two free entries in the ring.
    void queue(Ring& ring, const IoRequest& request);

    /// Takes in one completion; `user_data` is one that queue() made.
    std::optional<IoEvent> complete(const Completion& completion);

private:
    struct Slot {
        bool in_use = false;
        bool io_ended = false;
        bool timer_ended = false;
        bool late = false;
        IoRequest request;
        /// The kernel reads it when the entry is submitted.
        __kernel_timespec limit{};
    };

    IoEvent end_io(Slot& slot, int result);
    std::optional<IoEvent> end_timer(Slot& slot, int result);

    std::array<Slot, kSlots> slots_{};
    unsigned in_use_ = 0;
    __kernel_timespec limit_{};
    std::size_t sector_size_;
};

}  // namespace css::voting
