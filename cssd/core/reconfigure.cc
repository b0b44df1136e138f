#include <algorithm>

#include "cssd/base/mutation.h"
#include "cssd/core/arbiter_impl.h"
#include "cssd/core/cohort.h"

// Reconfiguration (PROTOCOL 7): triggers, settling, the cohort, and who proposes. Computed anew in
// every step from what is known; nothing here is remembered but since when.

namespace css::core {

/// The members that can stay, and how their links look.
struct Arbiter::Impl::View {
    NodeSet vertices;    ///< Listed, not departed, not asked to go.
    NodeSet asked;       ///< Eviction by hand.
    bool loss = false;   ///< Some link between vertices is lost.
    bool doubt = false;  ///< Some link between vertices is in doubt.
    NodeSet fresh;       ///< Set by settled().
};

void Arbiter::Impl::reconfigure() {
    if (phase_ == Phase::kMember && known_.lists(self_)) {
        reconfigure_as_member();
    } else if (phase_ == Phase::kJoining && !standby_) {
        form();
    }
    fast_ = fast_ || paxos_.running() || published_.incarnation != known_.incarnation ||
            (stands_ && standing_.incarnation != published_.incarnation);
}

bool Arbiter::Impl::departed(Instance i) const {
    const voting::NodeOnDisk& disk = disk_.node(i.node);
    const netbeat::Peer& peer = links_.peer(i.node);
    return disk.ended_unique == i.unique || peer.ended_unique == i.unique ||
           disk.resetting_unique == i.unique || peer.resetting_unique == i.unique || replaced(i);
}

bool Arbiter::Impl::stopped(Instance i) const {
    const voting::NodeOnDisk& disk = disk_.node(i.node);
    const netbeat::Peer& peer = links_.peer(i.node);
    return disk.resetting_unique == i.unique || peer.resetting_unique == i.unique ||
           disk.fenced_unique == i.unique || peer.fenced_unique == i.unique;
}

void Arbiter::Impl::view_links(View& v) const {
    for (const NodeNumber b : v.vertices) {
        if (b != self_.node) {
            v.loss = v.loss || !link_[b].connected;
            v.doubt = v.doubt || link_[b].doubt;
        }
    }
    for (const NodeNumber w : v.vertices) {
        const PublishedSets& s = sets_[w];
        // What w published before it adopted this record says nothing of links to new members.
        const bool speaks =
            w != self_.node && s.unique == known_.unique[w] && s.record == known_.incarnation;
        if (!speaks) {
            continue;
        }
        const NodeSet others = v.vertices - NodeSet::of(w);
        v.loss = v.loss || !s.connected.contains(others);
        v.doubt = v.doubt || !(s.doubt & others).empty();
    }
}

void Arbiter::Impl::reconfigure_as_member() {
    View v;
    RecordCause cause = RecordCause::kNone;
    for (const EvictRequest& r : evict_requests_) {
        if (known_.lists(r.victim)) {
            v.asked.insert(r.victim.node);
            cause = RecordCause::kEvicted;
        }
    }
    for (const NodeNumber n : known_.members) {
        const Instance i = known_.listed(n);
        if (n != self_.node && departed(i)) {
            cause = replaced(i)  ? RecordCause::kRestarted
                    : stopped(i) ? RecordCause::kStopped
                                 : RecordCause::kLeave;
        } else if (!v.asked.contains(n)) {
            v.vertices.insert(n);
        }
    }
    view_links(v);
    fast_ = fast_ || v.doubt || v.loss;
    NodeSet clique = v.vertices;
    if (v.loss) {
        cause = RecordCause::kLinkLost;
        step_ = ReconfigurationStep::kSettle;
        if (!settled(v) && !mutated(Mutation::kNoSettle)) {
            stop_proposing();
            return;
        }
        clique = best_clique(v.fresh, adjacency(), weights());
        if (mutated(Mutation::kAnyLostLinkSplits)) {
            clique = fully_linked(v.fresh);
        }
    } else {
        loss_at_ = kNever;
        if (v.doubt) {
            step_ = ReconfigurationStep::kSettle;
        }
    }
    if (mutated(Mutation::kLeaveNeedsFresh) && clique != known_.members) {
        for (const NodeNumber n : clique) {
            if (n != self_.node && now_ > disk_.node(n).moved_at + 3 * interval(kept_)) {
                clique.erase(n);
            }
        }
    }
    if (!clique.contains(self_.node)) {
        stop_proposing();
        return;
    }
    const NodeSet joiners = admissible_joiners(clique);
    if (cause == RecordCause::kNone && !joiners.empty()) {
        cause = RecordCause::kJoin;
    }
    const bool same_members = clique == known_.members && joiners.empty();
    const bool parameters = !(with_request(known_.parameters) == known_.parameters);
    Record target;
    bool files = false;
    if (!same_members || parameters || files_request_ || !known_.files_next.empty()) {
        target = next_record(clique, joiners, cause);
        files = change_files(target);
    }
    if (same_members && !parameters && !files) {
        stop_proposing();
        return;
    }
    if (cause == RecordCause::kNone) {
        target.cause = files ? RecordCause::kVotingFiles : RecordCause::kParameters;
    }
    propose(
        target, clique, parameters || !v.asked.empty() || (files && files_request_.has_value()));
}

NodeSet Arbiter::Impl::fresh_among(NodeSet vertices, Instant since) const {
    NodeSet fresh;
    for (const NodeNumber n : vertices) {
        const Unique u = known_.unique[n];
        const voting::NodeOnDisk& disk = disk_.node(n);
        const netbeat::Peer& peer = links_.peer(n);
        if (n == self_.node || (disk.unique == u && disk.moved_at > since) ||
            (peer.unique == u && peer.heard_at > since)) {
            fresh.insert(n);
        }
    }
    // A fresh instance that still shows another in its connected set makes that one fresh, too.
    for (NodeSet before; before != fresh;) {
        before = fresh;
        for (const NodeNumber w : before) {
            const PublishedSets& s = sets_[w];
            if (w == self_.node) {
                fresh = fresh | (connected_ & vertices);
            } else if (s.unique == known_.unique[w] && s.at > since) {
                fresh = fresh | (s.connected & vertices);
            }
        }
    }
    return fresh;
}

bool Arbiter::Impl::silent(NodeNumber n) const {
    if (link_[n].connected) {
        return false;
    }
    // Unmoved for SIOT, judged by reads of a majority of files begun after that: a node whose own
    // disks hung would otherwise find everybody silent and propose itself alone.
    const Duration length = stretched(siot(promised_));
    const Instant unmoved_until = std::max(disk_.node(n).moved_at, born_at_) + length;
    const voting::Quorum quorum(known_);
    if (mutated(Mutation::kSilentWithoutReads)) {
        return now_ >= unmoved_until;
    }
    return now_ >= unmoved_until &&
           quorum.reached_by(disk_.unmoved(quorum.all(), n, length, unmoved_until));
}

/// Whether what is known of this member's links was composed by it after `since`.
bool Arbiter::Impl::spoke_since(NodeNumber n, Instant since) const {
    for (const FileIndex f : voting::Quorum(known_).all()) {
        const voting::SlotOnFile& s = disk_.at(f, n);
        if (s.seen && s.heartbeat.unique == known_.unique[n] && s.composed_after >= since) {
            return true;
        }
    }
    return n == self_.node;
}

bool Arbiter::Impl::settled(View& v) {
    if (loss_at_ == kNever) {
        loss_at_ = now_;
    }
    v.fresh = fresh_among(v.vertices, loss_at_);
    NodeSet unclear;
    for (const NodeNumber n : v.vertices - v.fresh) {
        if (!silent(n)) {
            unclear.insert(n);
        }
    }
    Instant stable_since = kNever;
    bool all_spoke = true;
    for (const NodeNumber a : v.fresh) {
        all_spoke = all_spoke && spoke_since(a, loss_at_);
        for (const NodeNumber b : v.fresh) {
            if (a == b) {
                continue;
            }
            stable_since = std::max(stable_since, sets_[a].changed_at[b]);
            const bool in_doubt = a == self_.node
                                      ? link_[b].doubt
                                      : (sets_[a].doubt & sets_[a].connected).contains(b);
            if (in_doubt) {
                unclear.insert(b);
            }
        }
    }
    const Instant deadline = loss_at_ + settle_max(kept_);
    // Of one cut every link is in doubt before the first is lost (timing.h, doubt_after). So when
    // everybody has spoken since and nobody doubts, the sets show the whole of it; and what was
    // lost in one's eyes only because it knows more (a restart, a newer record) is known to all.
    // Whoever cannot speak on the disks is waited for only until the sets have stood still.
    const Instant stable = all_spoke ? now_ : stable_since + settle_stable(kept_);
    if (now_ >= deadline || (unclear.empty() && now_ >= stable)) {
        return true;
    }
    waits_for_ = waits_for_ | unclear;
    wake(deadline);
    if (now_ < stable) {
        wake(stable);
    }
    return false;
}

PerNode<NodeSet> Arbiter::Impl::adjacency() const {
    PerNode<NodeSet> connected;
    for (std::size_t i = 0; i < kNodesMax; ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        connected[n] = n == self_.node ? connected_ : sets_[n].connected;
    }
    return connected;
}

PerNode<std::uint32_t> Arbiter::Impl::weights() const {
    PerNode<std::uint32_t> w = weight_of_;
    w[self_.node] = weight_;
    return w;
}

NodeSet Arbiter::Impl::fully_linked(NodeSet nodes) const {
    const PerNode<NodeSet> connected = adjacency();
    NodeSet good;
    for (const NodeNumber n : nodes) {
        good.assign(n, connected[n].contains(nodes - NodeSet::of(n)));
    }
    return good;
}

bool Arbiter::Impl::is_joiner(NodeNumber n) const {
    const PublishedSets& s = sets_[n];
    return s.state == NodeState::kJoining && !s.standby && s.unique > known_.unique[n] &&
           s.unique == largest_unique(n);
}

NodeSet Arbiter::Impl::admissible_joiners(NodeSet clique) const {
    NodeSet candidates;
    for (const NodeNumber n : options_.configured - clique) {
        if (n == self_.node || !is_joiner(n) || !link_[n].connected ||
            links_.peer(n).unique != sets_[n].unique) {
            continue;
        }
        const bool to_all = std::all_of(clique.begin(), clique.end(), [this, n](NodeNumber w) {
            const NodeSet of_w = w == self_.node ? connected_ : sets_[w].connected;
            return of_w.contains(n) && sets_[n].connected.contains(w);
        });
        if (to_all) {
            candidates.insert(n);
        }
    }
    if (mutated(Mutation::kJoinersNoClique)) {
        return candidates;
    }
    return candidates.empty() ? candidates : best_clique(candidates, adjacency(), weights());
}

void Arbiter::Impl::form() {
    for (const NodeNumber n : known_.members) {
        if (n != self_.node && !departed(known_.listed(n)) && !silent(n)) {
            waits_for_.insert(n);
        }
    }
    if (!waits_for_.empty() || !stands_) {
        stop_proposing();
        return;
    }
    NodeSet joiners = NodeSet::of(self_.node);
    for (const NodeNumber n : options_.configured - joiners) {
        // Seen on a majority of files and alive, or connected: it could form as well as this one.
        const voting::NodeOnDisk& disk = disk_.node(n);
        const bool alive_on_disk = disk.replaced_below >= sets_[n].unique &&
                                   disk.unique == sets_[n].unique &&
                                   now_ < disk.moved_at + siot(promised_);
        if (is_joiner(n) && (link_[n].connected || alive_on_disk)) {
            joiners.insert(n);
        }
    }
    const NodeSet clique = best_clique(joiners, adjacency(), weights());
    if (!clique.contains(self_.node)) {
        stop_proposing();
        return;
    }
    propose(next_record(NodeSet{}, clique, RecordCause::kFormation), clique, false);
}

Record Arbiter::Impl::next_record(NodeSet members, NodeSet joiners, RecordCause cause) const {
    Record r = known_;
    r.incarnation = next(known_.incarnation);
    r.members = members | joiners;
    for (const NodeNumber n : joiners) {
        r.unique[n] = n == self_.node ? self_.unique : sets_[n].unique;
    }
    r.parameters = with_request(known_.parameters);
    r.proposer = self_.node;
    r.cause = cause;
    return r;
}

void Arbiter::Impl::stop_proposing() {
    paxos_.abandon();
    trigger_at_ = kNever;
}

void Arbiter::Impl::propose(const Record& target, NodeSet cohort, bool own_request) {
    fast_ = true;
    step_ = ReconfigurationStep::kDecide;
    if (trigger_at_ == kNever) {
        trigger_at_ = now_;
        turn_jitter_ = cycle_time() * static_cast<int>(random_below(4)) / 2;
    }
    if (paxos_.running()) {
        paxos_.repropose(target);
        note_files_proposed(target);
        return;
    }
    // B moves to the next incarnation only when own H with this one stands on a majority.
    const bool standing = standing_.incarnation == known_.incarnation && stands_;
    if (!standing && !(mutated(Mutation::kBallotBeforeStanding) && stands_)) {
        return;
    }
    if (now_ < retry_at_) {
        wake(retry_at_);
        return;
    }
    if (!my_turn(cohort, own_request)) {
        return;
    }
    paxos_.begin(target,
                 mutated(Mutation::kBallotByReachable) ? voting::Quorum(open_, FileSet{})
                                                       : voting::Quorum(known_));
    note_files_proposed(target);
    Notice& n = notify(NoticeKind::kBallotStarted);
    n.incarnation = target.incarnation;
    n.members = target.members;
    n.cause = target.cause;
}

bool Arbiter::Impl::my_turn(NodeSet cohort, bool own_request) {
    const NodeNumber leader = cohort.lowest();
    if (leader == self_.node || own_request) {
        return true;
    }
    // Another takes over when the leader's ballot and record have not changed for a while.
    int rank = 0;
    for (const NodeNumber n : cohort) {
        rank += n < self_.node ? 1 : 0;
    }
    const Instant last_change = std::max(trigger_at_, ballots_[leader].changed_at);
    const Instant turn = last_change + cycle_time() * (4 * rank) + turn_jitter_;
    if (now_ < turn) {
        wake(turn);
        return false;
    }
    return true;
}

}  // namespace css::core
