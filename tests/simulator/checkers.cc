#include "tests/simulator/checkers.h"

#include <algorithm>

#include "tests/simulator/ambush.h"
#include "tests/simulator/disks.h"
#include "tests/simulator/file_sets.h"
#include "tests/simulator/network.h"
#include "tests/simulator/same.h"

namespace css::sim {
namespace {

std::string text_of(Instance instance) {
    return "node " + std::to_string(instance.node.value()) + " unique " +
           std::to_string(instance.unique.value());
}

}  // namespace

Checkers::Checkers(World& world, const core::HeaderOrder& first) : world_(world) {
    records_.push_back({.seen = true, .at = 0, .record = genesis_of(first, world.options)});
    for (SimTime& asked : evict_asked_) {
        asked = kLongAgo;
    }
}

void Checkers::fail(const char* invariant, const std::string& what) const {
    throw Violation{Verdict::kSafety, invariant, what};
}

const Record& Checkers::told() const {
    return records_[told_.value()].record;
}

// ------------------------------------------------------------------- Agreement, Monotonic

void Checkers::see_record(const Machine& machine, const Record& record) {
    const std::size_t i = record.incarnation.value();
    if (i < records_.size() && records_[i].seen) {
        if (!same(records_[i].record, record)) {
            fail("Agreement",
                 "machine " + std::to_string(machine.index + 1) + " has " + to_text(record) +
                     ", others have " + to_text(records_[i].record));
        }
        return;
    }
    CSS_CHECK(i < records_.size() + 1000);
    if (i >= records_.size()) {
        records_.resize(i + 1);
    }
    records_[i] = {.seen = true, .at = world_.now, .record = record};
    world_.trace.mix(i ^ record.members.bits() << 16U);
    world_.trace.line(
        world_.now, static_cast<int>(machine.index), "RECORD", "%s", to_text(record).c_str());
    if (i > 0 && records_[i - 1].seen) {
        set_ambushes(records_[i - 1].record, record);
        check_joiners(records_[i - 1].record, record);
        check_successor(records_[i - 1].record, record);
        check_not_needless(records_[i - 1].record, record);
    }
    if (i + 1 < records_.size() && records_[i + 1].seen) {
        check_successor(record, records_[i + 1].record);
    }
}

/// Who is taken in has heard every other member and has been heard by it (PROTOCOL 7.2): two that
/// cannot reach each other would be joined and evicted for ever.
void Checkers::check_joiners(const Record& before, const Record& after) const {
    const auto machine_of = [&](NodeNumber n) -> const Machine* {
        for (const Machine& machine : world_.machines) {
            if (machine.running() && machine.daemon.instance == after.listed(n)) {
                return &machine;
            }
        }
        return nullptr;
    };
    for (const NodeNumber n : after.members) {
        const Machine* const joiner = before.lists(after.listed(n)) ? nullptr : machine_of(n);
        for (const NodeNumber other : after.members) {
            const Machine* const member =
                joiner == nullptr || n == other ? nullptr : machine_of(other);
            if (member == nullptr) {
                continue;
            }
            const Network& network = *world_.network;
            if (!network.has_heard(joiner->index, member->index, member->daemon.instance.unique) ||
                !network.has_heard(member->index, joiner->index, joiner->daemon.instance.unique)) {
                fail("Joiners",
                     to_text(after) + " takes in node " + std::to_string(n.value()) +
                         ", which has never been in touch with node " +
                         std::to_string(other.value()));
            }
        }
    }
}

void Checkers::set_ambushes(const Record& before, const Record& after) const {
    for (const NodeNumber n : world_.options.numbers) {
        if (after.members.contains(n) && !before.lists(after.listed(n))) {
            world_.ambusher->spring_later(Place::kListed, n);
        }
        if (before.members.contains(n) && !after.lists(before.listed(n))) {
            world_.ambusher->spring_later(Place::kDropped, n);
        }
        if (after.members.contains(n) && !(before.parameters == after.parameters)) {
            world_.ambusher->spring_later(Place::kTimeouts, n);
        }
    }
}

void Checkers::check_successor(const Record& before, const Record& after) const {
    for (const NodeNumber n : world_.options.numbers) {
        const bool stays = before.lists(after.listed(n));
        if (after.unique[n] < before.unique[n]) {
            fail("Monotonic", "unique goes back: " + to_text(after));
        }
        if (after.members.contains(n) && !stays && after.unique[n] <= before.unique[n]) {
            fail("Monotonic", "a dropped instance is listed again: " + to_text(after));
        }
    }
    if (after.members.empty()) {
        fail("Agreement", "a record without members");
    }
    check_files(before, after);
    if (!consistent(after.parameters)) {
        fail("Parameters", "a record with time-outs against the rules");
    }
}

/// Voting files (PROTOCOL 7): a set begins to count beside the old one and takes over from it, and
/// a file that counts keeps its place.
void Checkers::check_files(const Record& before, const Record& after) const {
    const bool same = after.files == before.files && after.files_next == before.files_next;
    const bool begins = before.files_next.empty() && after.files == before.files &&
                        after.files_next.count() % 2 == 1;
    const bool ends =
        !before.files_next.empty() && after.files == before.files_next && after.files_next.empty();
    const bool counted = after.files_generation == before.files_generation + (same ? 0U : 1U);
    bool keeps = true;
    for (const FileIndex f : voting::Quorum(before).all() & voting::Quorum(after).all()) {
        keeps = keeps && before.file_tags[f] == after.file_tags[f];
    }
    if (!(same || begins || ends) || !counted || !keeps) {
        fail("Voting files", "from " + to_text(before) + " to " + to_text(after));
    }
}

void Checkers::on_publish(Machine& machine, const voting::Heartbeat& heartbeat) {
    see_record(machine, heartbeat.record);
    if (machine.daemon.instance.unique == heartbeat.unique &&
        heartbeat.record.incarnation < machine.daemon.published) {
        fail("Monotonic",
             "an instance goes back to R" + std::to_string(heartbeat.record.incarnation.value()));
    }
    if (!machine.daemon.former_gone) {
        fail("Restart", "writes its slot while its former life is not known to be gone");
    }
}

void Checkers::on_heartbeat_landed(NodeNumber slot, const Landed& before, const SlotView& after) {
    if (after.heartbeat_verdict != SectorVerdict::kValid) {
        fail("Codec", "an own heartbeat does not decode");
    }
    const voting::Heartbeat& now = after.heartbeat;
    if (now.unique < before.unique ||
        (now.unique == before.unique && now.sequence <= before.sequence)) {
        fail("Monotonic",
             "the slot of node " + std::to_string(slot.value()) +
                 " goes back in time on a file, from " + std::to_string(before.unique.value()) +
                 "/" + std::to_string(before.sequence.value()) + " to " +
                 std::to_string(now.unique.value()) + "/" + std::to_string(now.sequence.value()));
    }
    if (now.record.incarnation < before.incarnation) {
        fail("Monotonic",
             "the record in the slot of node " + std::to_string(slot.value()) +
                 " goes back on a file");
    }
}

void Checkers::on_send(const Machine& machine, const netbeat::Heartbeat& heartbeat) {
    const Record& record = heartbeat.record;
    see_record(machine, record);
    // The files of a set that was left may have been formatted since for another use (found with
    // seed 35388).
    if (record.incarnation == Incarnation{} ||
        record.files_generation != newest().files_generation) {
        return;
    }
    const FileSet holding = world_.disks->files_holding(machine.number, record.incarnation);
    if (!voting::Quorum(record).reached_by(holding)) {
        fail("Durable",
             "R" + std::to_string(record.incarnation.value()) + " is sent, but own H holds it on " +
                 std::to_string(holding.count()) + " files only");
    }
}

void Checkers::on_decided(const Machine& machine) {
    see_record(machine, machine.daemon.arbiter->status(machine.clock.local(world_.now)).newest);
}

void Checkers::on_notice(const Machine& machine, const core::Notice& notice) {
    if (notice.kind == core::NoticeKind::kDecided || notice.kind == core::NoticeKind::kComplete) {
        const std::size_t i = notice.incarnation.value();
        if (i < records_.size() && records_[i].seen &&
            !(records_[i].record.members == notice.members)) {
            fail("Agreement",
                 "machine " + std::to_string(machine.index + 1) + " reports members " +
                     to_text(notice.members) + " of " + to_text(records_[i].record));
        }
    }
}

// ------------------------------------------------------- No split brain, Self-knowledge

void Checkers::on_lease(const Machine& machine, const core::LeaseUpdate& lease) {
    const std::size_t i = lease.token.value();
    if (i >= records_.size() || !records_[i].seen) {
        see_record(machine, machine.daemon.arbiter->status(machine.clock.local(world_.now)).newest);
    }
}

void Checkers::on_token(const Machine& machine, const core::LeaseUpdate& lease) {
    if (lease.may_act) {
        Incarnation& last = tokens_[machine.number];
        if (lease.token < last) {
            fail("Monotonic",
                 "node " + std::to_string(machine.number.value()) + " hands out an older token");
        }
        last = lease.token;
        const std::size_t i = lease.token.value();
        const bool known = i < records_.size() && records_[i].seen;
        if (!known || !records_[i].record.lists(lease.instance)) {
            fail("Self-knowledge",
                 text_of(machine.clients.instance) + " may act under token " + std::to_string(i) +
                     ", a record that does not list it");
        }
    }
    if (lease.token <= told_) {
        return;
    }
    CSS_CHECK(lease.token.value() < records_.size());
    CSS_CHECK(records_[lease.token.value()].seen);
    told_ = lease.token;
    ++world_.counters.completions_told;
    world_.trace.line(world_.now,
                      static_cast<int>(machine.index),
                      "TOLD",
                      "%s is complete",
                      to_text(told()).c_str());
    for (const Machine& other : world_.machines) {
        if (other.may_act(world_.now)) {
            check_listed(other);
        }
    }
}

void Checkers::on_begin_acting(const Machine& machine) {
    check_listed(machine);
}

void Checkers::check_listed(const Machine& machine) const {
    for (std::size_t i = told_.value(); i < records_.size(); ++i) {
        if (records_[i].seen && records_[i].record.lists(machine.clients.instance)) {
            return;
        }
    }
    fail("No split brain",
         text_of(machine.clients.instance) + " on machine " + std::to_string(machine.index + 1) +
             " may act while clients know " + to_text(told()) + " as complete");
}

// --------------------------------------------------------------------- No needless eviction

SimTime Checkers::link_window() const {
    const Parameters most = world_.options.largest();
    return 2 * Duration{most.misscount}.count() + 2 * settle_max(most).count();
}

bool Checkers::long_silence_near(unsigned machine, NodeSet others) const {
    const SimTime since = std::min(reasons_since_, world_.now - link_window());
    for (unsigned other = 0; other < world_.nodes(); ++other) {
        if (other != machine && others.contains(world_.machines[other].number) &&
            std::max(world_.network->long_silence(machine, other),
                     world_.network->long_silence(other, machine)) >= since) {
            return true;
        }
    }
    return false;
}

/// No instance is dropped unless it stopped, was asked to, or had lost a link to another member.
/// One that is a corner of no lost link is in every best clique.
bool Checkers::departure_excused(Instance gone, const Record& before, const Record& after) const {
    for (const Machine& machine : world_.machines) {
        if (machine.number != gone.node || !machine.running() || machine.daemon.instance != gone) {
            continue;
        }
        const bool well = machine.daemon.state == NodeState::kActive && !machine.daemon.leaving &&
                          !machine.daemon.stopping && !machine.guardian.fencing &&
                          machine.role == Role::kNode;
        // Joiners may form a cluster without members that are silent on the disks as well; that
        // takes SIOT only, but also a host that stands still or cannot write.
        const bool formed_without =
            after.cause == RecordCause::kFormation &&
            std::max(machine.excused_at, machine.daemon.paused_until) > reasons_since_;
        return !well || formed_without || long_silence_near(machine.index, before.members);
    }
    return true;  // It does not run any more.
}

void Checkers::check_not_needless(const Record& before, const Record& after) {
    // What was proposed while a link was lost may be decided long after it came back: a value once
    // written to a ballot block cannot be taken back. So a reason counts from the record before on.
    const SimTime previous = records_[before.incarnation.value()].at;
    reasons_since_ = std::min(world_.now, previous) - link_window();
    for (const NodeNumber n : before.members) {
        if (after.lists(before.listed(n)) || evict_asked_[n] > reasons_since_) {
            continue;
        }
        if (!departure_excused(before.listed(n), before, after)) {
            fail("No needless eviction",
                 text_of(before.listed(n)) + " is dropped by " + to_text(after) +
                     " without a reason");
        }
    }
}

void Checkers::on_fence_self(const Machine& machine, const core::FenceSelf& order) {
    if (order.reason != core::StopReason::kLeaseLapsed) {
        return;
    }
    const Parameters most = world_.options.largest();
    const SimTime window =
        2 * Duration{most.disktimeout}.count() + 2 * Duration{most.misscount}.count();
    NodeSet all;
    for (const NodeNumber n : world_.options.numbers) {
        all.insert(n);
    }
    const bool excused =
        machine.excused_at > world_.now - window || long_silence_near(machine.index, all);
    if (!excused && machine.role == Role::kNode) {
        fail("No needless eviction", "the lease of a healthy, connected node lapsed");
    }
}

}  // namespace css::sim
