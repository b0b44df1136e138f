#include "tests/simulator/disks.h"

#include <algorithm>

#include "cssd/base/mutation.h"
#include "tests/simulator/checkers.h"
#include "tests/simulator/lifecycle.h"
#include "tests/simulator/runtime.h"
#include "tests/simulator/same.h"

namespace css::sim {
namespace {

FileIndex file_index(unsigned file) {
    return FileIndex::from_index(file);
}

}  // namespace

Disks::Disks(World& world) : world_(world) {
    const unsigned slots = world.options.slots_max;
    for (unsigned f = 0; f < world.options.places(); ++f) {
        images_.emplace_back(file_index(f), world.options.sector_size, slots);
        saved_.push_back(images_.back().copy());
    }
    hangs_.resize(images_.size());
    landed_.resize(images_.size());
    sharing_.resize(images_.size());
    paths_.resize(images_.size() * (world.nodes() + 1));
    in_flight_.resize(paths_.size());
    read_from_.resize(paths_.size());
    misled_.resize(paths_.size());
    lost_at_.resize(world.nodes() + 1);
    kill_landed_.resize(images_.size());
    ballots_.resize(paths_.size());
}

// ------------------------------------------------------------------------------- one cycle

void Disks::submit(Machine& machine, const core::CycleOrder& order) {
    const unsigned index = new_request();
    Request& request = requests_[index];
    VotingImage& image = images_[order.file.index()];
    CSS_CHECK(order.slots <= image.slots());
    request.machine = static_cast<std::uint16_t>(machine.index);
    request.life = machine.daemon.life;
    request.file = static_cast<std::uint8_t>(order.file.index());
    request.slots = order.slots;
    request.id = order.id;
    request.submitted_at = world_.now;
    request.self = machine.number;
    request.own = order.own.has_value();
    ++in_flight_[machine.index * images_.size() + request.file];
    ++world_.counters.cycles;
    if (order.own) {
        const std::span<std::byte> both{request.written};
        const std::size_t size = image.sector_size();
        voting::encode_heartbeat(
            image.identity(), machine.number, order.own->heartbeat, both.first(size));
        encode_ballot(request, order.own->ballot, both.subspan(size));
        request.incarnation = order.own->heartbeat.record.incarnation;
        request.unique = order.own->heartbeat.unique;
        note_holder(machine, request.unique);
    }
    request.header = order.header;
    request.kill_count = order.kills.size();
    if (request.kills.size() < request.kill_count) {
        request.kills.resize(request.kill_count);
    }
    for (std::size_t i = 0; i < request.kill_count; ++i) {
        Kill& kill = request.kills[i];
        kill.slot = order.kills[i].slot;
        check_kill(request, order.kills[i]);
        kill.bytes.resize(image.sector_size());
        voting::encode_kill(image.identity(), kill.slot, order.kills[i].block, kill.bytes);
    }
    if (mutated(Mutation::kReadBeforeWrite)) {
        const auto views = image.views(request.slots);
        request.copy.assign(views.begin(), views.end());
        request.copied = true;
        request.as_written = request.own;
    }
    request.detailed = world_.faults_on && world_.options.split_permille != 0 &&
                       world_.prng_disk.chance(world_.options.split_permille, 1000);
    schedule(EventKind::kIoLand, index, latency(request));
    if (request.own) {
        begin_demise(machine, path(request.machine, request.file));
    }
}

void Disks::note_holder(const Machine& machine, Unique unique) {
    Holder& holder = holders_[machine.number];
    if (holder.unique == unique && holder.host == machine.host) {
        return;
    }
    const bool two_hosts = holder.host != machine.host && holder.unique != Unique{};
    bool seen = false;
    for (unsigned f = 0; f < images_.size(); ++f) {
        seen = seen || holder.landed[FileIndex::from_index(f)] <
                           read_from_[machine.index * images_.size() + f];
    }
    if (two_hosts && !seen) {
        // Two hosts that start with one number at once cannot see each other (README, what it takes
        // for granted): what happens then is nobody's promise, and this run is over.
        throw Violation{Verdict::kPassed, "Out of scope", "two hosts take one slot at once"};
    }
    if (holder.machine != machine.index) {
        lost_at_[holder.machine][machine.number] = world_.now;
    }
    holder.unique = unique;
    holder.host = machine.host;
    holder.machine = machine.index;
    for (SimTime& landed : holder.landed) {
        landed = SimTime{1} << 60;
    }
}

/// A kill block is never lowered (PROTOCOL 3), nor written again by another evictor when it says as
/// much already, by one that knew: its newest read of this file showed all that stood there, this
/// block with it.
void Disks::check_kill(const Request& request, const core::CycleOrder::Kill& kill) const {
    const SlotView& view = images_[request.file].view(kill.slot);
    const std::size_t path = request.machine * images_.size() + request.file;
    const bool known = view.kill_verdict == SectorVerdict::kValid &&
                       kill_landed_[request.file][kill.slot] < read_from_[path] && !misled_[path] &&
                       !insane(request.file);
    if (known && view.kill.lowered_or_same_by(kill.block)) {
        throw Violation{Verdict::kSafety,
                        "Kill block",
                        "that of node " + std::to_string(kill.slot.value()) +
                            " is written again: victim " +
                            std::to_string(view.kill.victim.value()) + " by " +
                            std::to_string(kill.block.victim.value())};
    }
}

/// Ballots change seldom, and the same block of the same slot and file is the same bytes.
void Disks::encode_ballot(const Request& request,
                          const voting::Ballot& ballot,
                          std::span<std::byte> sector) {
    const voting::SectorIdentity& identity = images_[request.file].identity();
    EncodedBallot& last = ballots_[request.machine * images_.size() + request.file];
    if (last.slot != request.self || last.file != identity.file || !same(last.ballot, ballot)) {
        last.slot = request.self;
        last.file = identity.file;
        last.ballot = ballot;
        last.bytes.resize(sector.size());
        voting::encode_ballot(identity, request.self, ballot, last.bytes);
    }
    std::copy(last.bytes.begin(), last.bytes.end(), sector.begin());
}

void Disks::on_land(const Event& event) {
    Request& request = requests_[event.argument];
    if (put_off(event, request)) {
        return;
    }
    if (never_lands(request)) {
        lose(event.argument);
        return;
    }
    const bool writes = request.own || request.kill_count != 0 || request.header;
    if (writes && fails(request,
                        path(request.machine, request.file).write_errors_until,
                        DiskEffect::kWriteError)) {
        request.outcome = core::CycleOutcome::kWriteFailed;
        if (world_.prng_disk.coin()) {
            schedule(EventKind::kIoDone, event.argument, latency(request));
            return;
        }
    }
    if (mutated(Mutation::kReadBeforeWrite) && !request.orphan) {
        take_copy(request);
        request.as_written = request.own;
    }
    if (request.own && land_otherwise(request)) {
        finish(event.argument);
        return;
    }
    if (request.header) {
        // As it was ordered, however long ago: a late one brings an older header back.
        images_[request.file].write_header(*request.header);
    }
    land_kills(request);
    if (request.own) {
        land_sectors(event.argument);
        return;
    }
    finish(event.argument);
}

void Disks::land_sectors(unsigned index) {
    Request& request = requests_[index];
    // The two sectors of one request may land in either order and apart.
    const bool ballot_first = request.detailed && world_.prng_disk.coin();
    land_sector(request, ballot_first ? voting::kBallotSector : voting::kHeartbeatSector);
    if (!request.detailed) {
        land_sector(request, voting::kBallotSector);
        finish(index);
        return;
    }
    const std::uint32_t rest =  // Travels in the event's field for lives.
        ballot_first ? voting::kHeartbeatSector : voting::kBallotSector;
    world_.at(world_.now + latency(request),
              EventKind::kIoLandBallot,
              request.machine,
              rest,
              index,
              file_index(request.file));
}

void Disks::on_land_ballot(const Event& event) {
    Request& request = requests_[event.argument];
    if (put_off(event, request)) {
        return;
    }
    if (never_lands(request)) {
        lose(event.argument);
        return;
    }
    land_sector(request, event.life);
    finish(event.argument);
}

void Disks::lose(unsigned index) {
    Request& request = requests_[index];
    request.outcome = core::CycleOutcome::kWriteFailed;
    finish(index);
}

/// The writes are over: read, or end a request that nobody waits for any more.
void Disks::finish(unsigned index) {
    Request& request = requests_[index];
    if (request.orphan) {
        release(index);
        return;
    }
    const bool reads = request.outcome == core::CycleOutcome::kDone;
    schedule(reads && request.detailed ? EventKind::kIoRead : EventKind::kIoDone,
             index,
             latency(request));
}

void Disks::on_read(const Event& event) {
    Request& request = requests_[event.argument];
    if (request.orphan) {
        release(event.argument);
        return;
    }
    if (put_off(event, request)) {
        return;
    }
    const Machine& machine = world_.machines[request.machine];
    if (machine.daemon.paused_until > world_.now && world_.prng_disk.coin()) {
        // The thread of this file stopped with the rest of the process, before its read.
        Event later = event;
        later.time = machine.daemon.paused_until;
        world_.queue.push(later);
        return;
    }
    if (!request.copied) {
        request.shared = true;
        request.as_written =
            request.own && images_[request.file].shows(request.self, request.written);
        sharing_[request.file].push_back(event.argument);
    }
    schedule(EventKind::kIoDone, event.argument, latency(request));
}

void Disks::on_done(const Event& event) {
    Request& request = requests_[event.argument];
    if (request.orphan) {
        release(event.argument);
        return;
    }
    const bool failed = request.outcome != core::CycleOutcome::kDone;
    if (put_off(event, request)) {
        return;
    }
    if (!failed) {
        end_read(request);
    }
    const core::CycleFinished finished = result_of(request);
    Machine& machine = world_.machines[request.machine];
    // The step may order the next cycle: this request stays in use until then, so that its
    // snapshot stays where it is.
    world_.runtime->step(machine, finished);
    release(event.argument);
}

void Disks::end_read(Request& request) {
    const Path& path = this->path(request.machine, request.file);
    const VotingImage& image = images_[request.file];
    if (fails(request, path.read_errors_until, DiskEffect::kReadError)) {
        request.outcome = core::CycleOutcome::kReadFailed;
        return;
    }
    if (!request.shared && !request.copied) {
        request.as_written = request.own && image.shows(request.self, request.written);
    }
    if (!stale_.empty()) {
        read_stale(request);
    }
    const std::size_t which = request.machine * images_.size() + request.file;
    misled_[which] = path.misread_until > world_.now;
    if (misled_[which]) {
        misread(request);
        return;  // Not all that stood there has been seen.
    }
    read_from_[which] = request.submitted_at;
}

core::CycleFinished Disks::result_of(const Request& request) const {
    const VotingImage& image = images_[request.file];
    core::CycleFinished finished;
    finished.file = file_index(request.file);
    finished.id = request.id;
    finished.outcome = request.outcome;
    if (request.outcome == core::CycleOutcome::kDone) {
        finished.own_as_written = request.as_written;
        finished.kills_written = request.kill_count == 0 || !kills_refused(request.file);
        finished.slots =
            request.copied ? std::span<const SlotView>{request.copy} : image.views(request.slots);
        if (image.header().generation != 0 && (request.header || finished.id % 4 == 0)) {
            finished.header_generation = image.header().generation;
        }
    }
    return finished;
}

// ---------------------------------------------------------------------------------- landing

void Disks::land_sector(Request& request, std::size_t which) {
    VotingImage& image = images_[request.file];
    const std::size_t size = image.sector_size();
    const auto bytes = std::span<const std::byte>{request.written}.subspan(which * size, size);
    if (request.orphan) {
        count(DiskEffect::kLandedOrphaned);
    } else if (request.hung) {
        count(DiskEffect::kLandedLate);
    }
    request.hung = false;
    if (tear(request, which, bytes)) {
        return;
    }
    if (which == voting::kHeartbeatSector) {
        land_heartbeat(request, bytes);
        Incarnation& landed = landed_[request.file][request.self];
        landed = std::max(landed, request.incarnation);
        return;
    }
    write(request.file, request.self, which, bytes);
}

void Disks::land_kills(Request& request) {
    if (kills_refused(request.file)) {
        return;
    }
    for (std::size_t i = 0; i < request.kill_count; ++i) {
        kill_landed_[request.file][request.kills[i].slot] = world_.now;
        write(request.file, request.kills[i].slot, voting::kKillSector, request.kills[i].bytes);
    }
}

/// Monotonic (PROTOCOL 9, 6): on a file that loses nothing, neither the unique nor the record in a
/// slot ever goes back.
void Disks::land_heartbeat(const Request& request, std::span<const std::byte> bytes) {
    const SlotView& view = images_[request.file].view(request.self);
    const Landed before{.unique = view.heartbeat.unique,
                        .sequence = view.heartbeat.sequence,
                        .incarnation = view.heartbeat.record.incarnation};
    write(request.file, request.self, voting::kHeartbeatSector, bytes);
    Holder& holder = holders_[request.self];
    if (holder.unique == request.unique && holder.host == world_.machines[request.machine].host) {
        SimTime& landed = holder.landed[file_index(request.file)];
        landed = std::min(landed, world_.now);
    }
    if (!insane(request.file)) {
        world_.checkers->on_heartbeat_landed(request.self, before, view);
    }
}

void Disks::write(unsigned file,
                  NodeNumber slot,
                  std::size_t which,
                  std::span<const std::byte> bytes) {
    before_change(file);
    VotingImage& image = images_[file];
    if (world_.options.insane_files == 0) {
        image.write_sector(slot, which, bytes);
        return;
    }
    const SlotView before = image.view(slot);
    image.write_sector(slot, which, bytes);
    if (!same_contents(before, image.view(slot))) {
        changed_ = world_.now;
    }
}

/// Readers that share what the image shows get a copy of it before it changes.
void Disks::before_change(unsigned file) {
    for (const unsigned index : sharing_[file]) {
        Request& request = requests_[index];
        const auto views = images_[file].views(request.slots);
        request.copy.assign(views.begin(), views.end());
        request.copied = true;
        request.shared = false;
    }
    sharing_[file].clear();
}

void Disks::take_copy(Request& request) {
    if (!request.copied) {
        const auto views = images_[request.file].views(request.slots);
        request.copy.assign(views.begin(), views.end());
        request.copied = true;
    }
}

// ------------------------------------------------------------------------------- requests

unsigned Disks::new_request() {
    if (free_.empty()) {
        free_.push_back(static_cast<unsigned>(requests_.size()));
        requests_.emplace_back();
        requests_.back().written.resize(2 * world_.options.sector_size);
    }
    const unsigned index = free_.back();
    free_.pop_back();
    Request& request = requests_[index];
    request.in_use = true;
    request.orphan = request.shared = request.copied = request.own = request.as_written = false;
    request.hung = false;
    request.lands_by = 0;
    request.outcome = core::CycleOutcome::kDone;
    return index;
}

void Disks::release(unsigned index) {
    Request& request = requests_[index];
    CSS_CHECK(request.in_use);
    if (request.shared) {
        std::erase(sharing_[request.file], index);
    }
    request.in_use = false;
    --in_flight_[request.machine * images_.size() + request.file];
    free_.push_back(index);
}

void Disks::schedule(EventKind kind, unsigned index, SimTime delay) {
    const Request& request = requests_[index];
    world_.at(
        world_.now + delay, kind, request.machine, request.life, index, file_index(request.file));
}

SimTime Disks::latency(const Request& request) {
    Options& options = world_.options;
    SimTime delay = world_.prng_disk.range(options.disk_latency_min, options.disk_latency_max);
    const Path& path = this->path(request.machine, request.file);
    if (path.slow_until > world_.now) {
        delay += world_.prng_disk.range(0, path.slow_by);
        world_.machines[request.machine].excused_at = world_.now;
    }
    return delay;
}

void Disks::daemon_died(const Machine& machine) {
    for (Request& request : requests_) {
        if (request.in_use && request.machine == machine.index) {
            request.orphan = true;
        }
    }
    for (Stale& stale : stale_) {
        stale.known =
            stale.machine == machine.index ? PerFile<std::vector<SlotView>>{} : stale.known;
    }
    const auto first = machine.index * images_.size();
    std::fill_n(read_from_.begin() + static_cast<std::ptrdiff_t>(first), images_.size(), 0);
}

void Disks::host_crashed(const Machine& machine) {
    for (Request& request : requests_) {
        if (request.in_use && request.machine == machine.index) {
            request.orphan = true;
            const SimTime later = world_.now + world_.prng_disk.range(0, world_.options.stop_max);
            request.lands_by = world_.prng_disk.coin() ? later : 1;
        }
    }
}

bool Disks::busy(const Machine& machine, FileIndex file) const {
    return in_flight_[machine.index * images_.size() + file.index()] != 0;
}

bool Disks::busy(const Machine& machine) const {
    const auto first =
        in_flight_.begin() + static_cast<std::ptrdiff_t>(machine.index * images_.size());
    return std::any_of(first, first + static_cast<std::ptrdiff_t>(images_.size()), [](unsigned n) {
        return n != 0;
    });
}

FileSet Disks::files_holding(NodeNumber slot, Incarnation incarnation) const {
    FileSet files;
    for (unsigned f = 0; f < landed_.size(); ++f) {
        files.assign(file_index(f), landed_[f][slot] >= incarnation);
    }
    return files;
}

}  // namespace css::sim
