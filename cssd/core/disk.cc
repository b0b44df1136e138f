#include <algorithm>
#include <utility>

#include "cssd/base/mutation.h"
#include "cssd/core/arbiter_impl.h"

// The disk cycle (PROTOCOL 4): write own H and B, then read all slots, for each file in a loop of
// its own. The core orders a cycle, so it knows its begin; the shell answers when it has ended.

namespace css::core {

void Arbiter::Impl::on(const CycleFinished& input) {
    FileProgress& f = files_[input.file];
    CSS_CHECK(f.in_flight);
    CSS_CHECK(f.cycle == input.id);
    f.in_flight = false;
    if (std::exchange(f.stale, false)) {
        return;
    }
    f.failing = input.outcome != CycleOutcome::kDone;
    if (f.failing || !open_.contains(input.file)) {
        return;
    }
    CSS_CHECK(input.slots.size() == f.slots);
    f.kills_failing = !input.kills_written;
    f.read_begin = f.begin;
    f.header_generation = input.header_generation.value_or(f.header_generation);
    f.cycle_time = now_ - f.begin;
    observe_cycle(input, f);
}

void Arbiter::Impl::observe_cycle(const CycleFinished& input, FileProgress& f) {
    const voting::ReadTime time{f.begin, now_};
    const bool online = f.state == FileState::kOnline && f.warned_percent == 0;
    const bool same = observe_slots(input, f, time);
    if (!open_.contains(input.file)) {
        return;  // A record that stood there knows another file for this place.
    }
    // While it starts, every read counts anew: the slot may still be another host's, whose record
    // and ballot are carried on, too.
    if (!f.primed || (phase_ == Phase::kStarting && !mutated(Mutation::kStartReadsOnce)) ||
        (mutated(Mutation::kNoCarryPerFile) && !f.own_readable)) {
        prime(input.file, input.slots[self_.node.index()]);
    }
    if (phase_ == Phase::kStarting || phase_ == Phase::kEnded) {
        return;
    }
    check_own_slot(input, f);
    Incarnation newest_read;
    for (const SlotView& s : input.slots) {
        if (s.heartbeat_verdict == SectorVerdict::kValid) {
            newest_read = std::max(newest_read, s.heartbeat.record.incarnation);
        }
    }
    const bool shown = input.own_as_written || mutated(Mutation::kCycleWithoutReadBack);
    const bool complete = f.writes && shown && all_readable(input);
    if (complete) {
        note_complete(input, f, newest_read);
    }
    const NodeSet gone = former();
    if (!gone.empty()) {
        disk_.note_drops(known_, gone, {input.file, self_.node, complete, time});
    }
    take_ballot(input, f);
    news_ = !(complete && online && same);
}

/// Returns whether every slot only showed that its node lives, or less.
bool Arbiter::Impl::observe_slots(const CycleFinished& input,
                                  const FileProgress& f,
                                  voting::ReadTime time) {
    const voting::Quorum quorum(known_);
    bool same = true;
    for (std::size_t i = 0; i < input.slots.size(); ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        const SlotView& slot = input.slots[i];
        const auto change = disk_.observe(input.file, n, slot, time);
        if (slot.ballot_verdict == SectorVerdict::kValid && n != self_.node) {
            BallotSeen& seen = ballots_[n];
            const voting::Ballot& b = slot.ballot;
            if (std::tie(b.instance, b.mbal, b.bal) >
                std::tie(seen.instance, seen.mbal, seen.bal)) {
                seen = BallotSeen{b.instance, b.mbal, b.bal, seen.record, now_};
            }
        }
        if (change == voting::DiskView::Change::kNone || !slot.heartbeat.written()) {
            continue;
        }
        same = same && change == voting::DiskView::Change::kAlive;
        const voting::Heartbeat& h = slot.heartbeat;
        disk_.update_replaced(n, quorum, now_);
        if (n == self_.node) {
            // Own writes return here; anything else on an unprimed file is a former life's.
            if (!f.primed || (phase_ == Phase::kStarting && !mutated(Mutation::kStartReadsOnce))) {
                learn(h.record, h.complete);
            }
            continue;
        }
        weight_of_[n] = h.weight;
        note_adopted_shown(n, h, now_);
        PublishedSets sets;
        sets.unique = h.unique;
        sets.sequence = h.sequence;
        sets.state = h.state;
        sets.standby = h.standby;
        sets.record = h.record.incarnation;
        sets.connected = h.connected;
        sets.doubt = h.doubt;
        same = observe_sets(n, sets) && same;
        learn(h.record, h.complete);
    }
    return same;
}

void Arbiter::Impl::prime(FileIndex file, const SlotView& own) {
    FileProgress& f = files_[file];
    f.primed = true;
    f.own_readable = own.heartbeat_verdict == SectorVerdict::kValid &&
                     own.ballot_verdict == SectorVerdict::kValid;
    if (own.ballot_verdict == SectorVerdict::kValid) {
        paxos_.recover(own.ballot);
    }
    // A former life that died before it stood on a majority may have written this very unique here.
    const bool same = own.heartbeat_verdict == SectorVerdict::kValid &&
                      own.heartbeat.unique == self_.unique &&
                      !mutated(Mutation::kSequenceNotCarried);
    if (same) {
        sequence_ = std::max(sequence_, own.heartbeat.sequence);
    }
}

void Arbiter::Impl::check_own_slot(const CycleFinished& input, const FileProgress& f) {
    const SlotView& own = input.slots[self_.node.index()];
    if (own.heartbeat_verdict == SectorVerdict::kValid) {
        if (own.heartbeat.unique > self_.unique) {
            stop(StopReason::kReplaced);
        } else if (f.writes && own.heartbeat.written() && own.heartbeat.host != options_.host) {
            stop(StopReason::kSlotTaken);
        }
    }
    if (own.kill_verdict == SectorVerdict::kValid && own.kill.victim >= self_.unique) {
        stop(StopReason::kKilled, own.kill.evictor);
    }
}

bool Arbiter::Impl::all_readable(const CycleFinished& input) const {
    if (input.slots[self_.node.index()].kill_verdict != SectorVerdict::kValid) {
        return false;
    }
    return std::all_of(input.slots.begin(), input.slots.end(), [](const SlotView& s) {
        return s.heartbeat_verdict == SectorVerdict::kValid;
    });
}

void Arbiter::Impl::note_complete(const CycleFinished& input,
                                  FileProgress& f,
                                  Incarnation newest_read) {
    f.complete_begin = mutated(Mutation::kCycleTimeAfterWrite) ? now_ : f.begin;
    f.stands_record = f.writes_record;
    f.stands_promise = f.writes_promise;
    f.stands_state = f.writes_state;
    f.stands_content = f.writes_content;
    f.last_good = f.begin;
    f.warned_percent = 0;
    // A cycle that hung for long and ends at last says nothing about the file of now.
    if (f.state != FileState::kOnline && now_ < f.begin + kept_.disktimeout / 2) {
        f.state = FileState::kOnline;
        notify(NoticeKind::kFileOnline).file = input.file;
    }
    if (f.writes_state == NodeState::kActive && f.begin >= adopted_at_ &&
        newest_read <= f.writes_record) {
        f.acted_under = f.writes_record;
    }
    note_standing();
}

FileSet Arbiter::Impl::files_standing(Incarnation at_least) const {
    FileSet files;
    for (const FileIndex f : voting::Quorum(published_).all() | voting::Quorum(known_).all()) {
        if (files_[f].complete_begin != kNever && files_[f].stands_record >= at_least) {
            files.insert(f);
        }
    }
    return files;
}

void Arbiter::Impl::note_standing() {
    if (stands_ && standing_.incarnation == published_.incarnation) {
        return;
    }
    if (!quorum_of(published_).reached_by(files_standing(published_.incarnation)) &&
        !(mutated(Mutation::kDatagramBeforeStanding) && stands_)) {
        return;
    }
    stands_ = true;
    standing_ = published_;
    datagram_due_ = true;
    std::erase_if(lease_peers_,
                  [this](const LeasePeer& p) { return p.listed_until < standing_.incarnation; });
    note_lease_peers();
}

void Arbiter::Impl::take_ballot(const CycleFinished& input, const FileProgress& f) {
    if (!f.writes || !input.own_as_written) {
        return;
    }
    switch (paxos_.on_cycle(input.file, f.writes_ballot, input.slots)) {
        case voting::DiskPaxos::Event::kNothing:
        case voting::DiskPaxos::Event::kNewBlock: break;
        case voting::DiskPaxos::Event::kPreempted:
        case voting::DiskPaxos::Event::kBehind:
            // Two proposers slow each other down; wait a random while before the next try.
            retry_at_ = now_ + cycle_time() * static_cast<int>(1 + random_below(8));
            break;
        case voting::DiskPaxos::Event::kDecided: {
            const Record decided = paxos_.chosen();
            learn(decided, false);
            break;
        }
    }
}

Duration Arbiter::Impl::cycle_time() const {
    // Of the slowest file that a majority needs.
    const voting::Quorum quorum(known_);
    const Instant end =
        quorum.latest_reached([this](FileIndex f) { return Instant{} - files_[f].cycle_time; });
    // One that hung says nothing of the next.
    return std::clamp(Instant{} - end, kFastCycle, std::max(kFastCycle, interval(kept_)));
}

unsigned Arbiter::Impl::slots_in_use() const {
    const auto highest = static_cast<unsigned>(std::bit_width(listed_ever_.bits()));
    return std::min(options_.slots_max,
                    std::max({options_.slots_used, disk_.slot_written_max(), highest}));
}

void Arbiter::Impl::watch_files() {
    FileSet files_online;
    const voting::Quorum quorum(known_);
    for (const FileIndex i : quorum.all()) {
        FileProgress& f = files_[i];
        if (f.state != FileState::kOnline) {
            continue;
        }
        const Duration silent = now_ - f.last_good;
        const Duration limit = kept_.disktimeout;
        if (silent >= limit) {
            f.state = FileState::kOffline;
            notify(NoticeKind::kFileOffline).file = i;
            continue;
        }
        files_online.insert(i);
        unsigned percent = 0;
        for (const unsigned p : {50U, 75U, 90U}) {
            if (silent >= limit * p / 100) {
                percent = p;
            } else {
                wake(f.last_good + limit * p / 100);
                break;
            }
        }
        wake(f.last_good + limit);
        if (percent > f.warned_percent) {
            f.warned_percent = percent;
            Notice& n = notify(NoticeKind::kFileWarning);
            n.file = i;
            n.percent = percent;
            n.silent_for = silent;
            n.remaining = limit - silent;
        }
    }
    const bool lost = stands_ && !quorum.reached_by(files_online);
    if (lost && !quorum_lost_) {
        const bool in_next = voting::is_majority(known_.files, files_online);
        const FileSet lacking = in_next ? known_.files_next : known_.files;
        Notice& n = notify(NoticeKind::kQuorumLost);
        n.available = (lacking & files_online).count();
        n.required = lacking.count() / 2 + 1;
    }
    quorum_lost_ = lost;
}

std::optional<KillBlock> Arbiter::Impl::kill_wanted(FileIndex file, NodeNumber n) const {
    KillBlock k;
    k.victim = known_.unique[n];
    k.incarnation = known_.incarnation;
    k.evictor = self_.node;
    k.confirmed = departures_[n].confirmed;
    switch (known_.cause) {
        case RecordCause::kEvicted: k.reason = KillReason::kEvictedByHand; break;
        case RecordCause::kLeave: k.reason = KillReason::kLeft; break;
        case RecordCause::kStopped: k.reason = KillReason::kStopped; break;
        case RecordCause::kRestarted: k.reason = KillReason::kReplaced; break;
        case RecordCause::kFormation: k.reason = KillReason::kFormation; break;
        case RecordCause::kNone:
        case RecordCause::kJoin:
        case RecordCause::kLinkLost:
        case RecordCause::kParameters:
        case RecordCause::kVotingFiles: k.reason = KillReason::kLinkLost; break;
    }
    const voting::SlotOnFile& s = disk_.at(file, n);
    if (s.kill_readable &&
        (mutated(Mutation::kKillBlockLowered) ? s.kill == k : s.kill.lowered_or_same_by(k))) {
        return std::nullopt;
    }
    return k;
}

bool Arbiter::Impl::kills_wanted(FileIndex file) const {
    if (phase_ != Phase::kMember || !known_.lists(self_)) {
        return false;
    }
    for (const NodeNumber n : former()) {
        if (n.value() <= options_.slots_max && kill_wanted(file, n).has_value()) {
            return true;
        }
    }
    return false;
}

void Arbiter::Impl::add_kills(FileIndex file, CycleOrder& order) const {
    if (phase_ != Phase::kMember || !known_.lists(self_)) {
        return;
    }
    for (const NodeNumber n : former()) {
        if (n.value() > options_.slots_max) {
            continue;
        }
        if (const auto k = kill_wanted(file, n)) {
            order.kills.push_back({n, *k});
        }
    }
}

/// A daemon that was not run for two intervals no longer knows whose its slot is: another host may
/// have watched it stand still for as long, and taken it (PROTOCOL 8). So it reads first.
bool Arbiter::Impl::may_write(FileIndex file) const {
    if (files_[file].read_begin < awake_since_ && !mutated(Mutation::kWritesAfterSleep)) {
        return false;
    }
    // Where the slot shows a larger unique it belongs to that instance: one that stops for it (stop
    // rule d) does not write its RESETTING over it. Uniques in a slot never go back.
    const voting::SlotOnFile& own = disk_.at(file, self_.node);
    const bool taken =
        own.seen && own.heartbeat.unique > self_.unique && !mutated(Mutation::kWritesOverLarger);
    return phase_ != Phase::kStarting && !taken &&
           (phase_ != Phase::kStopping || resetting_ || clients_gone_);
}

void Arbiter::Impl::schedule_cycles() {
    for (const FileIndex i : open_) {
        FileProgress& f = files_[i];
        if (f.in_flight) {
            continue;
        }
        const Duration period = this->period();
        Instant due = f.begin + (fast_ ? kFastCycle : period);
        if (f.failing) {
            due = f.begin + (fast_ ? std::max(kFastCycle, period / 4) : period);
        } else if (may_write(i) &&
                   (!f.writes || f.writes_content != content_ ||
                    f.writes_ballot != paxos_.serial() || (!f.kills_failing && kills_wanted(i)))) {
            due = now_;  // Something to publish.
        } else if (header_wanted(i)) {
            due = f.begin + period / 4;
        }
        if (!this->due(due)) {
            wake(due);
            continue;
        }
        start_cycle(i, f);
    }
}

void Arbiter::Impl::start_cycle(FileIndex file, FileProgress& f) {
    const bool writes = may_write(file) && (f.primed || mutated(Mutation::kNoCarryPerFile));
    CycleOrder& order = out_.cycles.emplace_back();
    order.file = file;
    order.id = ++cycle_counter_;
    f.whole_range = !f.primed || phase_ == Phase::kStarting || paxos_.running();
    f.slots = f.whole_range ? options_.slots_max : slots_in_use();
    order.slots = f.slots;
    f.in_flight = true;
    f.cycle = order.id;
    f.begin = now_;
    f.writes = writes;
    if (mutated(Mutation::kPromiseByWrite) && writes) {
        f.stands_promise = promised_;
    }
    if (!writes) {
        return;
    }
    add_kills(file, order);
    if (header_wanted(file)) {
        order.header = header_order();
    }
    sequence_ = Sequence{sequence_.value() + 1};
    CycleOrder::Own& own = order.own.emplace();
    voting::Heartbeat& h = own.heartbeat;
    h.unique = self_.unique;
    h.host = options_.host;
    h.boot = options_.boot;
    h.sequence = sequence_;
    h.state = state_published(published_);
    h.standby = standby_;
    h.complete = complete_ >= published_.incarnation;
    h.slots_read = static_cast<std::uint8_t>(slots_in_use());
    h.weight = weight_;
    h.promise = promised_;
    h.connected = connected_;
    h.doubt = doubt_;
    h.record = published_;
    f.writes_record = published_.incarnation;
    f.writes_promise = promised_;
    f.writes_state = h.state;
    f.writes_ballot = paxos_.serial();
    f.writes_content = content_;
    own.ballot = paxos_.block();
}

NodeState Arbiter::Impl::state_published(const Record& record) const {
    if (clients_gone_) {
        return phase_ == Phase::kStopping ? NodeState::kFenced : NodeState::kLeft;
    }
    if (phase_ == Phase::kStopping && resetting_) {
        return NodeState::kResetting;
    }
    return record.lists(self_) ? NodeState::kActive : NodeState::kJoining;
}

}  // namespace css::core
