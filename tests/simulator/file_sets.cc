#include "tests/simulator/file_sets.h"

#include <algorithm>

#include "cssd/base/mutation.h"
#include "tests/simulator/checkers.h"
#include "tests/simulator/disks.h"
#include "tests/simulator/runtime.h"

namespace css::sim {
namespace {

constexpr SimTime kOpenPoll = 50'000'000;

}  // namespace

Record genesis_of(const core::HeaderOrder& header, const Options& options) {
    Record record;
    record.parameters = options.initial();
    record.files = header.files;
    record.files_generation = header.generation;
    for (const FileIndex f : header.files) {
        record.file_tags[f] = header.tags[f];
    }
    return record;
}

FileSets::FileSets(World& world, Disks& disks) : world_(world) {
    first_.generation = 1;
    for (unsigned f = 0; f < world.options.files; ++f) {
        const FileIndex file = FileIndex::from_index(f);
        first_.files.insert(file);
        first_.tags[file] = disks.image(file).tag();
    }
    first_.in_use = first_.files;
    for (const FileIndex file : first_.files) {
        disks.image(file).write_header(first_);
        static_cast<void>(disks.image(file).copy());  // The first copy has a header, too.
    }
}

FileSet FileSets::named() const {
    return voting::Quorum(world_.checkers->newest()).all();
}

std::optional<core::HeaderOrder> FileSets::found_by(const Machine& machine) const {
    if (world_.checkers->newest().files_generation == first_.generation) {
        return first_;  // A daemon that begins with fewer files waits for the rest by itself.
    }
    const core::HeaderOrder* newest = nullptr;
    for (unsigned f = 0; f < world_.options.places(); ++f) {
        const core::HeaderOrder& header = world_.disks->image(FileIndex::from_index(f)).header();
        if (world_.disks->reachable(machine, f) && header.generation != 0 &&
            (newest == nullptr || header.generation > newest->generation)) {
            newest = &header;
        }
    }
    if (newest == nullptr) {
        return std::nullopt;
    }
    // A file that it names is one of them, whatever its own header says (found with seed 2842:
    // nobody had come to write the headers of the new files).
    FileSet readable;
    for (const FileIndex file : newest->files) {
        if (world_.disks->reachable(machine, static_cast<unsigned>(file.index())) &&
            world_.disks->image(file).tag() == newest->tags[file]) {
            readable.insert(file);
        }
    }
    if (!voting::is_majority(newest->files, readable)) {
        return std::nullopt;
    }
    return *newest;
}

void FileSets::on_file_open(Machine& machine, const Event& event) {
    const FileIndex file = FileIndex::from_index(event.file);
    const Record known = machine.daemon.arbiter->status(machine.clock.local(world_.now)).newest;
    const bool retired = known.files_generation == world_.checkers->newest().files_generation &&
                         !(named() | offered_).contains(file);
    if (machine.daemon.opened.contains(file) || retired) {
        return;
    }
    // The lock on the slot is held until the last request of the former daemon has ended.
    const bool reachable = world_.disks->reachable(machine, event.file);
    const bool locked = world_.disks->busy(machine, file) && !mutated(Mutation::kSlotUnlocked);
    if (!reachable || locked) {
        machine.excused_at = reachable ? machine.excused_at : world_.now;
        Event later = event;
        later.time = world_.now + kOpenPoll;
        world_.queue.push(later);
        return;
    }
    const VotingImage& image = world_.disks->image(file);
    machine.daemon.opened.insert(file);
    machine.daemon.opened_tag[file] = image.tag();
    world_.runtime->step(
        machine,
        core::FileOpened{
            .file = file, .tag = image.tag(), .generation = image.header().generation});
}

void FileSets::on_file_close(Machine& machine, const Event& event) {
    const FileIndex file = FileIndex::from_index(event.file);
    if (!machine.daemon.opened.contains(file) || (named() | offered_).contains(file)) {
        return;
    }
    machine.daemon.opened.erase(file);
    world_.runtime->step(machine, core::FileClosed{.file = file});
}

void FileSets::on_change(Machine& machine, const core::Notice& notice) {
    const FileSet wanted = notice.files | notice.files_next;
    const Record known = machine.daemon.arbiter->status(machine.clock.local(world_.now)).newest;
    for (const FileIndex file : wanted) {  // A place may have got another file meanwhile.
        if (machine.daemon.opened_tag[file] != known.file_tags[file]) {
            machine.daemon.opened.erase(file);
        }
    }
    offered_ = offered_ - wanted;
    const auto schedule = [&](EventKind kind, FileIndex file) {
        world_.at(world_.now + world_.prng_host.log_range(100'000, world_.beat().count()),
                  kind,
                  machine.index,
                  machine.daemon.life,
                  0,
                  file);
    };
    for (const FileIndex file : wanted - machine.daemon.opened) {
        schedule(EventKind::kFileOpen, file);
    }
    for (const FileIndex file : machine.daemon.opened - wanted - offered_) {
        schedule(EventKind::kFileClose, file);
    }
}

// ---------------------------------------------------------------------------- administrators

FileSet FileSets::places_free() const {
    FileSet places = offered_;
    for (unsigned f = 0; f < world_.options.places(); ++f) {
        const FileIndex file = FileIndex::from_index(f);
        const bool in_use = std::any_of(
            world_.machines.begin(), world_.machines.end(), [&](const Machine& machine) {
                return machine.daemon.opened.contains(file) || world_.disks->busy(machine, file);
            });
        if (!in_use && !world_.disks->insane(f)) {
            places.insert(file);
        }
    }
    return places - named();
}

void FileSets::offer(FileIndex file, Prng& prng) {
    if (!offered_.contains(file)) {
        world_.disks->format(static_cast<unsigned>(file.index()), ++version_);
        offered_.insert(file);
    }
    for (unsigned i = 0; i < world_.nodes(); ++i) {
        const Machine& machine = world_.machines[i];
        if (machine.running() && !prng.chance(1, 32)) {
            world_.at(world_.now + prng.log_range(100'000, 4 * world_.beat().count()),
                      EventKind::kFileOpen,
                      i,
                      machine.daemon.life,
                      0,
                      file);
        }
    }
}

/// Add, delete, replace, at random; of an odd count, and with a minority that may lose data.
FileSet FileSets::draw_set(Prng& prng) const {
    const Record& newest = world_.checkers->newest();
    FileSet set = newest.files_next.empty() ? newest.files : newest.files_next;
    const FileSet others = places_free();
    const auto leave = static_cast<std::uint64_t>(prng.range(0, 4));
    for (const FileIndex file : set) {
        if (prng.chance(leave, 5)) {
            set.erase(file);
        }
    }
    const auto take = static_cast<std::uint64_t>(prng.range(1, 5));
    for (const FileIndex file : others) {
        if (prng.chance(take, 5)) {
            set.insert(file);
        }
    }
    return set;
}

std::optional<core::ChangeVotingFiles> FileSets::draw_change(const Machine& machine, Prng& prng) {
    const Record& newest = world_.checkers->newest();
    if (!machine.running() || newest.incarnation == Incarnation{}) {
        return std::nullopt;
    }
    for (unsigned tries = 0; tries < 20; ++tries) {
        core::ChangeVotingFiles change;
        change.files = draw_set(prng);
        const unsigned insane = (change.files & FileSet{world_.options.insane_files}).count();
        if (change.files.count() % 2 == 0 || 2 * insane >= change.files.count() ||
            change.files == newest.files) {
            continue;
        }
        for (const FileIndex file : change.files - newest.files) {
            if (!named().contains(file)) {
                offer(file, prng);
            }
            change.tags[file] = world_.disks->image(file).tag();
        }
        change.patience =
            Duration{prng.log_range(world_.beat().count(), 20 * world_.beat().count())};
        return change;
    }
    return std::nullopt;
}

}  // namespace css::sim
