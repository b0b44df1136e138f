#pragma once

#include <vector>

#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "voting/quorum/quorum.h"

namespace css::kill_block {

/// By which rule a departure was confirmed (PROTOCOL 7.6).
enum class ConfirmRule : std::uint8_t {
    kNone,
    kKillBlock,
    kE1,
    kE2,
    kE3Short,
    kE3Long,
    kE4,
    kE5,
    kE6,
};

/// What one voting file says of a victim.
struct FileEvidence {
    Instant unchanged_since = kNever;  ///< End of the first read that showed its present H.
    Instant unchanged_until = kNever;  ///< Begin of the newest read that showed it still.
    bool shown = false;                ///< Its H was read at all.
    Instant dropped_since = kNever;    ///< Since when an H that drops it is known to stand here.
    bool never_acted = false;          ///< E6 holds on this file.
};

/// One instance x, other than the victim, on which E3 short may rest. The caller has checked that
/// x is listed where the rule wants it.
struct Witness {
    Instant adopted_shown;  ///< When a read first showed the victim's record that lists x.
    Instant gone_since;     ///< Since when x is known gone; kNever: x is the judge itself.
};

/// All that the judge knows of one victim. Times are the judge's own clock.
struct Evidence {
    Instance victim;
    voting::Quorum quorum;
    PerFile<FileEvidence> files;
    bool kill_block_confirmed = false;  ///< A valid K[n] says so with u >= the victim's.
    bool ended = false;                 ///< E1: LEFT or FENCED of exactly this instance.
    bool replaced = false;              ///< E2.
    Instant resetting_at = kNever;      ///< E5: RESETTING of exactly this instance first seen.
    /// Since when the judge knows that it was born. Files that stood still before say nothing of
    /// it.
    Instant known_since = kNever;
    Instant echoed_receipt = kNever;  ///< Receipt of its newest heartbeat ever echoed.
    Instant heard_at = kNever;        ///< Receipt of its newest heartbeat; no rule uses it.
    std::vector<Witness> witnesses;   ///< For E3 short.
    /// Since when the judge's quorum is `quorum`. Of a file that had not counted before, older
    /// reads say nothing: the victim did not need it yet. A read begun since then shows the H that
    /// the victim has published there before the set could count alone (PROTOCOL 7, Voting files).
    Instant quorum_since = kNever;
    /// The largest time-outs that the victim's H promises on the files read.
    Duration misscount{};
    Duration disktimeout{};
    Duration reboottime{};
};

/// The verdict, and, while there is none, when to look again at the latest (kForever: only news
/// can change it).
struct Verdict {
    ConfirmRule rule = ConfirmRule::kNone;
    Instant look_again = kForever;
};

/// Whether the victim is known to have stopped (PROTOCOL 7.6; E4 is a fact of its own, not judged
/// here). Waits on the judge's clock are stretched by 0.2 %.
[[nodiscard]] Verdict judge(const Evidence& evidence, Instant now);

}  // namespace css::kill_block
