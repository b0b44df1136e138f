// What goes wrong on the way to a voting file, and with the file itself.

#include <algorithm>
#include <cstring>

#include "tests/simulator/checkers.h"
#include "tests/simulator/disks.h"
#include "tests/simulator/lifecycle.h"

namespace css::sim {
namespace {

/// How often a request on a hung path looks whether the hang is over.
constexpr SimTime kHangPoll = 50'000'000;

/// What a device writes at once.
constexpr std::size_t kUnit = 512;

FileIndex file_index(unsigned file) {
    return FileIndex::from_index(file);
}

bool valid(const SlotView& view) {
    return view.heartbeat_verdict == SectorVerdict::kValid &&
           view.ballot_verdict == SectorVerdict::kValid &&
           view.kill_verdict == SectorVerdict::kValid;
}

/// Whoever has read `a` knows all that `b` says.
bool tells_as_much(const SlotView& a, const SlotView& b) {
    const voting::Heartbeat& x = a.heartbeat;
    const voting::Heartbeat& y = b.heartbeat;
    const bool as_new = x.unique > y.unique || (x.unique == y.unique && x.sequence >= y.sequence);
    return valid(a) && valid(b) && as_new && x.record.incarnation >= y.record.incarnation &&
           a.ballot == b.ballot && a.kill == b.kill;
}

}  // namespace

bool same_contents(const SlotView& a, const SlotView& b) {
    return a.heartbeat_verdict == b.heartbeat_verdict && a.ballot_verdict == b.ballot_verdict &&
           a.kill_verdict == b.kill_verdict && a.heartbeat.unique == b.heartbeat.unique &&
           a.heartbeat.state == b.heartbeat.state && a.heartbeat.complete == b.heartbeat.complete &&
           a.heartbeat.promise == b.heartbeat.promise && a.heartbeat.record == b.heartbeat.record &&
           a.ballot == b.ballot && a.kill == b.kill;
}

// ------------------------------------------------------------------------- hangs and errors

SimTime Disks::hang_end(const Event& event, const Request& request) const {
    const Path& path = paths_[request.machine * images_.size() + request.file];
    const SimTime answers = event.kind == EventKind::kIoDone ? path.answers_hang_until : 0;
    return std::max({path.hang_until, answers, hangs_[request.file]});
}

bool Disks::put_off(const Event& event, Request& request) {
    const SimTime end = hang_end(event, request);
    if (end <= world_.now) {
        if (request.hung && event.kind == EventKind::kIoDone) {
            request.hung = false;
            count(DiskEffect::kAnsweredLate);
        }
        return false;
    }
    request.hung = true;
    world_.machines[request.machine].excused_at = world_.now;
    Event later = event;
    later.time = std::min(end, world_.now + kHangPoll);
    world_.queue.push(later);
    return true;
}

bool Disks::fails(const Request& request, SimTime until, DiskEffect which) const {
    if (until <= world_.now) {
        return false;
    }
    world_.machines[request.machine].excused_at = world_.now;
    count(which);
    return true;
}

bool Disks::reachable(const Machine& machine, unsigned file) const {
    const Path& path = paths_[machine.index * images_.size() + file];
    return std::max({path.hang_until,
                     path.answers_hang_until,
                     path.write_errors_until,
                     path.read_errors_until,
                     hangs_[file]}) <= world_.now;
}

bool Disks::path_well(unsigned machine) const {
    for (unsigned f = 0; f < images_.size(); ++f) {
        const Path& path = paths_[machine * images_.size() + f];
        if (!faults_on(machine, f).empty() || path.next_write != NextWrite::kWhole) {
            return false;
        }
    }
    return true;
}

std::string Disks::faults_on(unsigned machine, unsigned file) const {
    const Path& path = paths_[machine * images_.size() + file];
    std::string words;
    const auto add = [&](const char* word, SimTime until) {
        words += until > world_.now ? (words.empty() ? "" : " ") + std::string{word} : "";
    };
    add("hangs", std::max(path.hang_until, hangs_[file]));
    add("answers hang", path.answers_hang_until);
    add("write errors", path.write_errors_until);
    add("read errors", path.read_errors_until);
    add("slow", path.slow_until);
    add("misread", path.misread_until);
    for (const Stale& stale : stale_) {
        add("stale", stale.machine == machine && stale.file == file ? stale.until : 0);
    }
    return words;
}

void Disks::heal() {
    for (Path& path : paths_) {
        path = Path{};
    }
    std::fill(hangs_.begin(), hangs_.end(), 0);
    stale_.clear();
}

// ------------------------------------------------------------------- writes that go wrong

// Assumption of PROTOCOL 9 (README, "What it takes for granted").
bool Disks::never_lands(const Request& request) const {
    const bool too_late = request.orphan && request.lands_by != 0 && world_.now > request.lands_by;
    // The slot lock holds back a new daemon of the same host only. Assumed here: once another host
    // has taken a slot, the storage refuses what the host that held it before still has under way
    // (found with seed 5706: without that the slot goes back on every file that hung), also when
    // the former host has the slot again (seed 31737).
    const bool taken_over =
        request.own && request.submitted_at < lost_at_[request.machine][request.self];
    if (too_late || taken_over) {
        count(DiskEffect::kNeverLanded);
        return true;
    }
    return false;
}

/// Who issues the next write dies before it lands.
void Disks::begin_demise(Machine& machine, Path& path) {
    const bool host = path.next_write == NextWrite::kHostDies;
    if (!host && path.next_write != NextWrite::kDaemonDies) {
        return;
    }
    path.next_write = NextWrite::kWhole;
    if (!host) {
        path.hang_until = std::max(path.hang_until, path.strands_until);
    }
    world_.at(world_.now,
              EventKind::kWriterDies,
              machine.index,
              host ? machine.life : machine.daemon.life,
              host ? 1 : 0);
}

bool Disks::land_otherwise(Request& request) {
    Path& path = this->path(request.machine, request.file);
    if (path.next_write == NextWrite::kLost) {
        path.next_write = NextWrite::kWhole;
        count(DiskEffect::kLost);
        return true;
    }
    if (path.next_write == NextWrite::kMisdirected) {
        path.next_write = NextWrite::kWhole;
        const NodeNumber where =
            NodeNumber::from_index(world_.prng_disk.index(world_.options.slots_max));
        if (where != request.self) {
            count(DiskEffect::kMisdirected);
            land_misdirected(request, where);
            return true;
        }
    }
    return false;
}

/// Own sectors, or one of them, land in another slot: two slots are spoiled at once.
void Disks::land_misdirected(const Request& request, NodeNumber where) {
    const std::size_t size = world_.options.sector_size;
    const auto both = std::span<const std::byte>{request.written};
    const unsigned which = world_.prng_disk.index(3);
    if (which != 1) {
        write(request.file, where, voting::kHeartbeatSector, both.first(size));
    }
    if (which != 2) {
        write(request.file, where, voting::kBallotSector, both.subspan(size));
    }
}

/// Large sectors are torn at the device's own units: since all that counts is in the first one,
/// the sector is as it was or as it should be. Within a unit only files tear that may lose data.
bool Disks::tear(Request& request, std::size_t which, std::span<const std::byte> bytes) {
    Path& path = this->path(request.machine, request.file);
    if (path.next_write != NextWrite::kTorn && path.next_write != NextWrite::kTornFatal) {
        return false;
    }
    const auto old = images_[request.file].sector(request.self, which);
    std::vector<std::byte> torn{old.begin(), old.end()};
    const bool in_units =
        !insane(request.file) || (bytes.size() > kUnit && world_.prng_disk.coin());
    if (in_units) {
        const std::uint64_t landed = world_.prng_disk.next();
        for (std::size_t unit = 0; unit * kUnit < bytes.size(); ++unit) {
            if ((landed >> unit & 1U) != 0) {
                std::memcpy(torn.data() + unit * kUnit, bytes.data() + unit * kUnit, kUnit);
            }
        }
    } else {
        std::copy_n(bytes.begin(), 1 + world_.prng_disk.index(kUnit - 1), torn.begin());
    }
    const bool fatal = path.next_write == NextWrite::kTornFatal;
    path.next_write = NextWrite::kWhole;
    if (fatal) {
        world_.at(world_.now,
                  EventKind::kWriterDies,
                  request.machine,
                  world_.machines[request.machine].life,
                  1);
    }
    if (std::equal(torn.begin(), torn.end(), bytes.begin())) {
        return false;  // What was left over is what was there before: the write is whole after all.
    }
    count(in_units ? DiskEffect::kTornInUnits : DiskEffect::kTorn);
    if (world_.prng_disk.coin()) {
        request.outcome = core::CycleOutcome::kWriteFailed;
    }
    write(request.file, request.self, which, torn);
    return true;
}

// -------------------------------------------------------------------- reads that go wrong

void Disks::misread(Request& request) {
    take_copy(request);
    world_.machines[request.machine].excused_at = world_.now;
    const VotingImage& image = images_[request.file];
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
    count(DiskEffect::kMisread);
    request.as_written = request.as_written && slot != request.self;
}

void Disks::show_stale(unsigned machine, unsigned file, SimTime until) {
    std::erase_if(stale_, [&](const Stale& s) { return s.until <= world_.now; });
    Stale stale{.machine = machine, .file = file, .until = until, .shown = {}, .known = {}};
    const auto views = images_[file].views(images_[file].slots());
    stale.shown.assign(views.begin(), views.end());
    stale_.push_back(std::move(stale));
}

void Disks::read_stale(Request& request) {
    for (Stale& stale : stale_) {
        if (stale.machine != request.machine || stale.until <= world_.now) {
            continue;
        }
        take_copy(request);
        if (stale.file != request.file) {
            stale.known[file_index(request.file)] = request.copy;
            continue;
        }
        for (unsigned i = 0; i < request.slots; ++i) {
            SlotView& view = request.copy[i];
            const NodeNumber n = NodeNumber::from_index(i);
            if (view.heartbeat.sequence == stale.shown[i].heartbeat.sequence ||
                !valid(stale.shown[i]) || !known_elsewhere(stale, n, view)) {
                continue;
            }
            view = stale.shown[i];
            request.as_written = request.as_written && n != request.self;
            world_.machines[request.machine].excused_at = world_.now;
            count(DiskEffect::kStale);
        }
    }
}

bool Disks::known_elsewhere(const Stale& stale, NodeNumber n, const SlotView& now) const {
    FileSet known;
    for (unsigned f = 0; f < images_.size(); ++f) {
        const std::vector<SlotView>& read = stale.known[file_index(f)];
        if (n.index() < read.size() && tells_as_much(read[n.index()], now)) {
            known.insert(file_index(f));
        }
    }
    return voting::Quorum(world_.checkers->newest()).reached_by(known);
}

// -------------------------------------------------------------- what happens to whole files

void Disks::format(unsigned file, unsigned version) {
    before_change(file);
    images_[file] = VotingImage{
        file_index(file), world_.options.sector_size, world_.options.slots_max, version};
    landed_[file] = {};
    changed_ = world_.now;
}

void Disks::wipe(unsigned file) {
    before_change(file);
    images_[file].wipe();
    changed_ = world_.now;
    count(DiskEffect::kWiped);
}

void Disks::replace(unsigned file) {
    before_change(file);
    images_[file].replace();
    changed_ = world_.now;
    count(DiskEffect::kReplaced);
}

void Disks::save_copy(unsigned file) {
    saved_[file] = images_[file].copy();
}

bool Disks::stands_elsewhere(unsigned file, NodeNumber n) const {
    FileSet holding;
    for (unsigned other = 0; other < images_.size(); ++other) {
        if (other != file && tells_as_much(images_[other].view(n), images_[file].view(n))) {
            holding.insert(file_index(other));
        }
    }
    return voting::Quorum(world_.checkers->newest()).reached_by(holding);
}

bool Disks::all_have_read(unsigned without) const {
    const FileSet named = voting::Quorum(world_.checkers->newest()).all();
    return std::all_of(world_.machines.begin(), world_.machines.end(), [&](const Machine& machine) {
        const auto first = machine.index * images_.size();
        return !machine.running() || std::all_of(named.begin(), named.end(), [&](FileIndex f) {
            return f.index() == without || read_from_[first + f.index()] > changed_;
        });
    });
}

bool Disks::restore(unsigned file) {
    for (unsigned i = 0; i < images_[file].slots(); ++i) {
        // What stood in a slot that was torn or wiped cannot be told any more (seed 176297).
        if (!valid(images_[file].view(NodeNumber::from_index(i))) ||
            !stands_elsewhere(file, NodeNumber::from_index(i))) {
            return false;
        }
    }
    if (!all_have_read(file)) {
        return false;
    }
    before_change(file);
    images_[file].restore(saved_[file]);
    changed_ = world_.now;
    count(DiskEffect::kRestored);
    return true;
}

}  // namespace css::sim
