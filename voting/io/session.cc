#include "voting/io/session.h"

#include <array>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <time.h>

#include "voting/format/codec.h"
#include "voting/io/boot_clock.h"
#include "voting/io/system_error.h"

namespace css::voting {
namespace {

/// Beyond what IoSlots use.
constexpr std::uint64_t kBell = ~std::uint64_t{0};

/// Every so many cycles the read takes the header in as well.
constexpr unsigned kHeaderEvery = 3;

/// After so many failed cycles in a row the file is opened anew: a path may have come back as
/// another device.
constexpr unsigned kFailuresMax = 3;

/// Opening anew is the only thing that can help.
bool device_is_gone(int error) {
    return error == ENODEV || error == ENXIO || error == EBADF || error == ENOMEDIUM ||
           error == ENOTCONN || error == ECONNABORTED || error == ESTALE || error == ESHUTDOWN;
}

const char* name_of(DiskOperation operation) {
    switch (operation) {
        case DiskOperation::kReadHeader: return "reading the header of ";
        case DiskOperation::kWriteHeader: return "writing the header of ";
        case DiskOperation::kWriteOwn: return "writing the own slot of ";
        case DiskOperation::kWriteKill: return "writing a kill block of ";
        case DiskOperation::kReadSlots: return "reading the slots of ";
    }
    CSS_CHECK(false);
}

std::int64_t wall_clock_ns() {
    timespec t{};
    CSS_CHECK(::clock_gettime(CLOCK_REALTIME, &t) == 0);
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

std::size_t region_size(Layout layout, unsigned slots_max) {
    return layout.slots(slots_max).end() + 2 * layout.sector_size() +
           slots_max * layout.sector_size() + kHeaderSize;
}

}  // namespace

// ------------------------------------------------------------------------------------- opening

Session::Session(SessionOptions options, Mailbox& mailbox, OpenedFile file, Ring ring)
    : options_(std::move(options)),
      mailbox_(mailbox),
      file_(std::move(file)),
      ring_(std::move(ring)),
      ios_(options_.late_after, file_.sector_size) {}

Session::~Session() {
    if (ios_.busy()) {
        CSS_CHECK(mailbox_.stop_at().has_value());
        region_->leak();
        options_.on_abandoned();
    } else {
        ring_.unregister_file();
    }
}

Result<std::unique_ptr<Session>> Session::open(SessionOptions options, Mailbox& mailbox) {
    Result<OpenedFile> file = open_voting_file(options.path);
    if (!file) {
        return file.error();
    }
    Result<Ring> ring = Ring::create(IoSlots::kRingEntries);
    if (!ring) {
        return ring.error();
    }
    if (Status registered = ring->register_file(file->fd.get()); !registered) {
        return registered.error();
    }
    // The constructor is private: make_unique cannot call it.
    std::unique_ptr<Session> session{
        new Session(std::move(options), mailbox, std::move(file).value(), std::move(ring).value())};
    if (Status locked = session->lock_header(); !locked) {
        return locked.error();
    }
    if (Status read = session->read_header(); !read) {
        return read.error();
    }
    if (Status checked = session->check_header(); !checked) {
        return checked.error();
    }
    session->layout_.emplace(session->header().sector_size);
    session->table_.emplace(session->header().identity());
    const std::size_t size = region_size(*session->layout_, session->options_.slots_max);
    if (Status mapped = session->map_region(size); !mapped) {
        return mapped.error();
    }
    return session;
}

Status Session::lock_header() {
    const Result<LockOutcome> locked =
        lock_range(file_.fd.get(), ByteRange{0, kHeaderSize}, LockKind::kShared);
    if (!locked) {
        return Error{locked.error().code,
                     locked.error().system_errno,
                     "voting file " + options_.path + ": " + locked.error().message};
    }
    if (*locked == LockOutcome::kBusy) {
        return Error{ErrorCode::kConflict,
                     0,
                     "voting file " + options_.path +
                         " is being formatted or changed by another program on this host"};
    }
    return Done{};
}

Status Session::map_region(std::size_t size) {
    CSS_CHECK(!ios_.busy());
    Result<Region> region = Region::map(size);
    if (!region) {
        return region.error();
    }
    if (Status registered = ring_.register_region(region->bytes()); !registered) {
        return registered.error();
    }
    region_.emplace(std::move(region).value());
    return Done{};
}

Status Session::read_header() {
    // The sector size, and so the size of the buffers, is known only afterwards.
    if (Status mapped = map_region(kHeaderSize); !mapped) {
        return mapped.error();
    }
    const Extent extent{0, kHeaderSize};
    queue(DiskOperation::kReadHeader, extent, read_area(extent));
    if (!wait_until_quiet()) {
        return Error{ErrorCode::kSystem, ECANCELED, "stopped"};
    }
    if (first_failure_) {
        return *std::exchange(first_failure_, std::nullopt);
    }
    const SectorVerdict verdict =
        decode_region(read_area(extent).first<kHeaderSize>(), region_read_);
    if (verdict != SectorVerdict::kValid) {
        return Error{ErrorCode::kInvalid,
                     0,
                     "voting file " + options_.path + " has no valid header (" +
                         voting::name_of(verdict) + "); is it a voting file?"};
    }
    return Done{};
}

Status Session::check_header() const {
    if (header().cluster_name != options_.cluster_name) {
        return Error{ErrorCode::kConflict,
                     0,
                     "voting file " + options_.path + " belongs to cluster " +
                         header().cluster_name + ", not to " + options_.cluster_name};
    }
    if (header().slots_max < options_.self.value()) {
        return Error{ErrorCode::kConflict,
                     0,
                     "voting file " + options_.path + " was formatted for nodes 1 to " +
                         std::to_string(header().slots_max) + ", but this is node " +
                         std::to_string(options_.self.value())};
    }
    return check_opened(file_, header(), options_.path);
}

Result<LockOutcome> Session::lock_own_slot() {
    const Extent slot = layout_->slot(options_.self);
    return lock_range(file_.fd.get(), ByteRange{slot.offset, slot.size}, LockKind::kExclusive);
}

// --------------------------------------------------------------------------------------- cycle

std::span<std::byte> Session::read_area(Extent extent) const {
    return region_->bytes().subspan(extent.offset, extent.size);
}

std::span<std::byte> Session::own_area() const {
    return region_->bytes().subspan(layout_->slots(options_.slots_max).end(),
                                    2 * layout_->sector_size());
}

std::span<std::byte> Session::kill_area(std::size_t index) const {
    const std::size_t sector = layout_->sector_size();
    CSS_CHECK(index < options_.slots_max);
    return region_->bytes().subspan(layout_->slots(options_.slots_max).end() + (2 + index) * sector,
                                    sector);
}

std::span<std::byte, kHeaderSize> Session::header_area() const {
    return region_->bytes().last<kHeaderSize>();
}

std::span<const SlotView> Session::views(unsigned slots) const {
    return table_->views(slots);
}

CycleReport Session::run(core::CycleOrder order, const std::optional<HeaderRegion>& region) {
    CSS_CHECK(!ios_.busy());
    CSS_CHECK(order.slots >= 1);
    CSS_CHECK(order.slots <= options_.slots_max);
    first_failure_.reset();
    kill_failure_.reset();
    encode(order);
    if ((region && !renew_header(*region)) || !write(order)) {
        return failed(core::CycleOutcome::kWriteFailed);
    }
    if (!read(order.slots)) {
        return failed(core::CycleOutcome::kReadFailed);
    }
    failures_in_a_row_ = 0;
    CycleReport report;
    report.kills_written = !kill_failure_;
    report.failure = std::exchange(kill_failure_, std::nullopt);
    table_->update(read_area(layout_->slots(order.slots)), order.slots);
    report.own_as_written = order.own && table_->shows_exactly(options_.self, own_area());
    judge_header(report);
    return report;
}

void Session::encode(core::CycleOrder& order) {
    const SectorIdentity identity = header().identity();
    if (order.own) {
        order.own->heartbeat.wall_clock_ns = wall_clock_ns();
        const std::size_t sector = layout_->sector_size();
        encode_heartbeat(identity, options_.self, order.own->heartbeat, own_area().first(sector));
        encode_ballot(identity, options_.self, order.own->ballot, own_area().last(sector));
    }
    NodeSet killed;
    for (std::size_t i = 0; i < order.kills.size(); ++i) {
        const core::CycleOrder::Kill& kill = order.kills[i];
        CSS_CHECK(!killed.contains(kill.slot));  // Two writes in flight to one sector.
        killed.insert(kill.slot);
        encode_kill(identity, kill.slot, kill.block, kill_area(i));
    }
}

/// H and B are neighbours and go out in one request; the kill blocks, anywhere in the file, beside.
/// Of these some may fail.
bool Session::write(const core::CycleOrder& order) {
    if (order.own) {
        queue(DiskOperation::kWriteOwn, layout_->heartbeat_and_ballot(options_.self), own_area());
    }
    for (std::size_t i = 0; i < order.kills.size(); ++i) {
        while (!ios_.has_free() && !mailbox_.stop_at()) {
            pump(std::nullopt);
        }
        if (!ios_.has_free()) {
            break;
        }
        queue(DiskOperation::kWriteKill, layout_->kill(order.kills[i].slot), kill_area(i));
    }
    return wait_until_quiet() && !first_failure_;
}

/// One read of the slots, now and then of the header before them as well.
bool Session::read(unsigned slots) {
    Extent extent = layout_->slots(slots);
    if (cycles_to_header_ == 0) {
        extent = Extent{0, extent.end()};
    }
    queue(DiskOperation::kReadSlots, extent, read_area(extent));
    return wait_until_quiet() && !first_failure_;
}

/// What stands before the slots now; nothing: it cannot be read, or is not this file's any more.
std::optional<HeaderRegion> Session::read_region() {
    queue(DiskOperation::kReadHeader, layout_->header(), read_area(layout_->header()));
    HeaderRegion now;
    if (!wait_until_quiet() || first_failure_ ||
        decode_region(read_area(layout_->header()).first<kHeaderSize>(), now) !=
            SectorVerdict::kValid ||
        now.header.file != header().file || now.header.cluster != header().cluster) {
        return std::nullopt;
    }
    return now;
}

bool Session::write_region(const HeaderRegion& region, Extent part) {
    encode_region(region, header_area());
    queue(DiskOperation::kWriteHeader, part, header_area().subspan(part.offset, part.size));
    cycles_to_header_ = 0;  // The next read shows it.
    return wait_until_quiet() && !first_failure_;
}

/// The header is a sector that any member may write. Two that write it at once do no harm:
/// - It is one sector, written whole (PROTOCOL 3), so it is always one of the two.
/// - Its generation comes from a record, and so does what it says of the files: whoever writes
///   this generation writes the same bytes.
/// - It is read just before, and a newer one is left alone. One that was ordered long ago and lands
///   late can bring an older generation back; whoever reads that there orders the newer one again
///   while the file is in the set. Nobody needs the header to be safe: a majority of every former
///   set holds, in H, a record that asks for the next one.
bool Session::renew_header(const HeaderRegion& region) {
    const std::optional<HeaderRegion> now = read_region();
    if (first_failure_ || (!now && mailbox_.stop_at())) {
        return false;
    }
    if (!now || now->header.generation >= region.header.generation) {
        cycles_to_header_ = 0;
        return true;  // Judged by the read of this cycle.
    }
    HeaderRegion next = region;
    next.header.file = header().file;
    next.hints = merged(now->hints, region.hints);
    for (std::size_t i = 0; i < kFilesMax; ++i) {
        if (now->header.table.at(i).in_use && !next.header.table.at(i).in_use) {
            next.hints.at(i) = {};  // Out of the set: nobody has to find it.
        }
    }
    return write_region(next, layout_->header());
}

/// On sectors of 512 bytes the header itself is not written. On larger ones it is the same sector:
/// it goes back as it was read a moment ago.
Status Session::write_hints(const PathHints& hints) {
    CSS_CHECK(!ios_.busy());
    first_failure_.reset();
    std::optional<HeaderRegion> now = read_region();
    if (now) {
        now->hints = merged(now->hints, hints);
        const std::size_t begin = layout_->sector_size() == kSectorSizeSmall ? kSectorSizeSmall : 0;
        if (write_region(*now, Extent{begin, kHeaderSize - begin})) {
            return Done{};
        }
    }
    return first_failure_
               ? *std::exchange(first_failure_, std::nullopt)
               : Error{ErrorCode::kConflict,
                       0,
                       "the header of voting file " + options_.path + " is not valid any more"};
}

/// A file that was formatted anew meanwhile does not count any more.
void Session::judge_header(CycleReport& report) {
    if (cycles_to_header_ != 0) {
        --cycles_to_header_;
        return;
    }
    cycles_to_header_ = kHeaderEvery - 1;
    HeaderRegion now;
    const SectorVerdict verdict =
        decode_region(read_area(layout_->header()).first<kHeaderSize>(), now);
    if (verdict == SectorVerdict::kValid && now.header.file == header().file &&
        now.header.cluster == header().cluster) {
        report.header_generation = now.header.generation;
        report.region_changed = now != region_read_;
        region_read_ = now;
        return;
    }
    report.outcome = core::CycleOutcome::kReadFailed;
    report.own_as_written = false;
    report.must_close = true;
    report.failure = Error{
        ErrorCode::kConflict,
        0,
        "the header of voting file " + options_.path +
            (verdict != SectorVerdict::kValid ? " is not valid any more"
                                              : " was replaced: the file was formatted anew")};
}

CycleReport Session::failed(core::CycleOutcome outcome) {
    ++failures_in_a_row_;
    CycleReport report;
    report.outcome = outcome;
    report.failure = std::exchange(first_failure_, std::nullopt);
    report.must_close = failures_in_a_row_ >= kFailuresMax ||
                        (report.failure && device_is_gone(report.failure->system_errno));
    return report;
}

// ----------------------------------------------------------------------------------------- I/O

void Session::queue(DiskOperation operation, Extent extent, std::span<std::byte> buffer) {
    ios_.queue(
        ring_,
        IoRequest{.operation = operation, .extent = extent, .buffer = buffer, .begun = boot_now()});
}

/// False: the thread is to end and something is still in flight.
bool Session::wait_until_quiet() {
    while (ios_.busy()) {
        const std::optional<Instant> stop_at = mailbox_.stop_at();
        if (!stop_at) {
            pump(std::nullopt);
            continue;
        }
        const Duration left = *stop_at - boot_now();
        if (left <= Duration::zero()) {
            return false;
        }
        pump(left);
    }
    return true;
}

/// Reaps into a list and acts on it afterwards: what is called from here may queue new requests.
void Session::pump(std::optional<Duration> limit) {
    if (!bell_armed_) {
        io_uring_sqe* bell = ring_.next_entry();
        io_uring_prep_poll_add(bell, mailbox_.event_fd(), POLLIN);
        io_uring_sqe_set_data64(bell, kBell);
        bell_armed_ = true;
    }
    std::array<Completion, IoSlots::kRingEntries> completions{};
    const std::size_t count = ring_.submit_and_reap(limit, completions);
    std::array<IoEvent, IoSlots::kRingEntries> events{};
    std::size_t events_count = 0;
    for (const Completion& completion : std::span{completions}.first(count)) {
        if (completion.user_data == kBell) {
            bell_armed_ = false;
            mailbox_.clear_event();
        } else if (const auto event = ios_.complete(completion)) {
            events[events_count++] = *event;
        }
    }
    for (const IoEvent& event : std::span{events}.first(events_count)) {
        act_on(event);
    }
}

void Session::act_on(const IoEvent& event) {
    if (event.was_late) {
        options_.on_late(event);
    }
    std::optional<Error>& first =
        event.operation == DiskOperation::kWriteKill ? kill_failure_ : first_failure_;
    if (event.kind == IoEvent::Kind::kLate || event.error == 0 || first) {
        return;
    }
    const std::string what = name_of(event.operation) + options_.path;
    first = event.error == kShortTransfer
                ? Error{ErrorCode::kSystem, EIO, what + ": short transfer"}
                : system_error(what, event.error);
}

}  // namespace css::voting
