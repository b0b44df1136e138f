#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cssd/core/io.h"
#include "tests/simulator/voting_image.h"
#include "tests/simulator/world.h"

namespace css::sim {

/// Faults of one node's way to one file. Times are ends: the fault is on until then.
struct Path {
    SimTime hang_until = 0;
    SimTime error_until = 0;
    SimTime slow_until = 0;
    SimTime slow_by = 0;        ///< Longest extra latency of each stage.
    SimTime misread_until = 0;  ///< Insane files only, as the next two.
    bool tear_next = false;
    bool misdirect_next = false;
};

/// The voting files and everything on its way to or from them.
///
/// Invariant: a request is in flight until its own end, whatever happens to the daemon or host
/// that asked; the slot lock of its host and file is held until then (PROTOCOL 8).
class Disks {
public:
    explicit Disks(World& world);

    /// Carries out one cycle: writes, then the read; ends in Runtime::step(CycleFinished).
    void submit(Machine& machine, const core::CycleOrder& order);
    void on_land(const Event& event);
    void on_land_ballot(const Event& event);
    void on_read(const Event& event);
    void on_done(const Event& event);

    /// The requests of a daemon that is no more land when they would have, or ...
    void daemon_died(const Machine& machine);
    /// ... within the time that a reset takes, or never.
    void host_crashed(const Machine& machine);
    [[nodiscard]] bool busy(const Machine& machine, FileIndex file) const;
    [[nodiscard]] bool busy(const Machine& machine) const;

    [[nodiscard]] Path& path(unsigned machine, unsigned file) {
        return paths_[machine * images_.size() + file];
    }
    [[nodiscard]] SimTime& file_hang(unsigned file) { return hangs_[file]; }
    [[nodiscard]] bool insane(unsigned file) const {
        return (world_.options.insane_files >> file & 1U) != 0;
    }
    /// Another file at this place. Nobody has the former one open.
    void format(unsigned file, unsigned version);
    /// Whether a daemon on this machine could read the file now.
    [[nodiscard]] bool reachable(const Machine& machine, unsigned file) const;
    void wipe(unsigned file);
    void replace(unsigned file);
    void save_copy(unsigned file);
    /// Brings back the saved copy, if nothing that stands on this file stands there alone: an old
    /// copy is one lost file, and the majority that counted it must not be short without it.
    [[nodiscard]] bool restore(unsigned file);
    void heal();
    [[nodiscard]] bool path_well(unsigned machine) const;

    /// On which files an own H of this slot with this or a later record has landed.
    [[nodiscard]] FileSet files_holding(NodeNumber slot, Incarnation incarnation) const;
    [[nodiscard]] const VotingImage& image(FileIndex file) const { return images_[file.index()]; }
    [[nodiscard]] VotingImage& image(FileIndex file) { return images_[file.index()]; }

private:
    struct Kill {
        NodeNumber slot;
        std::vector<std::byte> bytes;
    };
    struct Request {
        bool in_use = false;
        bool orphan = false;  ///< The daemon that asked is no more.
        bool shared = false;  ///< Its snapshot is what the image shows now.
        bool copied = false;  ///< Its snapshot is in `copy`.
        bool own = false;
        bool as_written = false;
        bool detailed = false;  ///< Sectors land and are read at times of their own.
        std::uint16_t machine = 0;
        std::uint32_t life = 0;
        std::uint8_t file = 0;
        unsigned slots = 0;
        std::uint64_t id = 0;
        std::optional<core::HeaderOrder> header;
        NodeNumber self;
        Incarnation incarnation;
        Unique unique;
        SimTime lands_by = 0;  ///< Of an orphan: dropped when later. 0: no limit.
        core::CycleOutcome outcome = core::CycleOutcome::kDone;
        std::vector<std::byte> written;  ///< H and B.
        std::vector<Kill> kills;         ///< Only the first `kill_count` belong to this cycle.
        std::size_t kill_count = 0;
        std::vector<SlotView> copy;
    };

    unsigned new_request();
    void release(unsigned index);
    void schedule(EventKind kind, unsigned index, SimTime delay);
    SimTime latency(const Request& request);
    [[nodiscard]] SimTime hang_end(const Request& request) const;
    /// True: a hang is on; the event was put off.
    bool put_off(const Event& event, const Request& request);
    bool fails(const Request& request) const;
    [[nodiscard]] bool never_lands(const Request& request) const;
    void land_sector(Request& request, std::size_t which);
    void land_kills(Request& request);
    void land_misdirected(const Request& request, NodeNumber where);
    void lose(unsigned index);
    void land_heartbeat(const Request& request, std::span<const std::byte> bytes);
    void before_change(unsigned file);
    void snapshot_misread(Request& request);
    void finish(unsigned index);

    World& world_;
    std::vector<VotingImage> images_;
    std::vector<std::vector<std::byte>> saved_;
    std::vector<SimTime> hangs_;
    std::vector<Path> paths_;                   ///< By machine, then file.
    std::vector<PerNode<Incarnation>> landed_;  ///< By file.
    std::vector<unsigned> in_flight_;           ///< By machine, then file.
    std::vector<Request> requests_;
    std::vector<unsigned> free_;
    std::vector<std::vector<unsigned>> sharing_;  ///< By file: requests with a shared snapshot.
};

}  // namespace css::sim
