#include "netbeat/monitor/links.h"

#include <algorithm>
#include <utility>

#include "cssd/base/mutation.h"

namespace css::netbeat {
namespace {

constexpr std::size_t kSentKept = 4096;

}  // namespace

Accepted Links::accept(const Heartbeat& h, Instant now) {
    Peer& p = peers_[h.sender.node];
    if (std::pair{h.sender.unique, h.sequence} <= std::pair{p.unique, p.sequence}) {
        if (mutated(Mutation::kReplayCounts)) {
            p.heard_at = now;
        }
        return Accepted::kNot;
    }
    const bool same = p.unique == h.sender.unique && p.state == h.state && p.standby == h.standby &&
                      p.record == h.record.incarnation && p.complete == h.complete;
    p.unique = h.sender.unique;
    p.sequence = h.sequence;
    p.heard_at = now;
    p.state = h.state;
    p.standby = h.standby;
    p.record = h.record.incarnation;
    p.complete = h.complete;
    if (h.state == NodeState::kResetting && p.resetting_unique != p.unique) {
        p.resetting_unique = p.unique;
        p.resetting_at = now;
    }
    if (h.state == NodeState::kLeft || h.state == NodeState::kFenced) {
        p.ended_unique = p.unique;
    }
    if (h.state == NodeState::kFenced) {
        p.fenced_unique = p.unique;
    }
    return same ? Accepted::kAlive : Accepted::kNews;
}

void Links::accept_echo(Instance from, Sequence echoed) {
    const auto sent =
        std::lower_bound(sent_.begin(), sent_.end(), echoed, [](const Sent& s, Sequence q) {
            return s.sequence < q;
        });
    if (sent == sent_.end() || sent->sequence != echoed) {
        return;
    }
    Acknowledgements& a = acknowledged_[from.node];
    if (a.count == 0 || a.of[a.count - 1].unique < from.unique) {
        if (a.count == a.of.size()) {
            std::shift_left(a.of.begin(), a.of.end(), 1);
            --a.count;
        }
        a.of[a.count++] = {from.unique, sent->at};
    } else if (Acknowledged& newest = a.of[a.count - 1]; newest.unique == from.unique) {
        newest.sent_at = std::max(newest.sent_at, sent->at);
    }
}

void Links::sent(Sequence sequence, Instant now) {
    CSS_CHECK(sent_.empty() || sent_.back().sequence < sequence);
    if (sent_.size() == kSentKept) {
        sent_.pop_front();
    }
    sent_.push_back({sequence, now});
}

void Links::echoed(NodeNumber n) {
    Peer& p = peers_[n];
    p.echoed_unique = p.unique;
    p.echoed_receipt = p.heard_at;
}

void Links::forget_sent_before(Instant time) {
    while (!sent_.empty() && sent_.front().at < time) {
        sent_.pop_front();
    }
}

Instant Links::acknowledged(Instance m) const {
    if (mutated(Mutation::kNoEcho)) {
        return peers_[m.node].unique == m.unique ? peers_[m.node].heard_at : kNever;
    }
    const Acknowledgements& a = acknowledged_[m.node];
    for (std::size_t i = a.count; i > 0; --i) {
        if (a.of[i - 1].unique == m.unique) {
            return a.of[i - 1].sent_at;
        }
    }
    return kNever;
}

}  // namespace css::netbeat
