#include "tests/simulator/directed.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "cssd/base/check.h"
#include "tests/simulator/prng.h"

namespace css::sim {
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

void ambush(Options& o,
            Place place,
            std::initializer_list<Kind> moves,
            unsigned permille = 500,
            unsigned percent = 0) {
    o.ambushes.push_back({place, moves, permille, percent});
}

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
void hung_and_isolated(Options& o) {
    small(o, 2, 1);
    o.disk_latency_max = 20'000'000;
    o.split_permille = 1000;
    mix(o, {Kind::kHangAll, Kind::kIsolate, Kind::kPauseDaemon});
}
void disks_apart(Options& o) {
    small(o, 2, 3);
    mix(o, {Kind::kErrorPath, Kind::kHangPath, Kind::kIsolate, Kind::kEvict, Kind::kParameters});
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
void deaf_and_restarted(Options& o) {
    small(o, 3, 1);
    mix(o, {Kind::kKillDaemon});
    ambush(o, Place::kInstance, {Kind::kMute}, 500, 100);
    ambush(o, Place::kDropped, {Kind::kKillDaemon}, 300);
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
void wall_jumps(Options& o) {
    small(o, 2, 3);
    o.fault_gap = 300'000'000;
    mix(o, {Kind::kKillDaemon, Kind::kHangPath, Kind::kWallJump});
    ambush(o, Place::kInstance, {Kind::kHangPath, Kind::kKillDaemon, Kind::kWallJump}, 400);
}
void clones(Options& o) {
    small(o, 2, 3);
    mix(o, {Kind::kClone});
}
void foreign(Options& o) {
    small(o, 2, 3);
    mix(o, {Kind::kForeignHost, Kind::kIsolate, Kind::kPauseDaemon, Kind::kHangAll});
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
void hung_joiner(Options& o) {
    small(o, 2, 1);
    mix(o, {Kind::kIsolate, Kind::kHangAll});
    ambush(o, Place::kInstance, {Kind::kIsolate}, 500, 250);
    ambush(o, Place::kInstance, {Kind::kHangAll}, 500, 150);
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
void judge_hung(Options& o) {
    small(o, 3, 1);
    o.disk_latency_max = 20'000'000;
    o.split_permille = 1000;
    mix(o, {Kind::kIsolate, Kind::kHangAll});
    ambush(o, Place::kDropped, {Kind::kHangAll}, 300, 100);
}
void wandering_majority(Options& o) {
    small(o, 2, 3);
    o.fault_gap = 300'000'000;
    mix(o, {Kind::kHangPath, Kind::kIsolate});
}
void witness_leaves(Options& o) {
    small(o, 3, 1);
    mix(o, {Kind::kHangAll, Kind::kLeave, Kind::kCutPair, Kind::kKillDaemon, Kind::kIsolate});
}
void long_misscount(Options& o) {
    small(o, 2, 1);
    o.palette.assign(1, Parameters{Ms{600'000}, Ms{1'200'000}, Ms{2'000}});
    o.stop_max = 1'800'000'000;
    o.fault_phase = 6'000'000'000'000;
    o.fault_gap = 600'000'000'000;
    mix(o, {Kind::kPauseDaemon});
}
void timeouts_change(Options& o) {
    small(o, 2, 3);
    o.palette.push_back(Parameters{Ms{4000}, Ms{20'000}, Ms{300}});
    o.stop_max = std::min(o.stop_max, SimTime{270'000'000});
    o.fault_gap = 500'000'000;
    mix(o, {Kind::kParameters});
    ambush(o, Place::kTimeouts, {Kind::kHangAll, Kind::kDeafen, Kind::kEvict}, 300, 250);
    ambush(o, Place::kRecord, {Kind::kPauseDaemon, Kind::kEvict}, 200, 250);
}

void file_changes(Options& o) {
    small(o, 2, 3);
    o.spare_files = 3;
    mix(o,
        {Kind::kHangPath, Kind::kHangAll, Kind::kIsolate, Kind::kKillDaemon, Kind::kPauseDaemon});
    o.mix[static_cast<std::size_t>(Kind::kVotingFiles)] = 12;
}

constexpr std::array kTable{
    Directed{Mutation::kGuardianToldLiot, "guardian-told-liot", "4", paused},
    Directed{Mutation::kLeaseByPublishedOnly, "lease-by-published-only", "4", paused_after_record},
    Directed{Mutation::kLeaseByAdoptedOnly, "lease-by-adopted-only", "4", paused_after_record},
    Directed{Mutation::kLapsedLeaseRenewed, "lapsed-lease-renewed", "4", paused},
    Directed{Mutation::kLapseAfterNews, "lapse-after-news", "4", paused},
    Directed{Mutation::kCycleTimeAfterWrite, "cycle-time-after-write", "4", hung_and_isolated},
    Directed{Mutation::kCycleWithoutReadBack, "cycle-without-read-back", "4", misdirected},
    Directed{Mutation::kReadBeforeWrite, "read-before-write", "4", newcomer},
    Directed{Mutation::kMajorityOfReachable, "majority-of-reachable", "2", disks_apart},
    Directed{Mutation::kNoJoiningLease, "no-joining-lease", "4", paused_joiner},
    Directed{Mutation::kActWithoutOwnCycle, "act-without-own-cycle", "4", newcomer},
    Directed{Mutation::kActWithoutComplete, "act-without-complete", "4", crashes},
    Directed{Mutation::kDroppedGoesOn, "dropped-goes-on", "4", evictions},
    Directed{Mutation::kKilledGoesOn, "killed-goes-on", "4", evictions},
    Directed{Mutation::kReplacedGoesOn, "replaced-goes-on", "4", wall_jumps},
    Directed{Mutation::kUnguardedGoesOn, "unguarded-goes-on", "4", guardian_lost},
    Directed{Mutation::kPublishBeforeGuardian, "publish-before-guardian", "8", paused_after_record},
    Directed{Mutation::kResettingBeforeGuardian,
             "resetting-before-guardian",
             "8",
             paused_after_resetting},
    Directed{Mutation::kActBeforeArmed, "act-before-armed", "8", crashes},
    Directed{Mutation::kNoEcho, "no-echo", "5", one_way},
    Directed{Mutation::kEchoByNumber, "echo-by-number", "5", deaf_and_restarted},
    Directed{Mutation::kEchoDropped, "echo-dropped", "5", evictions},
    Directed{Mutation::kEchoWhileStopping, "echo-while-stopping", "5", evictions},
    Directed{Mutation::kReplayCounts, "replay-counts", "5", replays},
    Directed{Mutation::kDatagramBeforeStanding, "datagram-before-standing", "5", restarts},
    Directed{Mutation::kOwnBallotNotRecovered, "own-ballot-not-recovered", "6", killed_at_decision},
    Directed{Mutation::kRecoverHighestMbal, "recover-highest-mbal", "6", killed_at_decision},
    Directed{Mutation::kAdoptHighestMbal, "adopt-highest-mbal", "6", contention},
    Directed{Mutation::kNewBallotClearsBal, "new-ballot-clears-bal", "6", killed_at_decision},
    Directed{Mutation::kOwnValueAlways, "own-value-always", "6", killed_at_decision},
    Directed{Mutation::kLaterInstanceIsEmpty, "later-instance-is-empty", "6", contention},
    Directed{Mutation::kBallotByReachable, "ballot-by-reachable", "6", disks_apart},
    Directed{Mutation::kBallotBeforeStanding, "ballot-before-standing", "6", killed_at_ballot},
    Directed{Mutation::kStartWithoutRecord, "start-without-record", "6", restarts},
    Directed{Mutation::kStartOwnUnreadable, "start-own-unreadable", "6", misdirected},
    Directed{Mutation::kStartWhileSlotMoves, "start-while-slot-moves", "8", clones},
    Directed{Mutation::kStartFormerAlive, "start-former-alive", "8", restarts},
    Directed{Mutation::kStartForeignAlive, "start-foreign-alive", "8", foreign},
    Directed{Mutation::kStartReadsOnce, "start-reads-once", "6", foreign},
    Directed{Mutation::kSlotUnlocked, "slot-unlocked", "8", restarts},
    Directed{Mutation::kWritesOverLarger, "writes-over-larger", "9", wall_jumps},
    Directed{Mutation::kUniqueByClock, "unique-by-clock", "2", wall_jumps},
    Directed{Mutation::kNoCarryPerFile, "no-carry-per-file", "6", restarts},
    Directed{Mutation::kNoSettle, "no-settle", "7.1", clean_cuts},
    Directed{Mutation::kSilentWithoutReads, "silent-without-reads", "7.1", hung_joiner},
    Directed{Mutation::kLeaveNeedsFresh, "leave-needs-fresh", "7.1", slow_and_left},
    Directed{Mutation::kJoinersNoClique, "joiners-no-clique", "7.2", cut_joiners},
    Directed{Mutation::kAnyLostLinkSplits, "any-lost-link-splits", "7.2", partial_cuts},
    Directed{Mutation::kSkipWait, "skip-wait", "7.6", crashes},
    Directed{Mutation::kKillBlockWithoutUnique, "kill-block-without-unique", "7.6", isolated_again},
    Directed{Mutation::kKillBlockLowered, "kill-block-lowered", "3", evictions},
    Directed{Mutation::kPendingByPublished, "pending-by-published", "7.6", newcomer},
    Directed{Mutation::kE1AnyInstance, "e1-any-instance", "7.6", left_and_back},
    Directed{Mutation::kE2AnyUnique, "e2-any-unique", "7.6", one_file_missed},
    Directed{Mutation::kE2OneFile, "e2-one-file", "7.6", wall_jumps},
    Directed{Mutation::kE3NetworkOnly, "e3-network-only", "7.6", isolated_again},
    Directed{Mutation::kE3DiskOnly, "e3-disk-only", "7.6", disk_silence},
    Directed{Mutation::kE3SplitWindows, "e3-split-windows", "7.6", wandering_majority},
    Directed{Mutation::kE3CompletionTimes, "e3-completion-times", "7.6", judge_hung},
    Directed{Mutation::kE3CachedReads, "e3-cached-reads", "7.6", judge_hung},
    Directed{Mutation::kE3WithoutListing, "e3-without-listing", "7.6", alone_and_paused},
    Directed{Mutation::kE3NeverActive, "e3-never-active", "7.6", alone_and_paused},
    Directed{Mutation::kE3WitnessLeft, "e3-witness-left", "7.6", witness_leaves},
    Directed{Mutation::kE3TwoWitnesses, "e3-two-witnesses", "7.6", witness_leaves},
    Directed{Mutation::kE3NotStretched, "e3-not-stretched", "7.6", long_misscount},
    Directed{Mutation::kE3NoDropAlternative, "e3-no-drop-alternative", "7.6", evictions},
    Directed{Mutation::kE5AtOnce, "e5-at-once", "7.6", evictions},
    Directed{Mutation::kE6AnyRead, "e6-any-read", "7.6", newcomer},
    Directed{Mutation::kNoPromise, "no-promise", "7", timeouts_change},
    Directed{Mutation::kPromiseByWrite, "promise-by-write", "7", timeouts_change},
    Directed{Mutation::kShortenAtOnce, "shorten-at-once", "7", timeouts_change},
    Directed{Mutation::kFilesWithoutJoint, "files-without-joint", "7", file_changes},
    Directed{Mutation::kFilesAloneAtOnce, "files-alone-at-once", "7", file_changes},
    Directed{Mutation::kFilesAloneIncomplete, "files-alone-incomplete", "7", file_changes},
};
static_assert(kTable.size() == kMutationMax);

}  // namespace

std::span<const Directed> all_directed() {
    return kTable;
}

const Directed& directed(Mutation mutation) {
    CSS_CHECK(mutation != Mutation::kNone);
    const Directed& row = kTable[static_cast<std::size_t>(mutation) - 1];
    CSS_CHECK(row.mutation == mutation);
    return row;
}

void direct(Mutation mutation, Options& options) {
    if (mutation != Mutation::kNone && directed(mutation).shape != nullptr) {
        directed(mutation).shape(options);
    }
}

}  // namespace css::sim
