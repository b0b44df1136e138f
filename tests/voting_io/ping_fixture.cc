#include "tests/voting_io/ping_fixture.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include <gtest/gtest.h>

#include "cssd/base/check.h"

namespace css::test {

using voting::DiskThread;
using voting::Header;
using voting::LateIo;
using voting::SlotOwnership;

Header make_header(unsigned char seed, unsigned sector_size, unsigned slots_max) {
    voting::NewSet set;
    set.cluster.bytes.fill(std::byte{0xC1});
    FileUid uid;
    uid.bytes.fill(std::byte{seed});
    set.files = {uid};
    set.cluster_name = kClusterName;
    set.slots_max = slots_max;
    set.sector_size = sector_size;
    return voting::headers_of(set).front();
}

core::CycleOrder::Own make_own(std::uint64_t sequence) {
    core::CycleOrder::Own own;
    own.heartbeat.unique = Unique{77};
    own.heartbeat.host = HostId{0x1234};
    own.heartbeat.boot = BootId{0x5678};
    own.heartbeat.sequence = Sequence{sequence};
    own.heartbeat.slots_read = 4;
    return own;
}

std::optional<std::filesystem::path> task_named(const std::string& name) {
    for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::ifstream comm{task.path() / "comm"};
        std::string line;
        if (std::getline(comm, line) && line == name) {
            return task.path();
        }
    }
    return std::nullopt;
}

Ping::Ping(Options options) : slots_max_(options.slots_max) {
    voting::DiskCallbacks callbacks;
    callbacks.on_opened = [this, accept = std::move(options.accept)](
                              const voting::HeaderRegion& region,
                              const std::string&) -> Result<FileIndex> {
        if (accept) {
            if (const Status accepted = accept(region.header); !accepted) {
                return accepted.error();
            }
        }
        note(&Seen::opened, region.header);
        return FileIndex{};
    };
    callbacks.on_closed = [this](const Error& error) { note(&Seen::closed, error); };
    callbacks.on_cannot_open = [this](const Error& error) { note(&Seen::cannot_open, error); };
    callbacks.on_cycle_failed = [this](const Error& error) { note(&Seen::failures, error); };
    callbacks.on_slot = [this](SlotOwnership slot) { note(&Seen::slot, slot); };
    callbacks.on_late = [this](const LateIo& late) { note(&Seen::late, late); };
    callbacks.on_late_ended = [this](const LateIo& late) { note(&Seen::late_ended, late); };
    callbacks.on_cycle = [this](const core::CycleFinished& finished) {
        note(&Seen::cycles,
             Cycle{.id = finished.id,
                   .outcome = finished.outcome,
                   .own_as_written = finished.own_as_written,
                   .slots = {finished.slots.begin(), finished.slots.end()}});
    };
    Result<std::unique_ptr<DiskThread>> started =
        DiskThread::start({.path = std::move(options.path),
                           .thread_name = "diskping " + std::to_string(options.node),
                           .self = NodeNumber{options.node},
                           .cluster_name = std::move(options.cluster_name),
                           .slots_max = options.slots_max,
                           .retry_interval = options.retry_interval,
                           .late_after = options.late_after,
                           .callbacks = std::move(callbacks)});
    CSS_CHECK(started.has_value());
    thread_ = std::move(started).value();
}

template <class Entry>
void Ping::note(std::vector<Entry> Seen::*list, Entry entry) {
    const std::lock_guard lock{seen_.mutex};
    (seen_.*list).push_back(std::move(entry));
    seen_.changed.notify_all();
}

template <class Entry>
std::vector<Entry> Ping::copy(std::vector<Entry> Seen::*list) {
    const std::lock_guard lock{seen_.mutex};
    return seen_.*list;
}

template <class Predicate>
bool Ping::wait(const char* what, Predicate happened) {
    std::unique_lock lock{seen_.mutex};
    if (seen_.changed.wait_for(lock, kPatience, happened)) {
        return true;
    }
    ADD_FAILURE() << "did not happen: " << what;
    return false;
}

bool Ping::wait_opened(std::size_t times) {
    return wait("opened", [&] { return seen_.opened.size() >= times; });
}
bool Ping::wait_closed(std::size_t times) {
    return wait("closed", [&] { return seen_.closed.size() >= times; });
}
bool Ping::wait_cannot_open(std::size_t times) {
    return wait("cannot open", [&] { return seen_.cannot_open.size() >= times; });
}
bool Ping::wait_late(std::size_t times) {
    return wait("late", [&] { return seen_.late.size() >= times; });
}
bool Ping::wait_slot(SlotOwnership wanted) {
    return wait("slot", [&] { return !seen_.slot.empty() && seen_.slot.back() == wanted; });
}

bool Ping::own_slot() {
    thread_->acquire_slot();
    return wait_slot(SlotOwnership::kOwned);
}

void Ping::order(std::uint64_t id,
                 std::optional<core::CycleOrder::Own> own,
                 std::vector<core::CycleOrder::Kill> kills) {
    thread_->order(core::CycleOrder{.file = FileIndex{},
                                    .id = id,
                                    .slots = slots_max_,
                                    .own = std::move(own),
                                    .kills = std::move(kills)});
}

std::optional<Cycle> Ping::wait_cycle(std::uint64_t id) {
    std::optional<Cycle> found;
    (void)wait("cycle", [&] {
        const auto at = std::ranges::find(seen_.cycles, id, &Cycle::id);
        if (at != seen_.cycles.end()) {
            found = *at;
        }
        return found.has_value();
    });
    return found;
}

std::optional<Cycle> Ping::cycle(std::uint64_t id,
                                 std::optional<core::CycleOrder::Own> own,
                                 std::vector<core::CycleOrder::Kill> kills) {
    order(id, std::move(own), std::move(kills));
    return wait_cycle(id);
}

std::vector<Header> Ping::opened() {
    return copy(&Seen::opened);
}
std::vector<Error> Ping::closed() {
    return copy(&Seen::closed);
}
std::vector<Error> Ping::cannot_open() {
    return copy(&Seen::cannot_open);
}
std::vector<Error> Ping::failures() {
    return copy(&Seen::failures);
}
std::vector<LateIo> Ping::late() {
    return copy(&Seen::late);
}
std::vector<LateIo> Ping::late_ended() {
    return copy(&Seen::late_ended);
}
std::size_t Ping::cycles() {
    const std::lock_guard lock{seen_.mutex};
    return seen_.cycles.size();
}

}  // namespace css::test
