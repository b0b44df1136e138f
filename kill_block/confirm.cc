#include "kill_block/confirm.h"

#include <algorithm>

#include "cssd/base/mutation.h"

namespace css::kill_block {
namespace {

/// The conditions of E3 for one window [a, a + length]: each file of a majority either held its
/// present H by `a` and still holds it in a read begun at or after the end, or was known by `a` to
/// hold a record that drops the victim.
bool window_holds(const Evidence& e, Instant a, Duration length, Instant now) {
    if (now < a + length) {
        return false;
    }
    FileSet good;
    for (const FileIndex f : e.quorum.all()) {
        const FileEvidence& file = e.files[f];
        if (mutated(Mutation::kE3CachedReads) || mutated(Mutation::kE3SplitWindows)) {
            const Instant until = mutated(Mutation::kE3CachedReads) ? now : file.unchanged_until;
            if (file.shown && until - file.unchanged_since >= length) {
                good.insert(f);
            }
            continue;
        }
        const bool dropped = !mutated(Mutation::kE3NoDropAlternative) &&
                             file.dropped_since != kNever && file.dropped_since <= a;
        const bool still = file.shown && file.unchanged_since <= a &&
                           file.unchanged_until >= std::max(a + length, e.quorum_since);
        if (dropped || still) {
            good.insert(f);
        }
    }
    return e.quorum.reached_by(good);
}

/// Tries every `a` that can make a difference, none before `a_min`. Returns the end of the earliest
/// window that may still come true when none holds.
struct WindowSearch {
    bool holds = false;
    Instant earliest_end = kForever;
};
WindowSearch search_window(const Evidence& e, Instant a_min, Duration length, Instant now) {
    WindowSearch result;
    const auto attempt = [&](Instant candidate) {
        const Instant a = std::max(candidate, a_min);
        result.holds = result.holds || window_holds(e, a, length, now);
        // The read that closes the window begins after its end: ask for one when it has passed.
        const Instant end = a + length;
        result.earliest_end = std::min(result.earliest_end, end > now ? end : now + kFastCycle);
    };
    for (const FileIndex f : e.quorum.all()) {
        const FileEvidence& file = e.files[f];
        if (file.dropped_since != kNever) {
            attempt(file.dropped_since);
        }
        if (file.shown) {
            attempt(file.unchanged_since);
        }
    }
    return result;
}

bool never_acted(const Evidence& e) {
    FileSet files;
    for (const FileIndex f : e.quorum.all()) {
        if (e.files[f].never_acted) {
            files.insert(f);
        }
    }
    return e.quorum.reached_by(files);
}

}  // namespace

Verdict judge(const Evidence& e, Instant now) {
    Verdict verdict;
    const auto confirmed = [](ConfirmRule rule) { return Verdict{rule, kForever}; };
    if (e.kill_block_confirmed) {
        return confirmed(ConfirmRule::kKillBlock);
    }
    if (e.ended) {
        return confirmed(ConfirmRule::kE1);
    }
    if (mutated(Mutation::kE3NetworkOnly) && e.heard_at != kNever &&
        now >= e.heard_at + stretched(e.misscount)) {
        return confirmed(ConfirmRule::kE3Short);
    }
    if (e.replaced) {
        return confirmed(ConfirmRule::kE2);
    }
    if (never_acted(e)) {
        return confirmed(ConfirmRule::kE6);
    }
    if (e.resetting_at != kNever) {
        const Instant at =
            e.resetting_at + (mutated(Mutation::kE5AtOnce) ? Duration{} : stretched(e.reboottime));
        if (now >= at) {
            return confirmed(ConfirmRule::kE5);
        }
        verdict.look_again = std::min(verdict.look_again, at);
    }
    for (const Witness& w : e.witnesses) {
        const Instant a_min = std::max({w.adopted_shown, w.gone_since, e.echoed_receipt});
        const Duration wait =
            mutated(Mutation::kE3NotStretched) ? e.misscount : stretched(e.misscount);
        const WindowSearch s = search_window(e, a_min, wait, now);
        if (s.holds) {
            return confirmed(ConfirmRule::kE3Short);
        }
        verdict.look_again = std::min(verdict.look_again, s.earliest_end);
    }
    const Instant a_min = mutated(Mutation::kE3BeforeBirth) ? kNever : e.known_since;
    const WindowSearch s = search_window(e, a_min, stretched(e.disktimeout + e.reboottime), now);
    if (s.holds) {
        return confirmed(ConfirmRule::kE3Long);
    }
    verdict.look_again = std::min(verdict.look_again, s.earliest_end);
    return verdict;
}

}  // namespace css::kill_block
