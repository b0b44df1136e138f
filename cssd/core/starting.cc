#include "cssd/base/mutation.h"
#include "cssd/core/arbiter_impl.h"

// Before there is an instance: read own H and B from a majority and the newest record, watch the
// slot, make sure that its last holder is gone, and only then take it (PROTOCOL 6 and 8).

namespace css::core {

void Arbiter::Impl::evaluate_start() {
    const StartRefusal refusal = start_refusal();
    if (refusal != refusal_) {
        refusal_ = refusal;
        if (refusal != StartRefusal::kNone) {
            notify(NoticeKind::kStartRefused).start = refusal;
        }
    }
    if (refusal != StartRefusal::kNone) {
        start_watch_from_ = kNever;
        return;
    }
    if (start_watch_from_ == kNever) {
        start_watch_from_ = now_;
    }
    // The slot must not have moved for two intervals, judged by reads begun after them, and since
    // the last sleep: while this host slept another may have taken the number, and the unique too.
    const Duration length = stretched(2 * interval(known_.parameters));
    const Instant watched = start_watch_from_ + length;
    const Instant since =
        mutated(Mutation::kStartAfterSleep) ? watched : std::max(watched, awake_since_);
    const Duration still = mutated(Mutation::kStartWhileSlotMoves) ? Duration{} : length;
    const voting::Quorum quorum(known_);
    if (now_ < watched ||
        !quorum.reached_by(disk_.unmoved(quorum.all(), self_.node, still, since))) {
        fast_ = now_ >= watched;
        wake(watched);
        return;
    }
    begin_instance();
}

StartRefusal Arbiter::Impl::start_refusal() const {
    const voting::Quorum quorum(known_);
    FileSet read;
    FileSet own_readable;
    for (const FileIndex f : quorum.all()) {
        if (files_[f].primed) {
            read.insert(f);
            if (files_[f].own_readable) {
                own_readable.insert(f);
            }
        }
    }
    if (!quorum.reached_by(read)) {
        return StartRefusal::kNoMajority;
    }
    if (!quorum.reached_by(own_readable) && !mutated(Mutation::kStartOwnUnreadable)) {
        return StartRefusal::kOwnUnreadable;
    }
    if (mutated(Mutation::kStartWhileSlotMoves)) {
        return StartRefusal::kNone;
    }
    const Duration recently = stretched(2 * interval(known_.parameters));
    const netbeat::Peer& own_number = links_.peer(self_.node);
    if (own_number.heard_at != kNever && now_ < own_number.heard_at + recently) {
        return StartRefusal::kNumberHeard;
    }
    const voting::NodeOnDisk& own = disk_.node(self_.node);
    if (own.moved_at != kNever && now_ < own.moved_at + recently) {
        return StartRefusal::kSlotMoves;
    }
    if (!foreign_holder_gone() && !mutated(Mutation::kStartForeignAlive)) {
        return StartRefusal::kForeignHost;
    }
    for (const FileIndex f : quorum.all()) {
        const voting::SlotOnFile& s = disk_.at(f, self_.node);
        const bool this_boot = s.seen && s.heartbeat.written() &&
                               s.heartbeat.host == options_.host &&
                               s.heartbeat.boot == options_.boot;
        if (this_boot && !options_.former_gone && !mutated(Mutation::kStartFormerAlive)) {
            return StartRefusal::kFormerLife;
        }
    }
    return StartRefusal::kNone;
}

bool Arbiter::Impl::foreign_holder_gone() const {
    // The largest unique decides: an older holder has been replaced by it.
    Instance holder{self_.node, Unique{}};
    bool foreign = false;
    const voting::Quorum quorum(known_);
    for (const FileIndex f : quorum.all()) {
        const voting::SlotOnFile& s = disk_.at(f, self_.node);
        if (s.seen && s.heartbeat.unique > holder.unique) {
            holder.unique = s.heartbeat.unique;
            foreign = s.heartbeat.host != options_.host;
        }
    }
    if (!foreign) {
        return true;
    }
    kill_block::Evidence e = evidence_of(holder);
    // Only E1, E3 long and a confirmed K count here (E4 is the administrator's: the fence command).
    e.replaced = false;
    e.resetting_at = kNever;
    e.witnesses.clear();
    for (const FileIndex f : quorum.all()) {
        e.files[f].never_acted = false;
    }
    return kill_block::judge(e, now_).rule != ConfirmRule::kNone;
}

void Arbiter::Impl::begin_instance() {
    std::uint32_t unique = options_.wall_seconds;
    const auto above = [&unique](Unique seen) {
        CSS_CHECK(seen.value() < UINT32_MAX);
        unique = std::max(unique, seen.value() + 1);
    };
    above(known_.unique[self_.node]);
    for (std::size_t i = 0; i < kFilesMax; ++i) {
        const voting::SlotOnFile& s = disk_.at(FileIndex::from_index(i), self_.node);
        if (s.seen) {
            above(s.heartbeat.unique);
            above(s.heartbeat.record.unique[self_.node]);
        }
        above(s.kill.victim);
    }
    above(links_.peer(self_.node).unique);
    above(echoed_unique_);
    if (mutated(Mutation::kUniqueByClock)) {
        unique = options_.wall_seconds;
    }
    self_.unique = Unique{unique};
    born_at_ = now_;
    files_floor_ = now_;
    next_floor_ = now_;
    // A file that was not read since the slot stands still is read again before the first write.
    for (std::size_t i = 0; i < kFilesMax; ++i) {
        const FileIndex f = FileIndex::from_index(i);
        files_[f].primed =
            files_[f].primed && disk_.at(f, self_.node).last_shown.begin >= start_watch_from_;
    }
    phase_ = Phase::kJoining;
    if (mutated(Mutation::kStartWithoutRecord)) {
        known_ = options_.genesis;
        note_listed();
    }
    kept_ = known_.parameters;
    promised_ = kept_;
    published_ = known_;
    standing_ = options_.genesis;
    touch();
    Notice& n = notify(NoticeKind::kInstanceStarted);
    n.by = self_.node;
    n.node = self_.node;
    n.unique = self_.unique;
}

}  // namespace css::core
