#include "netbeat/monitor/links.h"

#include <algorithm>
#include <utility>

#include "cssd/base/mutation.h"

namespace css::netbeat {
namespace {

constexpr std::size_t kInstancesKept = 4;
constexpr std::size_t kSentKept = 4096;

}  // namespace

bool Links::accept(const Heartbeat& h, Instant now) {
    Peer& p = peers_[h.sender.node];
    if (std::pair{h.sender.unique, h.sequence} <= std::pair{p.unique, p.sequence}) {
        if (mutated(Mutation::kReplayCounts)) {
            p.heard_at = now;
        }
        return false;
    }
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
    return true;
}

void Links::accept_echo(Instance from, Sequence echoed) {
    const auto sent =
        std::lower_bound(sent_.begin(), sent_.end(), echoed, [](const Sent& s, Sequence q) {
            return s.sequence < q;
        });
    if (sent == sent_.end() || sent->sequence != echoed) {
        return;
    }
    auto& list = acknowledged_[from.node];
    if (list.empty() || list.back().unique < from.unique) {
        if (list.size() == kInstancesKept) {
            list.erase(list.begin());
        }
        list.push_back({from.unique, sent->at});
    } else if (list.back().unique == from.unique) {
        list.back().sent_at = std::max(list.back().sent_at, sent->at);
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
    for (const Acknowledged& a : acknowledged_[m.node]) {
        if (a.unique == m.unique) {
            return a.sent_at;
        }
    }
    return kNever;
}

}  // namespace css::netbeat
