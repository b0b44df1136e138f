#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "cssd/base/result.h"
#include "cssd/core/io.h"
#include "voting/format/header.h"
#include "voting/format/slot_table.h"
#include "voting/io/io_slots.h"
#include "voting/io/mailbox.h"
#include "voting/io/open.h"
#include "voting/io/region.h"
#include "voting/io/ring.h"
#include "voting/io/slot_lock.h"

namespace css::voting {

struct SessionOptions {
    std::string path;
    std::string cluster_name;
    NodeNumber self;
    unsigned slots_max = kNodesMax;
    Duration late_after{};
    /// Late I/Os and the late ends of them; on the file's thread, never inside submit or reap.
    std::function<void(const IoEvent&)> on_late;
    /// The session ends with I/O in flight; its buffers were leaked. Only when stopping.
    std::function<void()> on_abandoned;
};

/// How one cycle went.
struct CycleReport {
    core::CycleOutcome outcome = core::CycleOutcome::kDone;
    bool own_as_written = false;
    bool kills_written = true;
    /// Of the header, if this cycle read it.
    std::optional<std::uint64_t> header_generation = std::nullopt;
    /// What stands before the slots is not what it was: see region().
    bool region_changed = false;
    /// The first failure of it, for people.
    std::optional<Error> failure;
    /// Close the file after this cycle: the device is gone, or the header is another.
    bool must_close = false;
};

/// One opening of a voting file, from open() to close(), with its ring and buffers. Everything that
/// can hang with the file is in here; one thread.
///
/// Invariants: at most one cycle at a time, so never two writes in flight to one sector. A buffer
/// is touched only while no I/O on it is in flight. The file is closed and the buffers are unmapped
/// only when nothing is in flight, or the buffers are leaked.
class Session {
public:
    /// Opens, takes the shared lock on the header, reads and checks the header. Waits as long as
    /// the file hangs, unless the mailbox says stop.
    static Result<std::unique_ptr<Session>> open(SessionOptions options, Mailbox& mailbox);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// As read last.
    [[nodiscard]] const HeaderRegion& region() const { return region_read_; }

    /// Tries to take the own slot (slot_lock.h).
    Result<LockOutcome> lock_own_slot();

    /// Sleeps until there is mail or the time is over; may return early.
    void sleep(std::optional<Duration> limit) { pump(limit); }

    /// Carries the order out, waiting for the file as long as it takes. When the mailbox says stop
    /// meanwhile, the report is worth nothing. `region` is what the order's header makes; it is
    /// written if the file's own is older.
    CycleReport run(core::CycleOrder order, const std::optional<HeaderRegion>& region);

    /// Writes these hints beside those that stand there.
    Status write_hints(const PathHints& hints);

    /// What the last successful cycle read.
    [[nodiscard]] std::span<const SlotView> views(unsigned slots) const;

private:
    Session(SessionOptions options, Mailbox& mailbox, OpenedFile file, Ring ring);

    Status map_region(std::size_t size);
    Status read_header();
    Status check_header() const;
    Status lock_header();

    void encode(core::CycleOrder& order);
    bool write(const core::CycleOrder& order);
    bool read(unsigned slots);
    [[nodiscard]] std::optional<HeaderRegion> read_region();
    bool write_region(const HeaderRegion& region, Extent part);
    bool renew_header(const HeaderRegion& region);
    void judge_header(CycleReport& report);
    CycleReport failed(core::CycleOutcome outcome);

    void queue(DiskOperation operation, Extent extent, std::span<std::byte> buffer);
    bool wait_until_quiet();
    void pump(std::optional<Duration> limit);
    void act_on(const IoEvent& event);

    [[nodiscard]] std::span<std::byte> read_area(Extent extent) const;
    [[nodiscard]] std::span<std::byte> own_area() const;
    [[nodiscard]] std::span<std::byte> kill_area(std::size_t index) const;
    [[nodiscard]] std::span<std::byte, kHeaderSize> header_area() const;
    [[nodiscard]] const Header& header() const { return region_read_.header; }

    const SessionOptions options_;
    Mailbox& mailbox_;
    // Destroyed from the last to the first: the ring before the buffers before the file.
    OpenedFile file_;
    std::optional<Region> region_;
    Ring ring_;
    IoSlots ios_;
    bool bell_armed_ = false;
    std::optional<Error> first_failure_;
    std::optional<Error> kill_failure_;  ///< The first of this cycle's kill blocks.

    HeaderRegion region_read_;
    std::optional<Layout> layout_;
    std::optional<SlotTable> table_;
    unsigned cycles_to_header_ = 0;  ///< Cycles until the header is read again.
    unsigned failures_in_a_row_ = 0;
};

}  // namespace css::voting
