#include "voting/monitor/disk_view.h"

#include <algorithm>

#include "cssd/base/mutation.h"

namespace css::voting {
namespace {

/// Equal in everything that is more than a sign of life.
bool says_the_same(const Heartbeat& a, const Heartbeat& b) {
    return a.unique == b.unique && a.state == b.state && a.standby == b.standby &&
           a.complete == b.complete && a.slots_read == b.slots_read && a.weight == b.weight &&
           a.promise == b.promise && a.connected == b.connected && a.doubt == b.doubt &&
           a.record.incarnation == b.record.incarnation;
}

}  // namespace

DiskView::DiskView(unsigned slots_max) {
    for (std::size_t f = 0; f < kFilesMax; ++f) {
        slots_[FileIndex::from_index(f)].resize(slots_max);
    }
}

DiskView::Change DiskView::observe(FileIndex file,
                                   NodeNumber n,
                                   const SlotView& slot,
                                   ReadTime time) {
    SlotOnFile& known = slots_[file][n.index()];
    known.kill_readable = slot.kill_verdict == SectorVerdict::kValid;
    if (known.kill_readable && !(known.kill == slot.kill)) {
        known.kill = slot.kill;
    }
    known.heartbeat_readable = slot.heartbeat_verdict == SectorVerdict::kValid;
    if (!known.heartbeat_readable) {
        return Change::kNone;
    }
    const Heartbeat& h = slot.heartbeat;
    if (known.seen && known.heartbeat.unique == h.unique &&
        known.heartbeat.sequence == h.sequence) {
        known.last_shown = time;
        return Change::kNone;
    }
    const bool first = !known.seen;
    const bool same = !first && says_the_same(known.heartbeat, h);
    known.seen = true;
    known.heartbeat = h;
    known.composed_after = known.previous_shown;
    known.previous_shown = known.last_shown.begin;
    known.first_shown = time;
    known.last_shown = time;
    if (h.written()) {
        slot_written_max_ = std::max(slot_written_max_, n.value());
        observe_node(n, h, !first, time.end);
    }
    return first ? Change::kFirst : same ? Change::kAlive : Change::kHeartbeat;
}

void DiskView::observe_node(NodeNumber n, const Heartbeat& h, bool seen_here_before, Instant now) {
    NodeOnDisk& node = nodes_[n];
    if (std::pair{h.unique, h.sequence} > std::pair{node.unique, node.sequence}) {
        node.unique = h.unique;
        node.sequence = h.sequence;
        if (seen_here_before) {
            node.moved_at = now;
        }
    }
    if (h.unique > node.reads_unique) {
        node.reads_unique = h.unique;
        node.reads_slots = h.slots_read;
    } else if (h.unique == node.reads_unique) {
        node.reads_slots = std::min<unsigned>(node.reads_slots, h.slots_read);
    }
    const bool ended = h.state == NodeState::kLeft || h.state == NodeState::kFenced;
    if (ended && h.unique > node.ended_unique) {
        node.ended_unique = h.unique;
        node.ended_at = now;
    }
    if (h.state == NodeState::kFenced && h.unique > node.fenced_unique) {
        node.fenced_unique = h.unique;
    }
    if (h.state == NodeState::kResetting && h.unique > node.resetting_unique) {
        node.resetting_unique = h.unique;
        node.resetting_at = now;
    }
}

void DiskView::update_replaced(NodeNumber n, Quorum quorum, Instant now) {
    // The largest unique that a majority of files reaches: try each one that is shown.
    NodeOnDisk& node = nodes_[n];
    Unique best = node.replaced_below;
    for (const FileIndex candidate : quorum.all()) {
        const SlotOnFile& c = at(candidate, n);
        if (mutated(Mutation::kE2AnyUnique) && c.seen && c.heartbeat.written()) {
            // 'Another' instead of 'larger': the other one may be the older one.
            const bool another = c.heartbeat.unique < node.unique;
            best = another ? Unique{node.unique.value() + 1} : best;
            continue;
        }
        if (!c.seen || c.heartbeat.unique <= best) {
            continue;
        }
        FileSet reach;
        for (const FileIndex f : quorum.all()) {
            const SlotOnFile& s = at(f, n);
            if (s.seen && s.heartbeat_readable && s.heartbeat.unique >= c.heartbeat.unique) {
                reach.insert(f);
            }
        }
        if (quorum.reached_by(reach) || mutated(Mutation::kE2OneFile)) {
            best = c.heartbeat.unique;
        }
    }
    if (best > node.replaced_below) {
        node.replaced_below = best;
        node.replaced_at = now;
    }
}

void DiskView::note_drops(const Record& record, NodeSet former, const DropScan& scan) {
    for (const NodeNumber v : former) {
        if (v.index() >= slots_[scan.file].size()) {
            continue;
        }
        SlotOnFile& slot = slots_[scan.file][v.index()];
        const Instance victim = record.listed(v);
        if (slot.dropped_unique != victim.unique) {
            slot.dropped_unique = victim.unique;
            slot.dropped_since = kNever;
            slot.never_acted = false;
        }
        if (slot.dropped_since == kNever) {
            for (std::size_t i = 0; i < slots_[scan.file].size(); ++i) {
                const NodeNumber n = NodeNumber::from_index(i);
                const SlotOnFile& h = slots_[scan.file][i];
                // The victim must be able to see it: it reads the slots it says it reads.
                const bool visible =
                    nodes_[v].reads_unique == victim.unique && n.value() <= nodes_[v].reads_slots;
                const bool stands =
                    n == scan.self ? scan.own_stands : h.seen && h.heartbeat_readable;
                if (visible && stands && h.heartbeat.record.drops(victim)) {
                    slot.dropped_since = scan.time.end;
                    break;
                }
            }
        } else if (!slot.never_acted && slot.heartbeat_readable &&
                   slot.last_shown.begin > slot.dropped_since) {
            const Heartbeat& h = slot.heartbeat;
            const bool acts_or_ends =
                h.state == NodeState::kActive || h.state == NodeState::kResetting;
            slot.never_acted = !(h.unique == victim.unique && acts_or_ends);
        }
    }
}

void DiskView::forget(FileIndex file) {
    std::fill(slots_[file].begin(), slots_[file].end(), SlotOnFile{});
}

FileSet DiskView::unmoved(FileSet files, NodeNumber n, Duration length, Instant since) const {
    FileSet found;
    for (const FileIndex f : files) {
        const SlotOnFile& s = at(f, n);
        if (s.heartbeat_readable && s.last_shown.begin >= since &&
            s.last_shown.begin >= s.first_shown.end + length) {
            found.insert(f);
        }
    }
    return found;
}

}  // namespace css::voting
