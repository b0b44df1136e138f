#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cssd/core/io.h"
#include "tests/simulator/voting_image.h"
#include "tests/simulator/world.h"

namespace css::sim {

/// What becomes of the next write of own sectors.
enum class NextWrite : std::uint8_t {
    kWhole,
    kTorn,         ///< A part of a sector lands; see Disks::tear.
    kTornFatal,    ///< The same, since the host dies.
    kMisdirected,  ///< It lands in another slot.
    kLost,         ///< It is reported done and lands nowhere.
    kHostDies,     ///< The host dies meanwhile; it lands during the reset, or never.
    kDaemonDies,   ///< The daemon dies meanwhile, and it hangs.
};

/// Faults of one node's way to one file. Times are ends: the fault is on until then.
struct Path {
    SimTime hang_until = 0;          ///< Nothing moves on.
    SimTime answers_hang_until = 0;  ///< Sectors land and are read, but nobody hears of it.
    SimTime write_errors_until = 0;
    SimTime read_errors_until = 0;
    SimTime slow_until = 0;
    SimTime slow_by = 0;        ///< Longest extra latency of each stage.
    SimTime misread_until = 0;  ///< A sector of another slot or file is read in place of one.
    SimTime strands_until = 0;  ///< Of kDaemonDies.
    NextWrite next_write = NextWrite::kWhole;
};

/// But for the sequence and what goes with it at each write.
bool same_contents(const SlotView& a, const SlotView& b);

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
        return names(world_.options.insane_files, file);
    }
    /// Another file at this place. Nobody has the former one open.
    void format(unsigned file, unsigned version);
    /// Whether a daemon on this machine could read the file now.
    [[nodiscard]] bool reachable(const Machine& machine, unsigned file) const;
    void wipe(unsigned file);
    void replace(unsigned file);
    void save_copy(unsigned file);
    /// Brings back the saved copy, if that cannot mislead: an old copy is a lost file, and whoever
    /// counted what it held must not be short without it. So all that it holds stands on a
    /// majority without it, and every daemon has read that there.
    [[nodiscard]] bool restore(unsigned file);
    /// From now on this path shows the file as it is now, where that cannot mislead: a slot whose
    /// present contents this daemon has read on a majority without this file.
    void show_stale(unsigned machine, unsigned file, SimTime until);
    void heal();
    [[nodiscard]] bool path_well(unsigned machine) const;
    /// `hang errors`: the faults that are on, in words; empty: none.
    [[nodiscard]] std::string faults_on(unsigned machine, unsigned file) const;
    [[nodiscard]] unsigned files() const { return static_cast<unsigned>(images_.size()); }

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
        bool hung = false;      ///< At its present stage.
        std::uint16_t machine = 0;
        std::uint32_t life = 0;
        std::uint8_t file = 0;
        unsigned slots = 0;
        std::uint64_t id = 0;
        SimTime submitted_at = 0;
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

    /// A path that shows a file as it was.
    struct Stale {
        unsigned machine = 0;
        unsigned file = 0;
        SimTime until = 0;
        std::vector<SlotView> shown;
        PerFile<std::vector<SlotView>> known;  ///< What the daemon's newest reads showed.
    };

    /// Who has ordered the first write of the largest unique in a slot.
    struct Holder {
        Unique unique;
        HostId host;
        unsigned machine = 0;
        PerFile<SimTime> landed;  ///< First time, by file.
    };

    struct EncodedBallot {
        NodeNumber slot;
        FileUid file;
        voting::Ballot ballot;
        std::vector<std::byte> bytes;
    };

    // Requests (disks.cc).
    void encode_ballot(const Request& request,
                       const voting::Ballot& ballot,
                       std::span<std::byte> sector);
    unsigned new_request();
    void release(unsigned index);
    void schedule(EventKind kind, unsigned index, SimTime delay);
    SimTime latency(const Request& request);
    void land_sectors(unsigned index);
    void note_holder(const Machine& machine, Unique unique);
    void check_kill(const Request& request, const core::CycleOrder::Kill& kill) const;
    void land_sector(Request& request, std::size_t which);
    /// Of the options' sets of files, by index.
    static bool names(unsigned files, unsigned file) { return (files >> file & 1U) != 0; }
    [[nodiscard]] bool kills_refused(unsigned file) const {
        return names(world_.options.bad_kill_files, file);
    }
    void land_kills(Request& request);
    void lose(unsigned index);
    void land_heartbeat(const Request& request, std::span<const std::byte> bytes);
    void write(unsigned file, NodeNumber slot, std::size_t which, std::span<const std::byte> bytes);
    void before_change(unsigned file);
    void take_copy(Request& request);
    void finish(unsigned index);
    void end_read(Request& request);
    [[nodiscard]] core::CycleFinished result_of(const Request& request) const;

    // Faults on its way (disk_faults.cc).
    [[nodiscard]] SimTime hang_end(const Event& event, const Request& request) const;
    /// True: a hang is on; the event was put off.
    bool put_off(const Event& event, Request& request);
    /// True: errors are on for what happens until then.
    bool fails(const Request& request, SimTime until, DiskEffect which) const;
    [[nodiscard]] bool never_lands(const Request& request) const;
    void begin_demise(Machine& machine, Path& path);
    /// What a fault of the next write leaves of it; true: nothing more lands.
    bool land_otherwise(Request& request);
    void land_misdirected(const Request& request, NodeNumber where);
    /// True: this sector was torn and has landed as far as it does.
    bool tear(Request& request, std::size_t which, std::span<const std::byte> bytes);
    void misread(Request& request);
    void read_stale(Request& request);
    [[nodiscard]] bool known_elsewhere(const Stale& stale, NodeNumber n, const SlotView& now) const;
    [[nodiscard]] bool stands_elsewhere(unsigned file, NodeNumber n) const;
    [[nodiscard]] bool all_have_read(unsigned without) const;
    void count(DiskEffect effect) const {
        ++world_.counters.disk_effects[static_cast<std::size_t>(effect)];
    }

    World& world_;
    std::vector<VotingImage> images_;
    std::vector<std::vector<std::byte>> saved_;
    std::vector<SimTime> hangs_;
    std::vector<Path> paths_;                   ///< By machine, then file.
    std::vector<PerNode<Incarnation>> landed_;  ///< By file.
    std::vector<unsigned> in_flight_;           ///< By machine, then file.
    std::vector<EncodedBallot> ballots_;        ///< The same.
    std::vector<SimTime> read_from_;            ///< The same: begin of the daemon's newest read.
    std::vector<bool> misled_;  ///< The same: it read another sector in place of one.
    std::vector<PerNode<SimTime>> kill_landed_;  ///< By file.
    std::vector<PerNode<SimTime>> lost_at_;      ///< By machine: another one took this slot.
    PerNode<Holder> holders_;                    ///< Of each slot.
    SimTime changed_ = 0;                        ///< Any sector, but for its sequence.
    std::vector<Stale> stale_;
    std::vector<Request> requests_;
    std::vector<unsigned> free_;
    std::vector<std::vector<unsigned>> sharing_;  ///< By file: requests with a shared snapshot.
};

}  // namespace css::sim
