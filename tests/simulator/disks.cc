#include "tests/simulator/disks.h"

#include <algorithm>

#include "cssd/base/mutation.h"
#include "tests/simulator/checkers.h"
#include "tests/simulator/lifecycle.h"
#include "tests/simulator/runtime.h"

namespace css::sim {
namespace {

/// How often a request on a hung path looks whether the hang is over.
constexpr SimTime kHangPoll = 50'000'000;

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
    request.self = machine.number;
    request.own = order.own.has_value();
    ++in_flight_[machine.index * images_.size() + request.file];
    ++world_.counters.cycles;
    if (order.own) {
        const std::span<std::byte> both{request.written};
        const std::size_t size = image.sector_size();
        voting::encode_heartbeat(
            image.identity(), machine.number, order.own->heartbeat, both.first(size));
        voting::encode_ballot(
            image.identity(), machine.number, order.own->ballot, both.subspan(size));
        request.incarnation = order.own->heartbeat.record.incarnation;
        request.unique = order.own->heartbeat.unique;
    }
    request.header = order.header;
    request.kill_count = order.kills.size();
    if (request.kills.size() < request.kill_count) {
        request.kills.resize(request.kill_count);
    }
    for (std::size_t i = 0; i < request.kill_count; ++i) {
        Kill& kill = request.kills[i];
        kill.slot = order.kills[i].slot;
        kill.bytes.resize(image.sector_size());
        voting::encode_kill(image.identity(), kill.slot, order.kills[i].block, kill.bytes);
    }
    request.detailed = world_.faults_on && world_.options.split_permille != 0 &&
                       world_.prng_disk.chance(world_.options.split_permille, 1000);
    schedule(EventKind::kIoLand, index, latency(request));
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
    if (writes && fails(request)) {
        request.outcome = core::CycleOutcome::kWriteFailed;
        if (world_.prng_disk.coin()) {
            schedule(EventKind::kIoDone, event.argument, latency(request));
            return;
        }
    }
    Path& path = this->path(request.machine, request.file);
    if (mutated(Mutation::kReadBeforeWrite) && !request.orphan) {
        const auto views = images_[request.file].views(request.slots);
        request.copy.assign(views.begin(), views.end());
        request.copied = true;
        request.as_written = request.own;
    }
    if (request.header) {
        // As it was ordered, however long ago: a late one brings an older header back.
        images_[request.file].write_header(*request.header);
    }
    land_kills(request);
    const bool misdirected = request.own && path.misdirect_next;
    const NodeNumber where =
        misdirected ? NodeNumber::from_index(world_.prng_disk.index(world_.options.slots_max))
                    : request.self;
    if (where != request.self) {
        path.misdirect_next = false;
        land_misdirected(request, where);
    } else if (request.own) {
        // The two sectors of one request may land in either order and apart.
        const bool ballot_first = request.detailed && world_.prng_disk.coin();
        land_sector(request, ballot_first ? voting::kBallotSector : voting::kHeartbeatSector);
        if (request.detailed) {
            const std::uint32_t rest =  // Travels in the event's field for lives.
                ballot_first ? voting::kHeartbeatSector : voting::kBallotSector;
            world_.at(world_.now + latency(request),
                      EventKind::kIoLandBallot,
                      request.machine,
                      rest,
                      event.argument,
                      file_index(request.file));
            return;
        }
        land_sector(request, voting::kBallotSector);
    }
    finish(event.argument);
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

// Assumption of PROTOCOL 9 (README, "What it takes for granted").
bool Disks::never_lands(const Request& request) const {
    if (request.orphan && request.lands_by != 0 && world_.now > request.lands_by) {
        return true;
    }
    // The slot lock holds back a new daemon of the same host only. That a hung write of one host
    // does not land after another host has taken the slot over is assumed here (found with seed
    // 5706: without that the slot goes back on every file that hung).
    const Unique holder = images_[request.file].view(request.self).heartbeat.unique;
    return request.own && world_.lifecycle->foreign_started() && holder > request.unique;
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
    const VotingImage& image = images_[request.file];
    if (!failed && fails(request)) {
        request.outcome = core::CycleOutcome::kReadFailed;
    } else if (!failed && path(request.machine, request.file).misread_until > world_.now) {
        snapshot_misread(request);
    } else if (!failed && !request.shared && !request.copied) {
        request.as_written = request.own && image.shows(request.self, request.written);
    }
    core::CycleFinished finished;
    finished.file = file_index(request.file);
    finished.id = request.id;
    finished.outcome = request.outcome;
    if (request.outcome == core::CycleOutcome::kDone) {
        finished.own_as_written = request.as_written;
        finished.slots =
            request.copied ? std::span<const SlotView>{request.copy} : image.views(request.slots);
        if (image.header().generation != 0 && (request.header || finished.id % 4 == 0)) {
            finished.header_generation = image.header().generation;
        }
    }
    Machine& machine = world_.machines[request.machine];
    // The step may order the next cycle: this request stays in use until then, so that its
    // snapshot stays where it is.
    world_.runtime->step(machine, finished);
    release(event.argument);
}

// ---------------------------------------------------------------------------------- landing

void Disks::land_sector(Request& request, std::size_t which) {
    VotingImage& image = images_[request.file];
    const std::size_t size = image.sector_size();
    const auto bytes = std::span<const std::byte>{request.written}.subspan(which * size, size);
    before_change(request.file);
    Path& path = this->path(request.machine, request.file);
    if (path.tear_next) {
        path.tear_next = false;
        const auto old = image.sector(request.self, which);
        std::vector<std::byte> torn{old.begin(), old.end()};
        const std::size_t length = 1 + world_.prng_disk.index(voting::kSectorPayload - 1);
        std::copy_n(bytes.begin(), length, torn.begin());
        if (!std::equal(torn.begin(), torn.end(), bytes.begin())) {
            image.write_sector(request.self, which, torn);
            return;
        }
        // What was left over is what was there before: the write is whole after all.
    }
    if (which == voting::kHeartbeatSector) {
        land_heartbeat(request, bytes);
        Incarnation& landed = landed_[request.file][request.self];
        landed = std::max(landed, request.incarnation);
        return;
    }
    image.write_sector(request.self, which, bytes);
}

void Disks::land_kills(Request& request) {
    for (std::size_t i = 0; i < request.kill_count; ++i) {
        before_change(request.file);
        images_[request.file].write_sector(
            request.kills[i].slot, voting::kKillSector, request.kills[i].bytes);
    }
}

/// Own sectors land in another slot: two slots are spoiled at once.
void Disks::land_misdirected(const Request& request, NodeNumber where) {
    VotingImage& image = images_[request.file];
    before_change(request.file);
    const std::size_t size = image.sector_size();
    const auto both = std::span<const std::byte>{request.written};
    image.write_sector(where, voting::kHeartbeatSector, both.first(size));
    image.write_sector(where, voting::kBallotSector, both.subspan(size));
}

/// Monotonic (PROTOCOL 9, 6): on a file that loses nothing, neither the unique nor the record in a
/// slot ever goes back.
void Disks::land_heartbeat(const Request& request, std::span<const std::byte> bytes) {
    VotingImage& image = images_[request.file];
    const SlotView& view = image.view(request.self);
    const Landed before{.unique = view.heartbeat.unique,
                        .sequence = view.heartbeat.sequence,
                        .incarnation = view.heartbeat.record.incarnation};
    image.write_sector(request.self, voting::kHeartbeatSector, bytes);
    if (!insane(request.file)) {
        world_.checkers->on_heartbeat_landed(request.self, before, view);
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

void Disks::snapshot_misread(Request& request) {
    const VotingImage& image = images_[request.file];
    if (!request.copied) {
        const auto views = image.views(request.slots);
        request.copy.assign(views.begin(), views.end());
        request.copied = true;
        request.as_written = request.own && image.shows(request.self, request.written);
    }
    const NodeNumber slot = NodeNumber::from_index(world_.prng_disk.index(request.slots));
    if (images_.size() > 1 && world_.prng_disk.coin()) {
        const VotingImage& other = images_[(request.file + 1U) % images_.size()];
        request.copy[slot.index()] = other.misread(image.identity(), slot, slot);
    } else {
        const NodeNumber source = NodeNumber::from_index(world_.prng_disk.index(request.slots));
        if (source == slot) {
            return;
        }
        request.copy[slot.index()] = image.misread(image.identity(), slot, source);
    }
    request.as_written = request.as_written && slot != request.self;
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

SimTime Disks::hang_end(const Request& request) const {
    const Path& path = paths_[request.machine * images_.size() + request.file];
    return std::max(path.hang_until, hangs_[request.file]);
}

bool Disks::put_off(const Event& event, const Request& request) {
    const SimTime end = hang_end(request);
    if (end <= world_.now) {
        return false;
    }
    world_.machines[request.machine].excused_at = world_.now;
    Event later = event;
    later.time = std::min(end, world_.now + kHangPoll);
    world_.queue.push(later);
    return true;
}

bool Disks::fails(const Request& request) const {
    const bool on =
        paths_[request.machine * images_.size() + request.file].error_until > world_.now;
    if (on) {
        world_.machines[request.machine].excused_at = world_.now;
    }
    return on;
}

void Disks::daemon_died(const Machine& machine) {
    for (Request& request : requests_) {
        if (request.in_use && request.machine == machine.index) {
            request.orphan = true;
        }
    }
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

// --------------------------------------------------------------------------------- faults

void Disks::format(unsigned file, unsigned version) {
    before_change(file);
    images_[file] = VotingImage{
        file_index(file), world_.options.sector_size, world_.options.slots_max, version};
    landed_[file] = {};
}

bool Disks::reachable(const Machine& machine, unsigned file) const {
    const Path& path = paths_[machine.index * images_.size() + file];
    return std::max({path.hang_until, path.error_until, hangs_[file]}) <= world_.now;
}

void Disks::wipe(unsigned file) {
    before_change(file);
    images_[file].wipe();
}

void Disks::replace(unsigned file) {
    before_change(file);
    images_[file].replace();
}

void Disks::save_copy(unsigned file) {
    saved_[file] = images_[file].copy();
}

bool Disks::restore(unsigned file) {
    const FileSet named = voting::Quorum(world_.checkers->newest()).all();
    for (unsigned other = 0; other < images_.size(); ++other) {
        if (!named.contains(file_index(other))) {
            continue;
        }
        for (std::size_t i = 0; i < images_[file].slots(); ++i) {
            const NodeNumber n = NodeNumber::from_index(i);
            const SlotView& lost = images_[file].view(n);
            const SlotView& kept = images_[other].view(n);
            const bool same = lost.heartbeat.unique == kept.heartbeat.unique &&
                              lost.heartbeat.state == kept.heartbeat.state &&
                              lost.heartbeat.complete == kept.heartbeat.complete &&
                              lost.heartbeat.promise == kept.heartbeat.promise &&
                              lost.heartbeat.record == kept.heartbeat.record &&
                              lost.ballot == kept.ballot && lost.kill == kept.kill;
            if (!same) {
                return false;
            }
        }
    }
    before_change(file);
    images_[file].restore(saved_[file]);
    return true;
}

void Disks::heal() {
    for (Path& path : paths_) {
        path = Path{};
    }
    std::fill(hangs_.begin(), hangs_.end(), 0);
}

bool Disks::path_well(unsigned machine) const {
    for (unsigned f = 0; f < images_.size(); ++f) {
        const Path& path = paths_[machine * images_.size() + f];
        if (std::max({path.hang_until,
                      path.error_until,
                      path.slow_until,
                      path.misread_until,
                      hangs_[f]}) > world_.now) {
            return false;
        }
    }
    return true;
}

FileSet Disks::files_holding(NodeNumber slot, Incarnation incarnation) const {
    FileSet files;
    for (unsigned f = 0; f < landed_.size(); ++f) {
        files.assign(file_index(f), landed_[f][slot] >= incarnation);
    }
    return files;
}

}  // namespace css::sim
