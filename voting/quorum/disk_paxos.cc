#include "voting/quorum/disk_paxos.h"

#include <algorithm>

#include "cssd/base/mutation.h"

namespace css::voting {

DiskPaxos::DiskPaxos(NodeNumber self, unsigned slots_max) : self_(self), slots_max_(slots_max) {
    CSS_CHECK(slots_max >= self.value());
    CSS_CHECK(slots_max <= kNodesMax);
}

void DiskPaxos::recover(const Ballot& own_copy) {
    if (mutated(Mutation::kOwnBallotNotRecovered)) {
        return;
    }
    if (mutated(Mutation::kRecoverHighestMbal) && own_copy.instance == block_.instance) {
        block_ = own_copy.mbal > block_.mbal ? own_copy : block_;
        mbal_seen_max_ = std::max(mbal_seen_max_, block_.mbal);
        return;
    }
    mbal_seen_max_ = std::max(mbal_seen_max_, own_copy.mbal);
    if (own_copy.instance < block_.instance) {
        return;
    }
    if (own_copy.instance > block_.instance) {
        block_ = own_copy;
        ++serial_;
        phase_ = Phase::kIdle;
        return;
    }
    // The same instance: a former life may have promised a higher ballot on this very file. A
    // ballot below that promise must not go on.
    if (own_copy.mbal > block_.mbal) {
        block_.mbal = own_copy.mbal;
        ++serial_;
        phase_ = Phase::kIdle;
    }
    if (own_copy.bal > block_.bal) {
        block_.bal = own_copy.bal;
        block_.record = own_copy.record;
        ++serial_;
        phase_ = Phase::kIdle;
    }
}

void DiskPaxos::begin(const Record& proposal, Quorum quorum) {
    CSS_CHECK(proposal.incarnation >= block_.instance);
    if (proposal.incarnation > block_.instance) {
        block_ = Ballot{};
        block_.instance = proposal.incarnation;
    }
    proposal_ = proposal;
    quorum_ = quorum;
    mbal_seen_max_ = std::max(mbal_seen_max_, block_.mbal);
    block_.mbal = (mbal_seen_max_ / kNodesMax + 1) * kNodesMax + self_.index();
    mbal_seen_max_ = block_.mbal;
    if (mutated(Mutation::kNewBallotClearsBal)) {
        block_.bal = 0;
        block_.record = Record{};
    }
    best_bal_ = block_.bal;
    best_record_ = block_.record;
    begin_phase(Phase::kPrepare);
}

void DiskPaxos::repropose(const Record& proposal) {
    if (phase_ == Phase::kPrepare && proposal.incarnation == block_.instance) {
        proposal_ = proposal;
    }
}

void DiskPaxos::abandon() {
    phase_ = Phase::kIdle;
}

void DiskPaxos::begin_phase(Phase phase) {
    phase_ = phase;
    read_on_ = {};
    ++serial_;
}

DiskPaxos::Event DiskPaxos::observe(std::span<const SlotView> slots) {
    Event event = Event::kNothing;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (i == self_.index() || slots[i].ballot_verdict != SectorVerdict::kValid) {
            continue;
        }
        const Ballot& other = slots[i].ballot;
        mbal_seen_max_ = std::max(mbal_seen_max_, other.mbal);
        if (phase_ == Phase::kIdle || other.instance < block_.instance) {
            continue;
        }
        if (other.instance > block_.instance && mutated(Mutation::kLaterInstanceIsEmpty)) {
            continue;
        }
        if (other.instance > block_.instance) {
            phase_ = Phase::kIdle;
            return Event::kBehind;
        }
        if (other.mbal > block_.mbal) {
            event = Event::kPreempted;
        } else if (mutated(Mutation::kAdoptHighestMbal)) {
            if (phase_ == Phase::kPrepare && other.bal != 0 && other.mbal > best_bal_) {
                best_bal_ = other.mbal;
                best_record_ = other.record;
            }
        } else if (phase_ == Phase::kPrepare && other.bal > best_bal_) {
            best_bal_ = other.bal;
            best_record_ = other.record;
        }
    }
    if (event == Event::kPreempted) {
        phase_ = Phase::kIdle;
    }
    return event;
}

bool DiskPaxos::phase_done() const {
    for (std::size_t i = 0; i < slots_max_; ++i) {
        if (!quorum_.reached_by(read_on_[NodeNumber::from_index(i)])) {
            return false;
        }
    }
    return true;
}

DiskPaxos::Event DiskPaxos::on_cycle(FileIndex file,
                                     std::uint64_t serial_written,
                                     std::span<const SlotView> slots) {
    const Event event = observe(slots);
    if (event != Event::kNothing || phase_ == Phase::kIdle || serial_written != serial_) {
        return event;
    }
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (slots[i].ballot_verdict == SectorVerdict::kValid) {
            read_on_[NodeNumber::from_index(i)].insert(file);
        }
    }
    if (!phase_done()) {
        return Event::kNothing;
    }
    if (phase_ == Phase::kAccept) {
        phase_ = Phase::kIdle;
        return Event::kDecided;
    }
    block_.bal = block_.mbal;
    const bool free = best_bal_ == 0 || mutated(Mutation::kOwnValueAlways);
    block_.record = free ? proposal_ : best_record_;
    begin_phase(Phase::kAccept);
    return Event::kNewBlock;
}

}  // namespace css::voting
