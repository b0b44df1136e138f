#include "tests/simulator/directed.h"

#include <array>

#include "cssd/base/check.h"
#include "tests/simulator/directed_runs.h"

namespace css::sim {
namespace {

constexpr std::array<Directed, kMutationMax> kTable{{
    {Mutation::kGuardianToldLiot, "guardian-told-liot", "4", runs::paused},
    {Mutation::kLeaseByPublishedOnly,
     "lease-by-published-only",
     "4",
     runs::paused_after_record,
     Audited::kYes},
    {Mutation::kLeaseByAdoptedOnly,
     "lease-by-adopted-only",
     "4",
     runs::paused_after_record,
     Audited::kYes},
    {Mutation::kLapsedLeaseRenewed, "lapsed-lease-renewed", "4", runs::paused, Audited::kYes},
    {Mutation::kLapseAfterNews, "lapse-after-news", "4", runs::paused, Audited::kYes},
    {Mutation::kCycleTimeAfterWrite, "cycle-time-after-write", "4", runs::read_hung},
    {Mutation::kCycleWithoutReadBack, "cycle-without-read-back", "4", runs::misdirected},
    {Mutation::kReadBeforeWrite, "read-before-write", "4", runs::newcomer},
    {Mutation::kMajorityOfReachable, "majority-of-reachable", "2", runs::disks_apart},
    {Mutation::kNoJoiningLease, "no-joining-lease", "4", runs::paused_joiner},
    {Mutation::kActWithoutOwnCycle, "act-without-own-cycle", "4", runs::newcomer},
    {Mutation::kActWithoutComplete, "act-without-complete", "4", runs::crashes},
    {Mutation::kDroppedGoesOn, "dropped-goes-on", "4", runs::evictions},
    {Mutation::kKilledGoesOn, "killed-goes-on", "4", runs::evictions, Audited::kYes},
    {Mutation::kReplacedGoesOn, "replaced-goes-on", "4", runs::wall_jumps, Audited::kYes},
    {Mutation::kUnguardedGoesOn, "unguarded-goes-on", "4", runs::guardian_lost, Audited::kYes},
    {Mutation::kPublishBeforeGuardian, "publish-before-guardian", "8", runs::paused_after_record},
    {Mutation::kResettingBeforeGuardian,
     "resetting-before-guardian",
     "8",
     runs::paused_after_resetting},
    {Mutation::kActBeforeArmed, "act-before-armed", "8", runs::crashes, Audited::kYes},
    {Mutation::kNoEcho, "no-echo", "5", runs::one_way},
    {Mutation::kEchoByNumber, "echo-by-number", "5", runs::echo_of_former, Audited::kYes, 3215},
    {Mutation::kEchoDropped, "echo-dropped", "5", runs::eviction_at_last},
    {Mutation::kEchoWhileStopping, "echo-while-stopping", "5", runs::evictions, Audited::kYes},
    {Mutation::kReplayCounts, "replay-counts", "5", runs::replays, Audited::kNo, 730},
    {Mutation::kDatagramBeforeStanding, "datagram-before-standing", "5", runs::restarts},
    {Mutation::kOwnBallotNotRecovered, "own-ballot-not-recovered", "6", runs::killed_at_decision},
    {Mutation::kRecoverHighestMbal, "recover-highest-mbal", "6", runs::killed_at_decision},
    {Mutation::kAdoptHighestMbal, "adopt-highest-mbal", "6", runs::contention, Audited::kNo, 350},
    {Mutation::kNewBallotClearsBal, "new-ballot-clears-bal", "6", runs::killed_at_decision},
    {Mutation::kOwnValueAlways, "own-value-always", "6", runs::killed_at_decision},
    {Mutation::kLaterInstanceIsEmpty, "later-instance-is-empty", "6", runs::overtaken},
    {Mutation::kBallotByReachable, "ballot-by-reachable", "6", runs::two_evictions},
    {Mutation::kBallotBeforeStanding, "ballot-before-standing", "6", runs::killed_at_ballot},
    {Mutation::kStartWithoutRecord, "start-without-record", "6", runs::restarts},
    {Mutation::kStartOwnUnreadable, "start-own-unreadable", "6", runs::own_block_lost},
    {Mutation::kStartWhileSlotMoves, "start-while-slot-moves", "8", runs::clones},
    {Mutation::kStartFormerAlive, "start-former-alive", "8", runs::restarts},
    {Mutation::kStartForeignAlive, "start-foreign-alive", "8", runs::foreign},
    {Mutation::kStartReadsOnce, "start-reads-once", "6", runs::two_starters},
    {Mutation::kStartAfterSleep,
     "start-after-sleep",
     "8",
     runs::foreign_while_a_starter_sleeps,
     Audited::kNo,
     4040},
    {Mutation::kSlotUnlocked, "slot-unlocked", "8", runs::late_writes},
    {Mutation::kWritesAfterSleep,
     "writes-after-sleep",
     "8",
     runs::foreign_while_asleep,
     Audited::kYes},
    {Mutation::kWritesOverLarger, "writes-over-larger", "9", runs::wall_jumps, Audited::kNo, 250},
    {Mutation::kUniqueByClock, "unique-by-clock", "2", runs::wall_jumps},
    {Mutation::kNoCarryPerFile, "no-carry-per-file", "6", runs::restarts},
    {Mutation::kSequenceNotCarried,
     "sequence-not-carried",
     "3",
     runs::wall_jumps,
     Audited::kNo,
     545},
    {Mutation::kNoSettle, "no-settle", "7.1", runs::clean_cuts},
    {Mutation::kSilentWithoutReads,
     "silent-without-reads",
     "7.1",
     runs::hung_joiner,
     Audited::kNo,
     1085},
    {Mutation::kLeaveNeedsFresh, "leave-needs-fresh", "7.1", runs::slow_and_left},
    {Mutation::kJoinersNoClique, "joiners-no-clique", "7.2", runs::cut_joiners},
    {Mutation::kAnyLostLinkSplits, "any-lost-link-splits", "7.2", runs::partial_cuts},
    {Mutation::kSkipWait, "skip-wait", "7.6", runs::crashes},
    {Mutation::kKillBlockWithoutUnique, "kill-block-without-unique", "7.6", runs::isolated_again},
    {Mutation::kKillBlockLowered, "kill-block-lowered", "3", runs::evictions},
    {Mutation::kPendingByPublished, "pending-by-published", "7.6", runs::newcomer},
    {Mutation::kE1AnyInstance, "e1-any-instance", "7.6", runs::left_and_back},
    {Mutation::kE2AnyUnique, "e2-any-unique", "7.6", runs::one_file_missed},
    {Mutation::kE2OneFile, "e2-one-file", "7.6", runs::wall_jumps},
    {Mutation::kE3NetworkOnly, "e3-network-only", "7.6", runs::isolated_again},
    {Mutation::kE3DiskOnly, "e3-disk-only", "7.6", runs::disk_silence},
    {Mutation::kE3SplitWindows, "e3-split-windows", "7.6", runs::wandering_majority},
    {Mutation::kE3CompletionTimes, "e3-completion-times", "7.6", runs::judge_read_hung},
    {Mutation::kE3CachedReads, "e3-cached-reads", "7.6", runs::judge_hung},
    {Mutation::kE3WithoutListing, "e3-without-listing", "7.6", runs::alone_and_paused},
    {Mutation::kE3NeverActive, "e3-never-active", "7.6", runs::alone_and_paused},
    {Mutation::kE3WitnessLeft, "e3-witness-left", "7.6", runs::witness_leaves},
    {Mutation::kE3TwoWitnesses, "e3-two-witnesses", "7.6", runs::paused_at_decision},
    {Mutation::kE3NotStretched,
     "e3-not-stretched",
     "7.6",
     runs::long_misscount,
     Audited::kNo,
     6815},
    {Mutation::kE3BeforeBirth, "e3-before-birth", "7.6", runs::judge_blind},
    {Mutation::kE3NoDropAlternative, "e3-no-drop-alternative", "7.6", runs::eviction_at_last},
    {Mutation::kE5AtOnce, "e5-at-once", "7.6", runs::evictions},
    {Mutation::kE6AnyRead, "e6-any-read", "7.6", runs::newcomer},
    {Mutation::kNoPromise, "no-promise", "7", runs::timeouts_change},
    {Mutation::kPromiseByWrite, "promise-by-write", "7", runs::timeouts_change},
    {Mutation::kShortenAtOnce, "shorten-at-once", "7", runs::timeouts_shrink, Audited::kYes},
    {Mutation::kPromiseWhileStopping,
     "promise-while-stopping",
     "7",
     runs::stopped_while_timeouts_shrink},
    {Mutation::kFilesWithoutJoint, "files-without-joint", "7", runs::file_changes},
    {Mutation::kFilesAloneAtOnce,
     "files-alone-at-once",
     "7",
     runs::file_changes,
     Audited::kNo,
     170},
    {Mutation::kFilesAloneIncomplete, "files-alone-incomplete", "7", runs::file_changes},
}};

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
    if (mutation == Mutation::kNone) {
        return;
    }
    const Directed& row = directed(mutation);
    row.shape(options);
    options.audit = row.audited == Audited::kYes;
}

}  // namespace css::sim
