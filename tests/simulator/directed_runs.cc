#include "tests/simulator/directed_runs.h"

#include <algorithm>
#include <initializer_list>

#include "tests/simulator/planner.h"
#include "tests/simulator/prng.h"

namespace css::sim::runs {
namespace {

using Ms = std::chrono::milliseconds;
using Kind = FaultKind;

/// A small cluster with short time-outs and no faults yet: cheap, so that many can be tried. The
/// rest of the drawn options is gone.
void small(Options& o, unsigned nodes, unsigned files) {
    Prng prng{o.seed, 11};
    const std::uint64_t seed = o.seed;
    const Parameters p{Ms{1000}, Ms{5000}, Ms{prng.range(200, 400)}};
    o = quiet_options(seed, nodes, files, p);
    o.slots_max = nodes;
    o.fence = prng.coin() ? FenceMode::kReboot : FenceMode::kKillClients;
    o.network_delay_max = prng.log_range(300'000, 5'000'000);
    o.disk_latency_max = prng.log_range(1'500'000, 20'000'000);
    o.split_permille = prng.coin() ? 500 : 0;
    o.fault_phase = 20'000'000'000;
    o.fault_gap = 800'000'000;
}

void mix(Options& o, std::initializer_list<Kind> kinds) {
    for (const Kind kind : kinds) {
        o.mix[static_cast<std::size_t>(kind)] = 5;
    }
}

/// Entries of a fixed schedule; where exactly its beginning falls in the cycles is drawn.
class Script {
public:
    explicit Script(Options& o, double begin = 6.0) : o_(o), prng_{o.seed, 13} {
        begin_ = nanoseconds(begin) + prng_.range(0, 150'000'000);
    }
    double between(double least, double most) {
        return static_cast<double>(prng_.range(nanoseconds(least), nanoseconds(most))) / 1e9;
    }
    Script& node(double at, Kind kind, unsigned a, double length = 0.001) {
        return add(at, kind, a, a, 0, length);
    }
    Script& pair(double at, Kind kind, unsigned a, unsigned b, double length = 0.001) {
        return add(at, kind, a, b, 0, length);
    }
    Script& path(double at, Kind kind, unsigned a, unsigned file, double length) {
        return add(at, kind, a, a, file, length);
    }

    /// Of the next write there, this is torn.
    Script& torn(double at, NextWrite how, unsigned a, unsigned file) {
        add(at, Kind::kTornWrite, a, a, file, 0.1);
        while (tear_of(o_.schedule.back()) != how) {
            ++o_.schedule.back().salt;
        }
        return *this;
    }

private:
    static SimTime nanoseconds(double seconds) { return static_cast<SimTime>(seconds * 1e9); }
    Script& add(double at, Kind kind, unsigned a, unsigned b, unsigned file, double length) {
        o_.schedule.push_back({.at = begin_ + nanoseconds(at),
                               .kind = kind,
                               .a = a,
                               .b = b,
                               .file = file,
                               .duration = nanoseconds(length),
                               .salt = prng_.next()});
        return *this;
    }

    Options& o_;
    Prng prng_;
    SimTime begin_ = 0;
};

void ambush(Options& o,
            Place place,
            std::initializer_list<Kind> moves,
            unsigned permille = 500,
            unsigned percent = 0) {
    o.ambushes.push_back({place, moves, permille, percent});
}

}  // namespace

// ---- lease and guardians

void paused(Options& o) {
    small(o, 2, 1);
    mix(o, {Kind::kPauseDaemon});
}
void paused_joiner(Options& o) {
    small(o, 3, 1);
    mix(o, {Kind::kPauseDaemon, Kind::kKillDaemon, Kind::kStandby});
    ambush(o, Place::kInstance, {Kind::kPauseDaemon}, 500, 700);
}
void misdirected(Options& o) {
    small(o, 3, 3);
    o.insane_files = 1;
    mix(o, {Kind::kMisdirectedWrite, Kind::kTornWrite, Kind::kHangPath, Kind::kKillDaemon});
}
void newcomer(Options& o) {
    small(o, 3, 1);
    o.disk_latency_max = 20'000'000;
    mix(o, {Kind::kKillDaemon, Kind::kSlowPath});
    ambush(o, Place::kListed, {Kind::kEvict}, 400);
    ambush(o, Place::kListed, {Kind::kHangAll, Kind::kIsolate, Kind::kEvict}, 200);
}
void crashes(Options& o) {
    small(o, 3, 3);
    mix(o, {Kind::kCrashHost, Kind::kKillDaemon, Kind::kIsolate, Kind::kPauseDaemon});
}
void paused_after_record(Options& o) {
    small(o, 2, 1);
    mix(o, {Kind::kKillDaemon, Kind::kCrashHost});
    ambush(o, Place::kRecord, {Kind::kPauseDaemon}, 500, 300);
}
void paused_after_resetting(Options& o) {
    small(o, 2, 1);
    mix(o, {Kind::kEvict});
    ambush(o, Place::kResetting, {Kind::kPauseDaemon}, 700, 300);
}
void evictions(Options& o) {
    small(o, 3, 3);
    mix(o, {Kind::kEvict});
}
void guardian_lost(Options& o) {
    small(o, 2, 1);
    mix(o, {Kind::kGuardianLost});
}

// ---- network

void one_way(Options& o) {
    small(o, 3, 3);
    mix(o, {Kind::kMute, Kind::kDeafen, Kind::kHangAll, Kind::kCutOneWay});
}
void replays(Options& o) {
    small(o, 3, 1);
    mix(o, {Kind::kReplay, Kind::kKillDaemon});
    o.replay_always = true;
}

// ---- ballots

void killed_at_decision(Options& o) {
    small(o, 3, 3);
    o.disk_latency_max = 20'000'000;
    mix(o, {Kind::kKillDaemon, Kind::kEvict});
    ambush(o, Place::kDecided, {Kind::kKillDaemon}, 400);
}
void contention(Options& o) {
    small(o, 3, 3);
    o.disk_latency_max = 20'000'000;
    o.split_permille = 500;
    o.fault_gap = 200'000'000;
    mix(o, {Kind::kParameters, Kind::kEvict, Kind::kSlowPath});
    ambush(o, Place::kBallot, {Kind::kKillDaemon}, 60);
    ambush(o, Place::kBallot, {Kind::kPauseDaemon}, 100, 10);
    ambush(o, Place::kDecided, {Kind::kKillDaemon}, 100);
}
void killed_at_ballot(Options& o) {
    small(o, 3, 3);
    mix(o, {Kind::kKillDaemon, Kind::kEvict});
    ambush(o, Place::kBallot, {Kind::kKillDaemon}, 200);
}

// ---- starting

void restarts(Options& o) {
    small(o, 3, 3);
    o.fault_gap = 300'000'000;
    mix(o, {Kind::kKillDaemon, Kind::kHangPath, Kind::kWallJump});
    ambush(o, Place::kRecord, {Kind::kHangPath, Kind::kKillDaemon}, 200);
}
/// Lives of one daemon that cannot see each other's first write.
void wall_jumps(Options& o) {
    small(o, 2, 3);
    o.fault_gap = 150'000'000;
    mix(o, {Kind::kKillDaemon, Kind::kHangPath, Kind::kWallJump, Kind::kLostWrite});
    ambush(o, Place::kInstance, {Kind::kHangPath, Kind::kKillDaemon, Kind::kWallJump}, 400);
}
/// A number moves between hosts, and what the new one writes at first is lost.
void slot_taken(Options& o) {
    small(o, 2, 3);
    o.fault_gap = 150'000'000;
    mix(o, {Kind::kForeignHost, Kind::kLostWrite, Kind::kCrashHost});
}
void clones(Options& o) {
    small(o, 2, 3);
    mix(o, {Kind::kClone});
}
void foreign(Options& o) {
    small(o, 2, 3);
    mix(o, {Kind::kForeignHost, Kind::kIsolate, Kind::kPauseDaemon, Kind::kHangAll});
}
void foreign_while_asleep(Options& o) {
    small(o, 2, 3);
    o.fence = FenceMode::kKillClients;
    mix(o, {Kind::kForeignHost, Kind::kPauseDaemon});
}
void foreign_while_a_starter_sleeps(Options& o) {
    small(o, 1, 3);
    Script script{o, 0.1};
    const double asleep = script.between(0, 1.5);
    script.node(asleep, Kind::kPauseDaemon, 0, 4.0).node(asleep, Kind::kForeignHost, 0, 5.0);
}

// ---- settling and cohort

void clean_cuts(Options& o) {
    small(o, 4, 3);
    o.final_partition = true;
    o.fault_phase = 4'000'000'000;
}
void partial_cuts(Options& o) {
    clean_cuts(o);
    o.numbers.emplace_back(5);
    o.weights.push_back(1);
    o.slots_max = 5;
}
void slow_and_left(Options& o) {
    small(o, 3, 3);
    mix(o, {Kind::kHangAll, Kind::kSlowPath, Kind::kLeave});
}
void cut_joiners(Options& o) {
    small(o, 3, 1);
    mix(o, {Kind::kCutPair, Kind::kJoinStorm, Kind::kKillDaemon});
    o.fault_gap = 400'000'000;
}

// ---- confirming

void isolated_again(Options& o) {
    small(o, 2, 3);
    mix(o, {Kind::kIsolate, Kind::kPauseDaemon, Kind::kHangAll});
}
void left_and_back(Options& o) {
    small(o, 2, 3);
    mix(o, {Kind::kLeave, Kind::kPauseDaemon, Kind::kIsolate});
}
void one_file_missed(Options& o) {
    small(o, 2, 3);
    mix(o, {Kind::kKillDaemon, Kind::kHangPath, Kind::kPauseDaemon});
    ambush(o, Place::kInstance, {Kind::kHangPath}, 500);
}
void alone_and_paused(Options& o) {
    small(o, 2, 1);
    mix(o, {Kind::kCrashHost, Kind::kPauseDaemon});
    ambush(o, Place::kActive, {Kind::kPauseDaemon}, 200, 500);
}
void disk_silence(Options& o) {
    small(o, 3, 1);
    mix(o, {Kind::kHangAll, Kind::kEvict});
}
void long_misscount(Options& o) {
    small(o, 2, 1);
    o.palette.assign(1, Parameters{Ms{600'000}, Ms{1'200'000}, Ms{2'000}});
    o.stop_max = 1'800'000'000;
    o.fault_phase = 6'000'000'000'000;
    o.fault_gap = 600'000'000'000;
    mix(o, {Kind::kPauseDaemon});
}

void file_changes(Options& o) {
    small(o, 2, 3);
    o.spare_files = 3;
    mix(o,
        {Kind::kHangPath, Kind::kHangAll, Kind::kIsolate, Kind::kKillDaemon, Kind::kPauseDaemon});
    o.mix[static_cast<std::size_t>(Kind::kVotingFiles)] = 12;
}

// ---- schedules

/// One node reaches one file only, the other the two others; they cannot hear each other.
void disks_apart(Options& o) {
    small(o, 2, 3);
    Script{o}
        .path(0, Kind::kErrorPath, 0, 0, 6)
        .path(0, Kind::kErrorPath, 0, 1, 6)
        .path(0, Kind::kHangPath, 1, 2, 6)
        .pair(0, Kind::kCutPair, 0, 1, 6);
}
/// The same, and each of the two is to be evicted by the other.
void two_evictions(Options& o) {
    small(o, 2, 3);
    Script{o}
        .path(0, Kind::kErrorPath, 0, 0, 6)
        .path(0, Kind::kErrorPath, 0, 1, 6)
        .path(0, Kind::kHangPath, 1, 2, 6)
        .pair(0.05, Kind::kEvict, 0, 1)
        .pair(0.05, Kind::kEvict, 1, 0);
}
/// An isolated node's read hangs when it has been answered on the disk and before it is known.
void read_hung(Options& o) {
    small(o, 2, 1);
    o.palette[0].reboottime = Ms{200};
    o.stop_max = 180'000'000;
    o.disk_latency_max = 20'000'000;
    o.split_permille = 1000;
    Script script{o};
    const double hang = script.between(0, 0.1);
    script.node(0, Kind::kIsolate, 0, 5)
        .node(hang, Kind::kHangAll, 0, 0.65)
        .node(hang + 0.651, Kind::kHangAll, 0, 3);
}
/// A node that restarts twice is not heard the second time by one whose disks hang, and who
/// therefore goes on echoing its former life.
void echo_of_former(Options& o) {
    small(o, 3, 1);
    Script{o}
        .node(0, Kind::kKillDaemon, 2)
        .node(1.5, Kind::kHangAll, 1, 5)
        .node(1.5, Kind::kMute, 2, 5)
        .node(1.6, Kind::kKillDaemon, 2);
}
/// A joiner that nobody hears has no disks for longer than SIOT.
void hung_joiner(Options& o) {
    small(o, 2, 1);
    Script{o}.node(0, Kind::kIsolate, 1, 6).node(3.5, Kind::kHangAll, 1, 1.5);
}
/// The victim writes on the first file again when the judge cannot read it any more.
void wandering_majority(Options& o) {
    small(o, 2, 3);
    Script{o}
        .path(-1.3, Kind::kHangPath, 1, 0, 1.3)
        .path(-0.05, Kind::kHangPath, 0, 0, 5)
        .path(0, Kind::kHangPath, 1, 1, 3)
        .pair(0, Kind::kCutPair, 0, 1, 5);
}
/// The judge has lost one file, the victim another; a third node decides.
void judge_hung(Options& o) {
    small(o, 3, 3);
    Script{o}
        .path(0, Kind::kHangPath, 2, 0, 4)
        .path(0, Kind::kHangPath, 1, 2, 4)
        .node(0, Kind::kIsolate, 2, 4)
        .node(0.95, Kind::kHangAll, 2, 3)
        .pair(1.05, Kind::kEvict, 0, 2);
}
/// The same, but the judge's read of the file that it has lost ends when the window has closed.
void judge_read_hung(Options& o) {
    small(o, 3, 3);
    o.disk_latency_max = 20'000'000;
    o.split_permille = 1000;
    Script script{o};
    const double hang = script.between(0, 0.1);
    script.path(-0.2, Kind::kHangPath, 2, 2, 0.2 + hang + 0.02)
        .path(0, Kind::kHangPath, 2, 0, 4)
        .path(hang, Kind::kHangPath, 1, 2, 1.12 - hang)
        .node(0, Kind::kIsolate, 2, 4)
        .node(0.95, Kind::kHangAll, 2, 3)
        .pair(1.0, Kind::kEvict, 0, 2);
}
/// The victim begins a life and is dropped while the judge cannot read: all that it read is of
/// before (found with seed 315196).
void judge_blind(Options& o) {
    small(o, 3, 1);
    o.palette.assign(1, Parameters{Ms{1000}, Ms{2000}, Ms{300}});
    o.stop_max = 270'000'000;
    Script script{o};
    script.node(0, Kind::kCrashHost, 0, 2.6)
        .path(script.between(2.5, 2.8), Kind::kErrorPath, 2, 0, 4)
        .node(script.between(3.3, 4.4), Kind::kGuardianLost, 0);
}
/// The only witness leaves and goes on echoing the victim, whose disks hang.
void witness_leaves(Options& o) {
    small(o, 3, 1);
    Script{o, 5.0}
        .pair(0, Kind::kCutPair, 1, 2, 14)
        .node(0.05, Kind::kKillDaemon, 2)
        .node(3.5, Kind::kHangAll, 1, 5)
        .node(3.6, Kind::kLeave, 0);
}
/// A node alone is stopped when it has decided to take another in.
void paused_at_decision(Options& o) {
    small(o, 2, 1);
    mix(o, {Kind::kKillDaemon, Kind::kCrashHost});
    ambush(o, Place::kDecided, {Kind::kPauseDaemon}, 400, 400);
}
/// Evicted when it neither hears nor reads.
void eviction_at_last(Options& o) {
    small(o, 3, 3);
    o.palette.assign(1, Parameters{});
    o.stop_max = 2'700'000'000;
    o.fault_phase = 10'000'000'000;
    o.final_eviction = true;
}
/// A slow write of the former life is still under way when the daemon is back.
void late_writes(Options& o) {
    small(o, 2, 3);
    o.fence = FenceMode::kKillClients;
    o.fault_gap = 150'000'000;
    mix(o, {Kind::kKillDaemon, Kind::kSlowPath});
}
/// Another host takes a slot and writes while the slot's own host waits for it.
void two_starters(Options& o) {
    small(o, 1, 1);
    o.disk_latency_max = 50'000'000;
    Script{o, 0.35}.node(0, Kind::kForeignHost, 0, Script{o, 1.0}.between(0.5, 4.0));
}
/// A decision stands in the blocks of two files; the proposer dies when it knows, one of the files
/// loses its block and the other one hangs.
void own_block_lost(Options& o) {
    small(o, 3, 3);
    o.insane_files = 1;
    o.fence = FenceMode::kKillClients;
    Script script{o};
    script.path(0, Kind::kErrorPath, 0, 2, 0.3).pair(0.03, Kind::kEvict, 0, 2);
    const double lost = script.between(0.06, 0.14);
    script.path(lost, Kind::kMisdirectedWrite, 1, 0, 0.1)
        .path(lost + script.between(0.01, 0.05), Kind::kHangFile, 1, 1, 6);
    ambush(o, Place::kDecided, {Kind::kKillDaemon}, 600);
}
/// A proposer's second phase is stuck on one file while another node decides without it, moves on,
/// and shows there nothing but its block of the next instance.
void overtaken(Options& o) {
    small(o, 2, 3);
    o.palette.push_back(Parameters{Ms{1000}, Ms{6000}, Ms{300}});
    o.palette.push_back(Parameters{Ms{1000}, Ms{7000}, Ms{300}});
    o.insane_files = 1;
    o.split_permille = 0;
    o.disk_latency_min = 10'000'000;
    o.disk_latency_max = 12'000'000;
    Script script{o};
    script.pair(-0.05, Kind::kCutPair, 0, 1, 0.6)
        .path(0, Kind::kHangPath, 1, 2, 10)
        .path(-0.02, Kind::kHangPath, 0, 1, 0.15)
        .node(0, Kind::kParameters, 1)
        .path(script.between(0.02, 0.035), Kind::kHangPath, 1, 0, 0.28)
        .path(script.between(0.045, 0.06), Kind::kHangPath, 1, 1, 0.5)
        .node(0.05, Kind::kParameters, 0)
        .pair(script.between(0.13, 0.25), Kind::kEvict, 0, 1);
    for (unsigned i = 0; i < 25; ++i) {
        script.torn(0.09 + 0.01 * i, NextWrite::kTorn, 0, 0);
    }
}
/// Time-outs grow, and who has taken them reaches nothing from then on.
void timeouts_change(Options& o) {
    small(o, 2, 1);
    o.palette.assign(1, Parameters{Ms{1000}, Ms{5000}, Ms{300}});
    o.palette.push_back(Parameters{Ms{1500}, Ms{10'000}, Ms{300}});
    o.stop_max = 270'000'000;
    o.fault_gap = 400'000'000;
    mix(o, {Kind::kParameters});
    ambush(o, Place::kRecord, {Kind::kHangAll, Kind::kDeafen, Kind::kEvict}, 300, 200);
}
/// Time-outs shrink while a member, whose files hang, is not heard but hears it: the end that the
/// smaller ones give is near.
void timeouts_shrink(Options& o) {
    timeouts_change(o);
    o.ambushes.clear();
    o.mix = {};
    Script script{o};
    for (unsigned i = 0; i < 6; ++i) {
        const double at = 2.0 * i;
        const double quiet = script.between(0.2, 0.6);
        const double length = quiet + script.between(0.05, 0.3);
        script.node(at - quiet, Kind::kMute, 0, length)
            .node(at - quiet, Kind::kHangAll, 0, length)
            .node(at, Kind::kParameters, 1);
    }
}
/// One that was evicted while it slept wakes within its lease, as the time-outs shrink and the
/// window that confirms it by the shorter ones is about to close.
void stopped_while_timeouts_shrink(Options& o) {
    small(o, 2, 1);
    o.palette.assign(1, Parameters{Ms{2000}, Ms{5000}, Ms{500}});
    o.palette.push_back(Parameters{Ms{1000}, Ms{5000}, Ms{500}});
    Script script{o};
    const double asleep = script.between(1.0, 1.2);
    script.node(0, Kind::kPauseDaemon, 0, asleep)
        .pair(0.05, Kind::kEvict, 1, 0)
        .node(asleep - 0.1, Kind::kParameters, 1);
}

}  // namespace css::sim::runs
