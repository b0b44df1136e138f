#include <algorithm>
#include <utility>

#include "cssd/base/mutation.h"
#include "cssd/core/arbiter_impl.h"

// Records: learning and adopting them, judging who has stopped, completing them (PROTOCOL 6, 7.5 to
// 7.7), and the promise of time-outs (7, Parameters).

namespace css::core {
namespace {

/// Records remembered of each node, for the witnesses of E3.
constexpr std::size_t kAdoptedKept = 4;

Parameters larger_of_each(const Parameters& a, const Parameters& b) {
    return Parameters{std::max(a.misscount, b.misscount),
                      std::max(a.disktimeout, b.disktimeout),
                      std::max(a.reboottime, b.reboottime)};
}

bool covers(const Parameters& large, const Parameters& small) {
    return large.misscount >= small.misscount && large.disktimeout >= small.disktimeout &&
           large.reboottime >= small.reboottime;
}

}  // namespace

void Arbiter::Impl::note_listed() {
    listed_ever_ = NodeSet{};
    for (std::size_t i = 0; i < kNodesMax; ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        listed_ever_.assign(n, known_.unique[n] != Unique{});
    }
}

bool Arbiter::Impl::adopted_shown(Instance i) const {
    const auto& list = adopted_shown_[i.node];
    return std::any_of(
        list.begin(), list.end(), [i](const AdoptedShown& a) { return a.unique == i.unique; });
}

voting::Quorum Arbiter::Impl::quorum_of(const Record& r) const {
    return mutated(Mutation::kMajorityOfReachable) ? voting::Quorum(open_, FileSet{})
                                                   : voting::Quorum(r);
}

void Arbiter::Impl::learn(const Record& record, bool complete) {
    // Stop rule (b) looks at every record seen. An instance that left cleanly expects it.
    if (phase_ != Phase::kStarting && record.drops(self_)) {
        if (has_lease()) {
            stop(StopReason::kEvicted, record.proposer);
        }
    }
    if (record.incarnation > known_.incarnation) {
        const Record before = std::exchange(known_, record);
        note_listed();
        const bool lives = phase_ != Phase::kStarting && phase_ != Phase::kEnded;
        if (lives) {
            Notice& n = notify(NoticeKind::kDecided);
            n.by = known_.proposer;
            n.cause = known_.cause;
        }
        note_files(before);
        note_departures(before);
        paxos_.abandon();
        loss_at_ = kNever;
        trigger_at_ = kNever;
        retry_at_ = kNever;
        if (lives) {
            if (!(before.parameters == known_.parameters)) {
                notify(NoticeKind::kParameter).parameters = known_.parameters;
            }
            if (has_lease() && known_.lists(self_)) {
                adopt();
            } else {
                publish();
            }
        }
    }
    if (complete && record.incarnation <= known_.incarnation) {
        // It counts as seen even when a newer one is known already.
        complete_listed_ = complete_listed_ || record.lists(self_);
        set_complete(record.incarnation);
    }
}

void Arbiter::Impl::note_departures(const Record& before) {
    const bool successor = known_.incarnation == next(before.incarnation);
    for (std::size_t i = 0; i < kNodesMax; ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        if (known_.unique[n] == Unique{}) {
            continue;
        }
        if (known_.unique[n] != before.unique[n]) {
            unique_known_at_[n] = now_;
        }
        disk_.update_replaced(n, voting::Quorum(known_), now_);
        const bool was = before.members.contains(n) && before.unique[n] == known_.unique[n];
        if (known_.members.contains(n)) {
            if (!was) {
                listed_since_[n] = known_.incarnation;
            }
            if (!was && phase_ != Phase::kStarting) {
                Notice& notice = notify(NoticeKind::kJoined);
                notice.node = n;
                notice.unique = known_.unique[n];
            }
            departures_[n] = Departure{};
            continue;
        }
        Departure& d = departures_[n];
        if (d.unique == known_.unique[n]) {
            continue;
        }
        d = Departure{};
        d.unique = known_.unique[n];
        if (was && successor) {
            d.before = before;
        }
        if (was && phase_ != Phase::kStarting && known_.listed(n) != self_) {
            const bool ended =
                disk_.node(n).ended_unique == d.unique || links_.peer(n).ended_unique == d.unique;
            const bool left = ended && !stopped(Instance{n, d.unique});
            Notice& notice = notify(left ? NoticeKind::kLeft : NoticeKind::kEvict);
            notice.node = n;
            notice.unique = d.unique;
            notice.by = known_.proposer;
            notice.cause = known_.cause;
        }
    }
}

void Arbiter::Impl::adopt() {
    adopted_at_ = now_;
    if (phase_ == Phase::kJoining) {
        phase_ = Phase::kMember;
    }
    bool gained = false;
    for (const NodeNumber n : known_.members) {
        if (n == self_.node) {
            continue;
        }
        const Instance m = known_.listed(n);
        const auto found = std::find_if(
            lease_peers_.begin(), lease_peers_.end(), [m](const LeasePeer& p) { return p.m == m; });
        if (found == lease_peers_.end()) {
            lease_peers_.push_back({m, now_, known_.incarnation});
            gained = true;
        } else {
            found->listed_until = known_.incarnation;
        }
    }
    note_lease_peers();
    // New members can bring E forward: guardians and clients' page hold the new end before the
    // record appears in own H or on the network (PROTOCOL 8). With an older record still waiting
    // for the guardians this one waits for them too.
    const bool gate = gained || gate_serial_ != 0;
    if (gate && !mutated(Mutation::kPublishBeforeGuardian)) {
        gate_serial_ = UINT64_MAX;  // The serial is drawn when the update is made.
    } else {
        publish();
    }
}

void Arbiter::Impl::publish() {
    published_ = known_;
    touch();
    datagram_due_ = true;
    note_standing();
}

void Arbiter::Impl::set_complete(Incarnation i) {
    if (i <= complete_) {
        return;
    }
    complete_ = i;
    if (i == known_.incarnation && known_.lists(self_)) {
        complete_listed_ = true;
    }
    if (i == known_.incarnation) {
        for (const NodeNumber n : former()) {
            departures_[n].confirmed = true;  // That is what complete means.
        }
    }
    touch();
    datagram_due_ = true;
    if (phase_ != Phase::kStarting && i == known_.incarnation) {
        notify(NoticeKind::kComplete);
    }
}

void Arbiter::Impl::update_promise() {
    // The end of one that stops is fixed by the promise that it was made under (PROTOCOL 7, 8).
    if (phase_ == Phase::kStopping && !mutated(Mutation::kPromiseWhileStopping)) {
        return;
    }
    const Parameters& target = known_.parameters;
    if (mutated(Mutation::kNoPromise)) {
        kept_ = target;
        promised_ = target;
        return;
    }
    if (!(kept_ == target)) {
        fast_ = true;
        const Parameters wide = larger_of_each(kept_, target);
        if (!(promised_ == wide)) {
            promised_ = wide;
            promise_gate_ = 0;
            touch();
        }
        FileSet wide_stands;
        for (const FileIndex f : voting::Quorum(known_).all()) {
            const bool complete =
                files_[f].complete_begin != kNever || mutated(Mutation::kPromiseByWrite);
            if (complete && covers(files_[f].stands_promise, wide)) {
                wide_stands.insert(f);
            }
        }
        const bool raises = !covers(kept_, target);
        if (raises && !voting::Quorum(known_).reached_by(wide_stands)) {
            return;
        }
        const Instant end = lease_end_with(target);
        // Not when the new end would be near: with time-outs too short for the margin that the page
        // names, at least half of the new SIOT must be left.
        const Duration enough =
            std::min<Duration>(kept_.reboottime + 2 * interval(kept_), siot(target) / 2);
        if (end < lease_end_ && end < now_ + enough && !mutated(Mutation::kShortenAtOnce)) {
            return;
        }
        kept_ = target;
        if (!(promised_ == kept_)) {
            promise_gate_ = UINT64_MAX;  // Told to the guardians first; drawn with the update.
        }
    }
    const bool told = promise_gate_ != 0 && acknowledged_serial_ >= promise_gate_;
    if (!(promised_ == kept_) && told) {
        promised_ = kept_;
        promise_gate_ = 0;
        touch();
    }
}

void Arbiter::Impl::note_adopted_shown(NodeNumber n, const voting::Heartbeat& h, Instant at) {
    if (h.state != NodeState::kActive || !h.record.lists(Instance{n, h.unique})) {
        return;
    }
    auto& list = adopted_shown_[n];
    const bool have = std::any_of(list.begin(), list.end(), [&h](const AdoptedShown& a) {
        return a.unique == h.unique && a.record.incarnation == h.record.incarnation;
    });
    if (have) {
        return;
    }
    if (list.size() == kAdoptedKept) {
        list.erase(list.begin());
    }
    list.push_back({h.unique, h.record, at});
}

void Arbiter::Impl::confirm_departures() {
    const bool judges = phase_ == Phase::kMember && known_.lists(self_);
    if (!judges || complete_ >= known_.incarnation) {
        return;
    }
    bool all = true;
    for (const NodeNumber n : former()) {
        Departure& d = departures_[n];
        if (d.confirmed) {
            continue;
        }
        if (mutated(Mutation::kSkipWait) ||
            (mutated(Mutation::kPendingByPublished) &&
             (disk_.node(n).unique != d.unique || !adopted_shown(known_.listed(n))))) {
            d.confirmed = true;
            continue;
        }
        const auto verdict = d.off ? kill_block::Verdict{ConfirmRule::kE4, kForever}
                                   : kill_block::judge(evidence_of(known_.listed(n)), now_);
        if (verdict.rule != ConfirmRule::kNone) {
            d.confirmed = true;
            d.rule = verdict.rule;
            Notice& notice = notify(NoticeKind::kEvictConfirmed);
            notice.node = n;
            notice.unique = d.unique;
            notice.confirmed_by = verdict.rule;
            continue;
        }
        all = false;
        waits_for_.insert(n);
        step_ = ReconfigurationStep::kConfirm;
        wake(verdict.look_again);
        ask_fence(n, d);
        // A victim that can still be reached shows its end within moments; later only a window
        // that is about to close is worth fast cycles.
        const bool just_dropped = now_ < adopted_at_ + kept_.reboottime + 2 * interval(kept_);
        fast_ = fast_ || just_dropped || verdict.look_again <= now_ + 2 * interval(kept_);
    }
    if (all) {
        set_complete(known_.incarnation);
    }
}

/// A victim that stops by itself says so within moments, and one that left cleanly has; their hosts
/// need not be powered off.
void Arbiter::Impl::ask_fence(NodeNumber n, Departure& d) {
    const Instant due = adopted_at_ + 2 * interval(kept_);
    if (!d.fence_asked && now_ >= due) {
        d.fence_asked = true;
        out_.fence.push_back(known_.listed(n));
    }
    wake(due);
}

kill_block::Evidence Arbiter::Impl::evidence_of(Instance victim) const {
    kill_block::Evidence e;
    const NodeNumber n = victim.node;
    e.victim = victim;
    e.quorum = voting::Quorum(known_);
    e.quorum_since = quorum_since_;
    const bool listed = known_.unique[n] == victim.unique;
    e.known_since = listed ? unique_known_at_[n] : now_;
    Parameters promise{};
    bool promised = false;
    for (const FileIndex f : e.quorum.all()) {
        const voting::SlotOnFile& s = disk_.at(f, n);
        kill_block::FileEvidence& file = e.files[f];
        file.shown = s.seen;
        file.unchanged_since = s.first_shown.end;
        if (!listed && s.seen && s.heartbeat.unique == victim.unique) {
            e.known_since = std::min(e.known_since, s.first_shown.end);
        }
        file.unchanged_until =
            mutated(Mutation::kE3CompletionTimes) ? s.last_shown.end : s.last_shown.begin;
        if (s.dropped_unique == victim.unique) {
            file.dropped_since = s.dropped_since;
            file.never_acted = s.never_acted;
        }
        if (mutated(Mutation::kE6AnyRead) && s.seen) {
            const bool acts = s.heartbeat.state == NodeState::kActive ||
                              s.heartbeat.state == NodeState::kResetting;
            file.never_acted = s.heartbeat.unique != victim.unique || !acts;
        }
        if (s.kill.confirmed &&
            (s.kill.victim >= victim.unique || mutated(Mutation::kKillBlockWithoutUnique))) {
            e.kill_block_confirmed = true;
        }
        if (s.seen && s.heartbeat.written()) {
            promise = promised ? larger_of_each(promise, s.heartbeat.promise) : s.heartbeat.promise;
            promised = true;
        }
    }
    if (!promised) {
        promise = known_.parameters;
    }
    e.misscount = promise.misscount;
    e.disktimeout = promise.disktimeout;
    e.reboottime = promise.reboottime;
    const voting::NodeOnDisk& disk = disk_.node(n);
    const netbeat::Peer& peer = links_.peer(n);
    e.ended = disk.ended_unique == victim.unique || peer.ended_unique == victim.unique;
    e.replaced = replaced(victim);
    if (mutated(Mutation::kE1AnyInstance)) {
        e.ended = disk.ended_unique != Unique{} || peer.ended_unique != Unique{};
    }
    if (disk.resetting_unique == victim.unique) {
        e.resetting_at = disk.resetting_at;
    }
    if (peer.resetting_unique == victim.unique) {
        e.resetting_at = e.resetting_at == kNever ? peer.resetting_at
                                                  : std::min(e.resetting_at, peer.resetting_at);
    }
    if (peer.echoed_unique == victim.unique) {
        e.echoed_receipt = peer.echoed_receipt;
    }
    if (mutated(Mutation::kE3DiskOnly)) {
        e.echoed_receipt = kNever;
    }
    e.heard_at = peer.unique == victim.unique ? peer.heard_at : kNever;
    add_witnesses(e);
    return e;
}

void Arbiter::Impl::add_witnesses(kill_block::Evidence& e) const {
    const Departure& d = departures_[e.victim.node];
    if (mutated(Mutation::kE3WithoutListing) || mutated(Mutation::kE3NeverActive)) {
        const bool shown = adopted_shown(e.victim);
        if (shown || mutated(Mutation::kE3NeverActive)) {
            e.witnesses.push_back({kNever, kNever});
        }
        return;
    }
    if (d.unique != e.victim.unique || !d.before.has_value()) {
        return;
    }
    // Every x that the record just before the one that dropped the victim lists, and that a read
    // showed in a record which the victim had adopted.
    for (const NodeNumber n : d.before->members) {
        const Instance x = d.before->listed(n);
        if (x == e.victim) {
            continue;
        }
        Instant gone_since = kNever;
        if (x != self_) {
            const Departure& gone = departures_[n];
            if (disk_.node(n).replaced_below > x.unique) {
                gone_since = disk_.node(n).replaced_at;
            } else if (gone.off && gone.unique == x.unique) {
                gone_since = gone.off_at;
            } else if (mutated(Mutation::kE3WitnessLeft) &&
                       disk_.node(n).ended_unique == x.unique) {
                gone_since = disk_.node(n).ended_at;
            } else {
                continue;
            }
        }
        for (const AdoptedShown& a : adopted_shown_[e.victim.node]) {
            const bool listed = a.record.lists(x) || mutated(Mutation::kE3TwoWitnesses);
            if (a.unique == e.victim.unique && listed) {
                e.witnesses.push_back({a.at, gone_since});
                break;  // The list is in order of time: the first is the earliest.
            }
        }
    }
}

}  // namespace css::core
