#pragma once

#include <cstdint>

namespace css {

/// Rules of PROTOCOL that can be broken one at a time, to see that the simulator's checkers notice
/// (tests/simulator). Only the simulator's own build of the core has the switch (CSS_MUTATIONS);
/// in every other build mutated() is a constant and the hooks are gone.
enum class Mutation : std::uint8_t {
    kNone,
    // Lease (4)
    kGuardianToldLiot,      ///< Guardians and clients are told D + LIOT.
    kLeaseByPublishedOnly,  ///< Members of the published record only, not of the adopted one.
    kLeaseByAdoptedOnly,    ///< Members of the adopted record only, not of the published one.
    kLapsedLeaseRenewed,    ///< A passed end is computed anew instead of stopping.
    kLapseAfterNews,        ///< Stop rule (a) is looked at after the input was taken in.
    kCycleTimeAfterWrite,   ///< A cycle counts from its end, not from its begin.
    kCycleWithoutReadBack,  ///< A cycle is complete though own sectors were not seen.
    kReadBeforeWrite,       ///< The cycle reads first and writes after (simulated disk).
    kMajorityOfReachable,   ///< A majority of the open files is enough.
    kNoJoiningLease,        ///< A JOINING instance has no lease.
    kActWithoutOwnCycle,    ///< May act without the cycle that published ACTIVE.
    kActWithoutComplete,    ///< May act before a complete record was seen.
    kDroppedGoesOn,         ///< Stop rule (b) is not obeyed.
    kKilledGoesOn,          ///< Stop rule (c) is not obeyed.
    kReplacedGoesOn,        ///< Stop rule (d) is not obeyed.
    kUnguardedGoesOn,       ///< Stop rule (e) is not obeyed.
    // Guardians (8)
    kPublishBeforeGuardian,    ///< A record is published before the guardians hold its E.
    kResettingBeforeGuardian,  ///< RESETTING is written before the guardians' end was cut.
    kActBeforeArmed,           ///< May act before the guardians say that they are armed.
    // Network (5)
    kNoEcho,                  ///< A(m) is the time of the newest heartbeat heard from m.
    kEchoByNumber,            ///< An echo counts for whichever instance has the number.
    kEchoDropped,             ///< Dropped instances are echoed on.
    kEchoWhileStopping,       ///< RESETTING and FENCED instances echo.
    kReplayCounts,            ///< An old datagram is a sign of life.
    kDatagramBeforeStanding,  ///< A record is sent before it stands in own H on a majority.
    // Records and ballots (6)
    kOwnBallotNotRecovered,  ///< A restart begins with an empty block.
    kRecoverHighestMbal,     ///< The own copy is chosen by mbal, not by bal.
    kAdoptHighestMbal,       ///< Of others' blocks the value of the highest mbal is taken.
    kNewBallotClearsBal,
    kOwnValueAlways,        ///< Own value though a higher bal was read.
    kLaterInstanceIsEmpty,  ///< A block of a later instance counts as an empty one.
    kBallotByReachable,     ///< A phase is done on a majority of the open files.
    kBallotBeforeStanding,  ///< B moves on before own H stands with the record before.
    kStartWithoutRecord,    ///< A starting daemon's H does not carry the newest record.
    kStartOwnUnreadable,    ///< Starts though own B is unreadable on a majority.
    kStartWhileSlotMoves,   ///< Does not watch the slot.
    kStartFormerAlive,      ///< Takes the slot while the former life may act.
    kStartForeignAlive,     ///< Takes the slot of another host that is not known to be gone.
    kStartReadsOnce,        ///< While it waits for its slot only the first read of a file counts.
    kStartAfterSleep,       ///< Takes the slot by reads from before a sleep.
    kSlotUnlocked,          ///< Does not wait for the former life's writes (simulated host).
    kWritesAfterSleep,      ///< A daemon that was not run for long writes before it has read.
    kWritesOverLarger,      ///< Stop rule (d): RESETTING is written over the larger unique.
    kUniqueByClock,         ///< The unique is not forced above those seen.
    kNoCarryPerFile,        ///< Writes a file that it has not read in this life.
    kSequenceNotCarried,    ///< A former life's sequence of the same unique is not gone on from.
    // Settling and cohort (7.1, 7.2)
    kNoSettle,            ///< Chooses at the first loss, with links in doubt.
    kSilentWithoutReads,  ///< Silence is judged without reads begun after it.
    kLeaveNeedsFresh,     ///< Every trigger drops whoever's disks are slow.
    kJoinersNoClique,     ///< Joiners that cannot reach each other are taken in together.
    kAnyLostLinkSplits,   ///< Only nodes connected to all others stay.
    // Confirming (7.6)
    kSkipWait,                ///< Departures count as confirmed at once.
    kKillBlockWithoutUnique,  ///< A confirmed K counts whatever its unique.
    kKillBlockLowered,        ///< K is written whatever it holds.
    kPendingByPublished,      ///< Who publishes no record that lists it is forgotten.
    kE1AnyInstance,           ///< LEFT of another instance counts.
    kE2AnyUnique,             ///< Another unique, not a larger one.
    kE2OneFile,               ///< A larger unique on one file is enough.
    kE3NetworkOnly,           ///< Misscount after the last heartbeat heard.
    kE3DiskOnly,              ///< Without the newest echoed heartbeat.
    kE3SplitWindows,          ///< Each file has a window of its own.
    kE3CompletionTimes,       ///< The closing read's end instead of its begin.
    kE3CachedReads,           ///< No read after the window at all.
    kE3WithoutListing,        ///< x need not be listed in the record shown or in the one before.
    kE3NeverActive,           ///< Disk silence of a victim never seen ACTIVE is enough.
    kE3WitnessLeft,           ///< A witness that LEFT counts as gone.
    kE3TwoWitnesses,          ///< One x is listed in what the victim showed, another is gone.
    kE3NotStretched,          ///< Waits by the own clock alone.
    kE3BeforeBirth,           ///< E3 long: the window may begin before the victim was born.
    kE3NoDropAlternative,     ///< A victim that keeps writing is waited for.
    kE5AtOnce,                ///< RESETTING counts without reboottime.
    kE6AnyRead,               ///< Reads older than the record on that file count.
    // Promise (7, Parameters)
    kNoPromise,             ///< Time-outs are taken and published at once.
    kPromiseByWrite,        ///< A promise counts when it is written, before it stands.
    kShortenAtOnce,         ///< A smaller time-out is taken though E would be near.
    kPromiseWhileStopping,  ///< One that stops takes shorter time-outs over.
    // Voting files (7): a new set counts alone too early, or what was true of the old one is
    // taken for true of the new one.
    kFilesWithoutJoint,     ///< The first record has the new set alone.
    kFilesAloneAtOnce,      ///< The second record waits for nothing after the first.
    kFilesAloneIncomplete,  ///< ... not for the first to be complete.
};
inline constexpr auto kMutationMax = static_cast<std::uint8_t>(Mutation::kFilesAloneIncomplete);

#ifdef CSS_MUTATIONS
inline Mutation active_mutation = Mutation::kNone;
#endif

#ifdef CSS_COVERAGE
// So that a hook has no branch of its own even where nothing is optimised.
#define mutated(m) false
#elif defined(CSS_MUTATIONS)
inline bool mutated(Mutation m) {
    return active_mutation == m;
}
#else
constexpr bool mutated(Mutation /*m*/) {
    return false;
}
#endif

}  // namespace css
