#include <algorithm>

#include "cssd/core/arbiter_impl.h"

// The administrator's requests, and the snapshot that answers queries.

namespace css::core {

void Arbiter::Impl::on(const OperatorRequest& input) {
    std::visit([this, &input](const auto& what) { take_request(input.id, what); }, input.what);
}

void Arbiter::Impl::finish(std::uint64_t id, RequestResult result) {
    Notice& n = notify(NoticeKind::kRequestDone);
    n.request = id;
    n.request_result = result;
}

Parameters Arbiter::Impl::with_request(Parameters p) const {
    if (parameter_request_) {
        const SetParameters& s = parameter_request_->set;
        const Parameters before = p;
        p.misscount = s.misscount.value_or(p.misscount);
        p.disktimeout = s.disktimeout.value_or(p.disktimeout);
        p.reboottime = s.reboottime.value_or(p.reboottime);
        // Somebody else may have changed the others meanwhile.
        return consistent(p) ? p : before;
    }
    return p;
}

void Arbiter::Impl::take_request(std::uint64_t id, const SetParameters& r) {
    if (phase_ != Phase::kMember || !known_.lists(self_)) {
        finish(id, RequestResult::kNotMember);
        return;
    }
    if (parameter_request_) {
        finish(id, RequestResult::kBusy);
        return;
    }
    parameter_request_ = ParameterRequest{id, r, {}};
    Parameters wanted = known_.parameters;
    wanted.misscount = r.misscount.value_or(wanted.misscount);
    wanted.disktimeout = r.disktimeout.value_or(wanted.disktimeout);
    wanted.reboottime = r.reboottime.value_or(wanted.reboottime);
    parameter_request_->wanted = wanted;
    if (!consistent(wanted)) {
        parameter_request_.reset();
        finish(id, RequestResult::kConflict);
    }
}

void Arbiter::Impl::take_request(std::uint64_t id, const EvictNode& r) {
    if (phase_ != Phase::kMember || !known_.lists(self_)) {
        finish(id, RequestResult::kNotMember);
        return;
    }
    if (!known_.members.contains(r.node) || r.node == self_.node) {
        finish(id, RequestResult::kUnknownNode);
        return;
    }
    evict_requests_.push_back({id, known_.listed(r.node)});
}

void Arbiter::Impl::take_request(std::uint64_t id, const StopClusterNodes& /*r*/) {
    if (phase_ != Phase::kMember) {
        begin_leaving();
        return;
    }
    stop_request_ = id;
    stop_requested_ = known_.members - NodeSet::of(self_.node);
    datagram_due_ = true;
}

void Arbiter::Impl::take_request(std::uint64_t /*id*/, const Leave& /*r*/) {
    begin_leaving();
}

void Arbiter::Impl::take_request(std::uint64_t id, const SetStandby& r) {
    if (standby_ != r.standby) {
        standby_ = r.standby;
        touch();
        datagram_due_ = true;
    }
    finish(id, RequestResult::kDone);
}

void Arbiter::Impl::take_request(std::uint64_t id, const SetWeight& r) {
    if (weight_ != r.weight) {
        weight_ = r.weight;
        touch();
        datagram_due_ = true;
    }
    finish(id, RequestResult::kDone);
}

void Arbiter::Impl::take_request(std::uint64_t id, const ChangeVotingFiles& r) {
    if (phase_ != Phase::kMember || !known_.lists(self_)) {
        finish(id, RequestResult::kNotMember);
        return;
    }
    if (files_request_ || !known_.files_next.empty()) {
        finish(id, RequestResult::kBusy);
        return;
    }
    const bool named = std::all_of(r.files.begin(), r.files.end(), [this, &r](FileIndex f) {
        return known_.files.contains(f) || r.tags[f] != FileTag{};
    });
    if (r.files.count() % 2 == 0 || !named) {
        finish(id, RequestResult::kBadFiles);
        return;
    }
    files_request_ = FilesRequest{id, r, known_.files_generation, now_ + r.patience, false};
    wake(files_request_->deadline);
}

bool Arbiter::Impl::complete_on_all_members(Incarnation i) const {
    if (complete_ < i || standing_.incarnation < i || !known_.lists(self_)) {
        return false;
    }
    return std::all_of(known_.members.begin(), known_.members.end(), [this, i](NodeNumber n) {
        const netbeat::Peer& p = links_.peer(n);
        return n == self_.node ||
               (p.unique == known_.unique[n] && (p.record > i || (p.record == i && p.complete)));
    });
}

void Arbiter::Impl::evaluate_requests() {
    if (phase_ != Phase::kMember) {
        return;
    }
    if (parameter_request_) {
        // Done when nothing is left to change and every member holds the complete record.
        if (with_request(known_.parameters) == known_.parameters) {
            const Parameters& p = known_.parameters;
            const SetParameters& s = parameter_request_->set;
            const bool taken = s.misscount.value_or(p.misscount) == p.misscount &&
                               s.disktimeout.value_or(p.disktimeout) == p.disktimeout &&
                               s.reboottime.value_or(p.reboottime) == p.reboottime;
            if (!taken) {
                const std::uint64_t id = parameter_request_->id;
                parameter_request_.reset();
                finish(id, RequestResult::kConflict);
            } else if (complete_on_all_members(known_.incarnation)) {
                const std::uint64_t id = parameter_request_->id;
                parameter_request_.reset();
                finish(id, RequestResult::kDone);
            }
        }
    }
    evaluate_files_request();
    std::erase_if(evict_requests_, [this](const EvictRequest& r) {
        const bool done = !known_.lists(r.victim) && complete_ >= known_.incarnation;
        if (done) {
            finish(r.id, RequestResult::kDone);
        }
        return done;
    });
    if (stop_request_ != 0) {
        // The others first; this node carries their records to the end.
        NodeSet staying;
        for (const NodeNumber n : known_.members) {
            if (n != self_.node && !departed(known_.listed(n))) {
                staying.insert(n);
            }
        }
        stop_requested_ = stop_requested_ & staying;
        if (stop_requested_.empty()) {
            finish(stop_request_, RequestResult::kDone);
            stop_request_ = 0;
            begin_leaving();
        }
    }
}

StatusView Arbiter::Impl::status(Instant now) const {
    StatusView v;
    const Instant lease_end = lease_stale_ && has_lease() ? lease_end_with(kept_) : lease_end_;
    v.phase = phase_;
    v.self = self_;
    v.refusal = refusal_;
    v.may_act = told_.may_act && phase_ == Phase::kMember && now < lease_end;
    v.standby = standby_;
    v.lease_end = has_lease() ? lease_end : kNever;
    v.newest = known_;
    v.complete = complete_;
    v.promise = promised_;
    v.weight = weight_;
    v.step = step_;
    v.waits_for = waits_for_;
    v.stop = stop_reason_;
    v.files_lack = files_lack_;
    if (phase_ != Phase::kStarting && !lease_peers_.empty()) {
        v.siot_in_force = lease_end < disk_time() + liot(kept_);
        if (v.siot_in_force) {
            for (const LeasePeer& p : lease_peers_) {
                if (std::max(p.floor, links_.acknowledged(p.m)) + siot(kept_) <= lease_end) {
                    v.lease_limited_by.insert(p.m.node);
                }
            }
        }
    }
    const voting::Quorum quorum(known_);
    v.files_needed = quorum.needed();
    for (std::size_t i = 0; i < kFilesMax; ++i) {
        const FileIndex f = FileIndex::from_index(i);
        v.files[f] = FileView{files_[f].tag,
                              files_[f].header_generation,
                              files_[f].state,
                              files_[f].last_good,
                              files_[f].cycle_time};
        if (quorum.all().contains(f) && files_[f].state == FileState::kOnline) {
            ++v.files_online;
        }
    }
    for (std::size_t i = 0; i < kNodesMax; ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        NodeView& node = v.nodes[n];
        const PublishedSets& s = sets_[n];
        node.unique = n == self_.node ? self_.unique : std::max(s.unique, known_.unique[n]);
        node.state = n == self_.node ? state_published(published_) : s.state;
        node.standby = n == self_.node ? standby_ : s.standby;
        node.listed = known_.members.contains(n);
        node.evicting = !node.listed && known_.unique[n] != Unique{} && !departures_[n].confirmed &&
                        complete_ < known_.incarnation;
        node.since = listed_since_[n];
        node.heard_network = n == self_.node ? now : links_.peer(n).heard_at;
        node.heard_disk = disk_.node(n).moved_at;
        node.connected = n == self_.node ? connected_ : s.connected;
        node.weight = n == self_.node ? weight_ : weight_of_[n];
    }
    return v;
}

}  // namespace css::core
