#include "voting/io/io_slots.h"

#include <algorithm>
#include <cerrno>

namespace css::voting {
namespace {

constexpr int kFixedFile = 0;
constexpr int kFixedBuffer = 0;

enum class Part : std::uint64_t { kIo = 0, kTimer = 1 };

/// A slot index and a bit, never a pointer: a stray completion cannot become a stray access.
std::uint64_t user_data(std::size_t index, Part part) {
    return index * 2 + static_cast<std::uint64_t>(part);
}

bool is_write(DiskOperation operation) {
    switch (operation) {
        case DiskOperation::kReadHeader:
        case DiskOperation::kReadSlots: return false;
        case DiskOperation::kWriteHeader:
        case DiskOperation::kWriteOwn:
        case DiskOperation::kWriteKill: return true;
    }
    CSS_CHECK(false);
}

}  // namespace

IoSlots::IoSlots(Duration late_after, std::size_t sector_size) : sector_size_(sector_size) {
    CSS_CHECK(late_after > Duration::zero());
    limit_.tv_sec = std::chrono::floor<std::chrono::seconds>(late_after).count();
    limit_.tv_nsec = (late_after % std::chrono::seconds{1}).count();
}

void IoSlots::queue(Ring& ring, const IoRequest& request) {
    CSS_CHECK(has_free());
    CSS_CHECK(ring.space_left() >= 2);
    CSS_CHECK(request.buffer.size() == request.extent.size);
    CSS_CHECK(request.extent.size % sector_size_ == 0);
    CSS_CHECK(request.extent.offset % sector_size_ == 0);
    CSS_CHECK(std::bit_cast<std::uintptr_t>(request.buffer.data()) % sector_size_ == 0);

    Slot& slot = *std::ranges::find(slots_, false, &Slot::in_use);
    slot = Slot{.in_use = true, .request = request, .limit = limit_};
    ++in_use_;
    const auto index = static_cast<std::size_t>(&slot - slots_.data());

    io_uring_sqe* io = ring.next_entry();
    const auto length = static_cast<unsigned>(request.buffer.size());
    if (is_write(request.operation)) {
        io_uring_prep_write_fixed(
            io, kFixedFile, request.buffer.data(), length, request.extent.offset, kFixedBuffer);
    } else {
        io_uring_prep_read_fixed(
            io, kFixedFile, request.buffer.data(), length, request.extent.offset, kFixedBuffer);
    }
    io->flags |= IOSQE_FIXED_FILE | IOSQE_IO_LINK;
    io_uring_sqe_set_data64(io, user_data(index, Part::kIo));

    io_uring_sqe* timer = ring.next_entry();
    io_uring_prep_link_timeout(timer, &slot.limit, IORING_TIMEOUT_BOOTTIME);
    io_uring_sqe_set_data64(timer, user_data(index, Part::kTimer));
}

std::optional<IoEvent> IoSlots::complete(const Completion& completion) {
    CSS_CHECK(completion.user_data < 2 * kSlots);
    Slot& slot = slots_[completion.user_data / 2];
    CSS_CHECK(slot.in_use);
    const bool io = completion.user_data % 2 == static_cast<std::uint64_t>(Part::kIo);
    const std::optional<IoEvent> event =
        io ? end_io(slot, completion.result) : end_timer(slot, completion.result);
    if (slot.io_ended && slot.timer_ended) {
        slot.in_use = false;
        --in_use_;
    }
    return event;
}

IoEvent IoSlots::end_io(Slot& slot, int result) {
    CSS_CHECK(!slot.io_ended);
    slot.io_ended = true;
    int error = 0;
    if (result < 0) {
        error = -result;
    } else if (static_cast<std::size_t>(result) != slot.request.extent.size) {
        error = kShortTransfer;
    }
    return IoEvent{.kind = IoEvent::Kind::kEnded,
                   .operation = slot.request.operation,
                   .begun = slot.request.begun,
                   .was_late = slot.late,
                   .error = error};
}

std::optional<IoEvent> IoSlots::end_timer(Slot& slot, int result) {
    CSS_CHECK(!slot.timer_ended);
    slot.timer_ended = true;
    // -ECANCELED: the I/O won. Anything else: the deadline passed, unless both happened at once.
    if (result == -ECANCELED || slot.io_ended) {
        return std::nullopt;
    }
    slot.late = true;
    return IoEvent{.kind = IoEvent::Kind::kLate,
                   .operation = slot.request.operation,
                   .begun = slot.request.begun,
                   .was_late = true,
                   .error = 0};
}

}  // namespace css::voting
