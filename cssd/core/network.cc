#include <algorithm>
#include <utility>

#include "cssd/base/mutation.h"
#include "cssd/core/arbiter_impl.h"

// Network heartbeats: who was heard, who hears us, what the others say of each other (PROTOCOL 5).

namespace css::core {

void Arbiter::Impl::on(const HeartbeatReceived& input) {
    const netbeat::Heartbeat& h = *input.heartbeat;
    const NodeNumber n = h.sender.node;
    if (!options_.configured.contains(n) || h.sender.unique == Unique{}) {
        news_ = false;
        return;
    }
    if (n == self_.node) {
        // Somebody else uses this number: a clone, or a replay of a former life, which is older.
        if (phase_ == Phase::kStarting) {
            static_cast<void>(links_.accept(h, now_));
        } else if (h.sender.unique > self_.unique) {
            stop(StopReason::kReplaced);
        }
        return;
    }
    const netbeat::Accepted accepted = links_.accept(h, now_);
    if (accepted == netbeat::Accepted::kNot && !mutated(Mutation::kReplayCounts)) {
        news_ = false;
        return;
    }
    const netbeat::Echo& echo = h.echo[self_.node];
    if (phase_ == Phase::kStarting) {
        echoed_unique_ = std::max(echoed_unique_, echo.unique);
    } else if (echo.unique > self_.unique) {
        stop(StopReason::kReplaced);
    } else if ((echo.unique == self_.unique || mutated(Mutation::kEchoByNumber)) &&
               echo.sequence != Sequence{}) {
        links_.accept_echo(h.sender, echo.sequence);
    }
    const bool same_weight = std::exchange(weight_of_[n], h.weight) == h.weight;
    PublishedSets sets;
    sets.unique = h.sender.unique;
    sets.sequence = h.sequence;
    sets.state = h.state;
    sets.standby = h.standby;
    sets.record = h.record.incarnation;
    sets.connected = h.connected;
    sets.doubt = h.doubt;
    const bool same_sets = observe_sets(n, sets);
    learn(h.record, h.complete);
    const bool asked = h.stop_requested.contains(self_.node) && phase_ == Phase::kMember &&
                       h.record.incarnation == known_.incarnation && known_.lists(h.sender);
    if (asked) {
        begin_leaving();
    }
    const LinkState& link = link_[n];
    const bool link_well = link.connected && !link.doubt && !link.lost && link.warned_percent == 0;
    news_ = !(accepted == netbeat::Accepted::kAlive && same_sets && same_weight && link_well);
}

/// Returns whether they are the same as before, or older.
bool Arbiter::Impl::observe_sets(NodeNumber n, const PublishedSets& sets) {
    PublishedSets& known = sets_[n];
    if (std::tie(sets.unique, sets.sequence) <= std::tie(known.unique, known.sequence)) {
        return true;
    }
    const bool same = known.unique == sets.unique && known.state == sets.state &&
                      known.standby == sets.standby && known.record == sets.record &&
                      known.connected == sets.connected && known.doubt == sets.doubt;
    const NodeSet changed = (sets.connected - known.connected) | (known.connected - sets.connected);
    for (const NodeNumber b : changed) {
        known.changed_at[b] = now_;
    }
    known.unique = sets.unique;
    known.sequence = sets.sequence;
    known.state = sets.state;
    known.standby = sets.standby;
    known.record = sets.record;
    known.connected = sets.connected;
    known.doubt = sets.doubt;
    known.at = now_;
    return same;
}

Unique Arbiter::Impl::largest_unique(NodeNumber n) const {
    return std::max({links_.peer(n).unique, disk_.node(n).replaced_below, known_.unique[n]});
}

bool Arbiter::Impl::replaced(Instance i) const {
    return links_.peer(i.node).unique > i.unique || disk_.node(i.node).replaced_below > i.unique;
}

void Arbiter::Impl::update_links() {
    NodeSet connected;
    NodeSet doubt;
    for (const NodeNumber n : options_.configured | known_.members) {
        if (n != self_.node) {
            update_link(n, connected, doubt);
        }
    }
    if (connected != connected_ || doubt != doubt_) {
        const NodeSet changed = (connected - connected_) | (connected_ - connected);
        for (const NodeNumber b : changed) {
            sets_[self_.node].changed_at[b] = now_;
        }
        connected_ = connected;
        doubt_ = doubt;
        sets_[self_.node].connected = connected;
        sets_[self_.node].doubt = doubt;
        touch();
        datagram_due_ = true;
    }
}

void Arbiter::Impl::update_link(NodeNumber n, NodeSet& connected, NodeSet& doubt) {
    const Instance m{n, largest_unique(n)};
    const bool listed = known_.members.contains(n);
    const netbeat::Peer& peer = links_.peer(n);
    const bool joiner = peer.unique > known_.unique[n] && peer.state == NodeState::kJoining;
    LinkState& link = link_[n];
    if (!listed && !joiner) {
        link = LinkState{};
        return;
    }
    const Instant acknowledged = acknowledged_by(m);
    link.acknowledged = acknowledged;
    const Duration silent = now_ - acknowledged;
    const bool is_connected = silent < kept_.misscount;
    const bool in_doubt = is_connected && silent >= doubt_after(kept_);
    if (is_connected) {
        wake(acknowledged + (in_doubt ? Duration{kept_.misscount} : doubt_after(kept_)));
        connected.insert(n);
    }
    if (in_doubt) {
        doubt.insert(n);
    }
    if (listed && !departed(known_.listed(n))) {
        if (in_doubt && !link.doubt) {
            Notice& notice = notify(NoticeKind::kInDoubt);
            notice.node = n;
            notice.silent_for = silent;
        }
        const bool lost = link.connected && !is_connected;
        if (lost || (link.lost && is_connected)) {
            link.lost = lost;
            Notice& notice = notify(lost ? NoticeKind::kLinkLost : NoticeKind::kLinkRestored);
            notice.node = n;
            notice.silent_for = silent;
        }
        warn_link(n, link, acknowledged);
    }
    link.connected = is_connected;
    link.doubt = in_doubt;
}

void Arbiter::Impl::warn_link(NodeNumber n, LinkState& link, Instant acknowledged) {
    const Duration limit = kept_.misscount;
    const Duration silent = now_ - acknowledged;
    unsigned percent = 0;
    for (const unsigned p : {50U, 75U, 90U}) {
        if (silent >= limit * p / 100) {
            percent = p;
        } else {
            wake(acknowledged + limit * p / 100);
            break;
        }
    }
    if (percent > link.warned_percent && silent < limit) {
        Notice& notice = notify(NoticeKind::kSuspect);
        notice.node = n;
        notice.percent = percent;
        notice.silent_for = silent;
        notice.remaining = limit - silent;
    }
    link.warned_percent = percent;
}

bool Arbiter::Impl::may_echo() const {
    // RESETTING and FENCED instances do not echo; one that leaves does, until it is dropped.
    return mutated(Mutation::kEchoWhileStopping) || phase_ == Phase::kJoining ||
           phase_ == Phase::kMember || phase_ == Phase::kLeaving;
}

bool Arbiter::Impl::echoes(NodeNumber n) const {
    const netbeat::Peer& peer = links_.peer(n);
    return may_echo() && peer.unique == largest_unique(n) &&
           (!known_.drops(Instance{n, peer.unique}) || mutated(Mutation::kEchoDropped));
}

void Arbiter::Impl::make_datagram(netbeat::Heartbeat& h) {
    sequence_ = Sequence{sequence_.value() + 1};
    h.sender = self_;
    h.sequence = sequence_;
    h.state = state_published(standing_);
    h.standby = standby_;
    h.complete = complete_ >= standing_.incarnation;
    h.weight = weight_;
    h.connected = connected_;
    h.doubt = doubt_;
    h.stop_requested = stop_requested_;
    h.record = standing_;
    for (const NodeNumber n : options_.configured) {
        if (n == self_.node) {
            continue;
        }
        // A joiner is told, too, of a larger unique that one file showed: it may have no way to
        // that file, or count others by now, and could not be taken in below it.
        h.echo[n].unique = known_.members.contains(n)
                               ? largest_unique(n)
                               : std::max(largest_unique(n), disk_.node(n).unique);
        if (echoes(n) && h.echo[n].unique == links_.peer(n).unique) {
            h.echo[n].sequence = links_.peer(n).sequence;
            links_.echoed(n);
        }
    }
}

void Arbiter::Impl::send_heartbeat() {
    // Own H stands on a majority before the first one (PROTOCOL 8).
    const bool silent = phase_ == Phase::kStopping && !resetting_ && !clients_gone_;
    if (!stands_ || silent) {
        return;
    }
    const Instant due = datagram_at_ + period();
    if (!datagram_due_ && !this->due(due)) {
        wake(due);
        return;
    }
    make_datagram(out_.heartbeat.emplace());
    links_.sent(sequence_, now_);
    links_.forget_sent_before(now_ - 2 * Duration{promised_.misscount});
    datagram_due_ = false;
    datagram_at_ = now_;
    wake(now_ + period());
}

}  // namespace css::core
