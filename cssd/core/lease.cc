#include <algorithm>

#include "cssd/base/mutation.h"
#include "cssd/core/arbiter_impl.h"

// The lease end E and what follows from it: may act, what guardians and clients are told, stopping
// and leaving (PROTOCOL 4 and 8).

namespace css::core {

Instant Arbiter::Impl::disk_time() const {
    const auto begin_of = [this](FileIndex f) { return files_[f].complete_begin; };
    return quorum_of(known_).latest_reached(begin_of, files_floor_, next_floor_);
}

Instant Arbiter::Impl::acknowledged_by(Instance m) const {
    const LeaseFloor& floor = lease_floor_[m.node];
    const Instant at = links_.acknowledged(m);
    return floor.unique == m.unique ? std::max(at, floor.at) : at;
}

void Arbiter::Impl::note_lease_peers() {
    lease_floor_ = {};
    for (const LeasePeer& p : lease_peers_) {
        LeaseFloor& floor = lease_floor_[p.m.node];
        if (p.m.unique > floor.unique) {
            floor = {p.m.unique, p.floor};
        }
    }
}

Instant Arbiter::Impl::lease_end_with(const Parameters& promise) const {
    const Instant disk = disk_time();
    const Instant by_disk = disk + liot(promise);
    if (lease_peers_.empty() || mutated(Mutation::kGuardianToldLiot)) {
        return by_disk;
    }
    Instant heard = kForever;
    for (const LeasePeer& p : lease_peers_) {
        if ((mutated(Mutation::kLeaseByPublishedOnly) && !published_.lists(p.m)) ||
            (mutated(Mutation::kLeaseByAdoptedOnly) && !known_.lists(p.m))) {
            continue;
        }
        heard = std::min(heard, std::max(p.floor, links_.acknowledged(p.m)));
    }
    return std::min(by_disk, std::max(disk, heard) + siot(promise));
}

void Arbiter::Impl::update_activation() {
    if (phase_ != Phase::kMember) {
        return;
    }
    if (!activated_) {
        // For one record, on each file of a majority: find the record that most files agree on.
        FileSet files;
        for (const FileIndex f : voting::Quorum(known_).all()) {
            if (files_[f].acted_under != Incarnation{} &&
                files_[f].acted_under == published_.incarnation) {
                files.insert(f);
            }
        }
        activated_ = voting::Quorum(published_).reached_by(files);
    }
    activated_ = activated_ || mutated(Mutation::kActWithoutOwnCycle);
    complete_listed_ = complete_listed_ || mutated(Mutation::kActWithoutComplete);
    if (activated_ && complete_listed_ && !armed_) {
        armed_ = true;
        armed_serial_ = UINT64_MAX;  // Drawn with the update.
    }
}

void Arbiter::Impl::update_lease() {
    if (has_lease()) {
        lease_end_ = lease_end_with(kept_);
        wake(lease_end_ - stop_margin());
    }
    tell_guardians();
}

void Arbiter::Impl::tell_guardians() {
    LeaseUpdate u;
    u.end = phase_ == Phase::kStopping ? lease_fixed_ : lease_end_;
    u.armed = armed_;
    u.released = phase_ == Phase::kLeaving && clients_gone_;
    u.instance = self_;
    u.final = phase_ == Phase::kStopping;
    u.reboottime = kept_.reboottime;
    u.token = complete_;
    u.may_act = phase_ == Phase::kMember && activated_ && complete_listed_ && armed_ &&
                (acknowledged_serial_ >= armed_serial_ || mutated(Mutation::kActBeforeArmed)) &&
                now_ < lease_end_;
    const bool waiting = gate_serial_ == UINT64_MAX || promise_gate_ == UINT64_MAX ||
                         armed_serial_ == UINT64_MAX || cut_serial_ == UINT64_MAX;
    const bool changed = u.armed != told_.armed || u.released != told_.released ||
                         u.token != told_.token || u.may_act != told_.may_act ||
                         u.reboottime != told_.reboottime || u.end < told_.end;
    // Every interval; more often where the lease is so short that a stale end would be felt.
    const Duration every = std::min(period(), siot(kept_) / 8);
    const Instant due = told_at_ + every;
    const bool published_first =
        (mutated(Mutation::kPublishBeforeGuardian) && adopted_at_ == now_) ||
        (mutated(Mutation::kResettingBeforeGuardian) && phase_ == Phase::kStopping);
    if (((!waiting && !changed) || published_first) && !this->due(due)) {
        wake(due);
        return;
    }
    u.serial = told_.serial + 1;
    for (std::uint64_t* gate : {&gate_serial_, &promise_gate_, &armed_serial_, &cut_serial_}) {
        if (*gate == UINT64_MAX) {
            *gate = u.serial;
        }
    }
    told_ = u;
    told_at_ = now_;
    wake(now_ + every);
    out_.lease = u;
    if (u.may_act && !acts_) {
        acts_ = true;
        notify(NoticeKind::kActive).by = self_.node;
    }
}

void Arbiter::Impl::stop(StopReason reason, NodeNumber by) {
    if ((mutated(Mutation::kDroppedGoesOn) && reason == StopReason::kEvicted) ||
        (mutated(Mutation::kKilledGoesOn) && reason == StopReason::kKilled) ||
        (mutated(Mutation::kReplacedGoesOn) &&
         (reason == StopReason::kReplaced || reason == StopReason::kSlotTaken)) ||
        (mutated(Mutation::kUnguardedGoesOn) && reason == StopReason::kGuardianLost)) {
        return;
    }
    const bool leaving_done = phase_ == Phase::kLeaving && clients_gone_;
    if (phase_ == Phase::kStarting || phase_ == Phase::kStopping || phase_ == Phase::kEnded ||
        leaving_done) {
        return;
    }
    refresh_lease();
    Notice& n = notify(NoticeKind::kLeaseLost);
    n.stop = reason;
    n.by = by;
    n.node = self_.node;
    if (reason == StopReason::kLeaseLapsed && lease_end_ >= disk_time() + liot(kept_)) {
        // The voting files ended it, not the network: say how many were left (CRS-1606).
        for (const FileIndex f : voting::Quorum(known_).all()) {
            n.available += files_[f].complete_begin > disk_time() ? 1U : 0U;
        }
        n.required = voting::Quorum(known_).needed();
    }
    stop_reason_ = reason;
    stopped_by_ = by;
    phase_ = Phase::kStopping;
    if (!armed_) {
        // It never acted, so there is nothing to stop but the instance itself.
        end(Exit::Kind::kAgain);
        return;
    }
    // First, irrevocably, the guardians' end; RESETTING only when they hold it.
    cut_serial_ = UINT64_MAX;
    lease_fixed_ = std::min(lease_end_, now_ + Duration{kept_.reboottime} / 10);
    // Wait for RESETTING to stand for half of that: the other half is for FENCED.
    fence_at_ = now_ + (lease_fixed_ - now_) / 2;
}

void Arbiter::Impl::evaluate_stopping() {
    fast_ = true;
    const bool cut_held = (cut_serial_ != UINT64_MAX && acknowledged_serial_ >= cut_serial_) ||
                          mutated(Mutation::kResettingBeforeGuardian);
    if (!resetting_ && cut_held) {
        resetting_ = true;
        touch();
        datagram_due_ = true;
    }
    const auto stands = [this](NodeState state) {
        FileSet files;
        for (const FileIndex f : voting::Quorum(published_).all()) {
            if (files_[f].complete_begin != kNever && files_[f].stands_state == state) {
                files.insert(f);
            }
        }
        return voting::Quorum(published_).reached_by(files);
    };
    if (!fence_ordered_) {
        if (now_ >= fence_at_ || (resetting_ && stands(NodeState::kResetting))) {
            fence_ordered_ = true;
            out_.fence_self =
                FenceSelf{stop_reason_, stopped_by_, std::min(lease_end_, now_ + kept_.reboottime)};
        } else {
            wake(fence_at_);
        }
    }
    if (clients_gone_) {
        const Instant give_up = clients_gone_at_ + kept_.reboottime;
        if (stands(NodeState::kFenced) || now_ >= give_up) {
            end(Exit::Kind::kFenced);
        } else {
            wake(give_up);
        }
    }
}

void Arbiter::Impl::begin_leaving() {
    if (phase_ == Phase::kStarting) {
        end(Exit::Kind::kLeft);
        return;
    }
    if (!alive()) {
        return;
    }
    phase_ = Phase::kLeaving;
    out_.drain = true;
}

void Arbiter::Impl::evaluate_leaving() {
    if (!clients_gone_) {
        return;
    }
    fast_ = true;
    FileSet files;
    for (const FileIndex f : voting::Quorum(published_).all()) {
        if (files_[f].complete_begin != kNever && files_[f].stands_state == NodeState::kLeft) {
            files.insert(f);
        }
    }
    // It goes on echoing until a record drops it, every other member has left or stopped, or
    // misscount has passed (PROTOCOL 5).
    bool others = false;
    if (known_.lists(self_)) {
        for (const NodeNumber n : known_.members) {
            others = others || (n != self_.node && !departed(known_.listed(n)));
        }
    }
    const Instant give_up = clients_gone_at_ + kept_.misscount;
    const bool stands = voting::Quorum(published_).reached_by(files);
    if ((stands && !others) || now_ >= give_up) {
        end(Exit::Kind::kLeft);
    } else {
        wake(give_up);
    }
}

void Arbiter::Impl::end(Exit::Kind kind) {
    for (const EvictRequest& r : evict_requests_) {
        finish(r.id, RequestResult::kStopped);
    }
    if (parameter_request_) {
        finish(parameter_request_->id, RequestResult::kStopped);
    }
    if (files_request_) {
        finish(files_request_->id, RequestResult::kStopped);
    }
    phase_ = Phase::kEnded;
    out_.exit = Exit{kind, stop_reason_};
    out_.cycles.clear();
    if (kind != Exit::Kind::kLeft && told_.serial != 0) {
        // It never acted, or all its clients are gone. Another instance may follow, and is told to
        // the guardians only after it has watched its slot; until then they must not take the
        // lapsed end of this one for a hung daemon.
        LeaseUpdate u = told_;
        ++u.serial;
        u.may_act = false;
        u.released = true;
        out_.lease = u;
    }
}

}  // namespace css::core
