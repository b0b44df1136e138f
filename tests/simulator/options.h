#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cssd/base/mutation.h"
#include "cssd/base/timing.h"
#include "cssd/base/types.h"
#include "tests/simulator/event_queue.h"
#include "tests/simulator/fault_kind.h"
#include "tests/simulator/place.h"
#include "tests/simulator/schedule.h"

namespace css::sim {

/// What a fence does to the host (INTERFACE, fence_action).
enum class FenceMode : std::uint8_t { kReboot, kKillClients };

/// Everything that shapes a run, drawn from its seed and then overridden by the command line.
/// Times are true nanoseconds, ratios per thousand.
struct Options {
    std::uint64_t seed = 1;
    std::vector<NodeNumber> numbers;     ///< One machine each; gaps are deleted nodes.
    std::vector<std::uint32_t> weights;  ///< Of the nodes, in the order of `numbers`.
    unsigned slots_max = 64;             ///< Slots of each voting file.
    unsigned files = 3;
    unsigned spare_files = 0;  ///< Places for files that are added later.
    std::size_t sector_size = 512;
    unsigned interconnects = 1;
    /// [0] is in force at first; changes take single time-outs from the others.
    std::vector<Parameters> palette;
    FenceMode fence = FenceMode::kReboot;
    bool fence_command = false;  ///< E4 is configured.
    SimTime stop_max = 0;        ///< A fence has taken effect at most so long after its cause.
    SimTime network_delay_min = 0;
    SimTime network_delay_max = 0;
    SimTime disk_latency_min = 0;
    SimTime disk_latency_max = 0;
    unsigned loss_permille = 0;
    unsigned duplicate_permille = 0;
    unsigned reorder_permille = 0;   ///< Datagrams that take several times the longest delay.
    unsigned stall_permille = 0;     ///< Outputs interrupted by a short stop of the daemon.
    unsigned split_permille = 0;     ///< Cycles whose sectors land and are read at different times.
    std::uint16_t insane_files = 0;  ///< May lose what was acknowledged: a minority, by index.
    std::uint16_t bad_kill_files = 0;  ///< No kill block can be written there, by index.
    SimTime fault_phase = 0;
    SimTime fault_gap = 0;  ///< Mean time between two faults.
    std::array<std::uint8_t, kFaultKinds> mix{};
    std::vector<Ambush> ambushes;
    bool audit =
        false;  ///< Whether each instance keeps to the rules is checked, besides PROTOCOL 9.
    bool final_eviction = false;  ///< After recovery: one is evicted that neither hears nor reads.
    /// Somebody sends old datagrams again, also while recovery is judged: they count for nothing.
    bool replay_always = false;
    bool final_partition = false;       ///< After recovery: a fixed cut, and the best cohort.
    std::string again;                  ///< The words of the command line that make this run.
    std::vector<FaultAction> schedule;  ///< By time; drawn from the above, or read from a file.

    [[nodiscard]] unsigned nodes() const { return static_cast<unsigned>(numbers.size()); }
    [[nodiscard]] unsigned places() const { return files + spare_files; }
    [[nodiscard]] const Parameters& initial() const { return palette.front(); }
    /// The largest of each time-out that the run may use.
    [[nodiscard]] Parameters largest() const;
    [[nodiscard]] std::string describe() const;
};

/// The node counts, sizes and time-outs of the command line; zero: as drawn.
struct Overrides {
    unsigned nodes = 0;
    unsigned files = 0;
    unsigned interconnects = 0;
    std::size_t sector_size = 0;
    std::int64_t misscount_ms = 0;
    std::int64_t disktimeout_ms = 0;
    std::int64_t reboottime_ms = 0;
    std::int64_t fault_phase_ms = 0;
    Mutation directed = Mutation::kNone;  ///< Runs that come near this rule: see directed.h.
    std::string faults;  ///< Comma-separated names: only these. `none`: none. Empty: as drawn.
    [[nodiscard]] std::string words() const;  ///< Of the command line.
};

Options draw_options(std::uint64_t seed, const Overrides& overrides);
/// No faults, perfect network, fixed sizes: the ground that latency and bench runs stand on.
Options quiet_options(std::uint64_t seed, unsigned nodes, unsigned files, const Parameters& p);

}  // namespace css::sim
