#pragma once

#include <cstdint>

#include "cssd/base/record.h"
#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "kill_block/confirm.h"

namespace css::core {

/// What happened. The core formats no text: the runtime turns a notice into lines of alert.log,
/// cssd.trc, the history and the event stream; scripts print it; checkers read it.
enum class NoticeKind : std::uint8_t {
    kStartRefused,     ///< `start`: why this daemon does not take its slot yet; repeated on change.
    kInstanceStarted,  ///< `by` = self, `unique`: the slot is taken, state JOINING.
    kSuspect,          ///< `node` silent on the network for `percent`; `remaining` until loss.
    kInDoubt,          ///< Link to `node` silent for SIOT; fast cycles begin.
    kLinkLost,         ///< Link to `node` silent for misscount.
    kLinkRestored,     ///< `node` is heard, and hears, again.
    kFileWarning,      ///< `file` had no complete cycle for `percent` of disktimeout; `remaining`.
    kFileOffline,      ///< `file` is closed, or had no complete cycle for disktimeout.
    kFileOnline,       ///< First complete cycle on `file`, or the first after it was offline.
    kQuorumLost,       ///< Fewer online files than a majority: `available` of `required`.
    kBallotStarted,    ///< This node proposes `incarnation` with `members`, for `cause`.
    kDecided,          ///< Adopted or learned: `incarnation`, `members`, `by` proposer, `cause`.
    kJoined,           ///< `node` (`unique`) is listed by `incarnation` and was not before.
    kLeft,             ///< `node` left cleanly and is no longer listed.
    kEvict,            ///< `node` (`unique`) is no longer listed and must be confirmed stopped.
    kEvictConfirmed,   ///< `node` (`unique`) is known to have stopped, by `confirmed_by`.
    kComplete,         ///< `incarnation` with `members` is complete; clients hear of it.
    kParameter,        ///< `incarnation` changed the time-outs to `parameters`.
    kVotingFiles,      ///< `incarnation` changed the voting files to `files` and `files_next`.
    kActive,           ///< This instance may act for the first time, `incarnation` the token.
    kLeaseLost,        ///< This instance stops; `stop` says why, `by` who evicted it if known. With
                       ///< `required` non-zero the voting files ended it: `available` were left.
    kFenced,           ///< Clients are gone and FENCED stands; `by` = self.
    kRequestDone,      ///< `request` finished; `request_result`.
};
inline constexpr std::uint8_t kNoticeKindMax = static_cast<std::uint8_t>(NoticeKind::kRequestDone);

using kill_block::ConfirmRule;

/// Why an instance stops for good (PROTOCOL 4, stop rules; 8).
enum class StopReason : std::uint8_t {
    kNone,
    kLeaseLapsed,   ///< (a)
    kEvicted,       ///< (b) a record that no longer lists it
    kKilled,        ///< (c) the kill block names it
    kReplaced,      ///< (d) a larger unique of its number, in its slot or an echo
    kSlotTaken,     ///< (d) another host's id in its slot
    kGuardianLost,  ///< (e)
};

/// Why a starting daemon does not take its slot yet (PROTOCOL 6, 8).
enum class StartRefusal : std::uint8_t {
    kNone,
    kNoMajority,     ///< Too few voting files readable.
    kOwnUnreadable,  ///< Own H or B not readable on a majority.
    kSlotMoves,      ///< Another daemon with this number is writing the slot.
    kNumberHeard,    ///< Network heartbeats of this number are heard.
    kForeignHost,    ///< Last held by another host, not yet known to be gone.
    kFormerLife,     ///< Same boot: the former daemon, its clients or its I/O may be alive.
};

enum class RequestResult : std::uint8_t {
    kDone,
    kUnknownNode,    ///< Not a member.
    kConflict,       ///< Refused by validate(); nothing changed.
    kNotMember,      ///< This node is not an active member and cannot change anything.
    kBusy,           ///< Another request of this kind is under way here.
    kStopped,        ///< This instance stopped before it was done.
    kBadFiles,       ///< An even count of voting files, none, or a place that is taken.
    kFilesNotReady,  ///< `node` has not written its slot on the new `file` in time.
    kFilesChanged,   ///< Somebody else changed the voting files meanwhile.
};

struct Notice {
    NoticeKind kind = NoticeKind::kStartRefused;
    NodeNumber node;  ///< Whom it is about.
    NodeNumber by;    ///< Who did it.
    Unique unique;    ///< Of `node`.
    FileIndex file;
    Incarnation incarnation;
    NodeSet members;
    unsigned percent = 0;   ///< 50, 75 or 90.
    Duration remaining{};   ///< Until loss.
    Duration silent_for{};  ///< How long nothing was heard.
    unsigned available = 0;
    unsigned required = 0;
    RecordCause cause = RecordCause::kNone;
    ConfirmRule confirmed_by = ConfirmRule::kNone;
    StopReason stop = StopReason::kNone;
    StartRefusal start = StartRefusal::kNone;
    Parameters parameters;
    FileSet files;
    FileSet files_next;
    std::uint64_t request = 0;
    RequestResult request_result = RequestResult::kDone;
};

}  // namespace css::core
