#include "tests/simulator/audit.h"

#include <algorithm>
#include <array>
#include <functional>

#include "tests/simulator/checkers.h"

namespace css::sim {
namespace {

/// The value that more than half of the files of the set reach, each of a majority on its own.
template <class Value, class Of>
Value reached(FileSet set, Of of) {
    std::array<Value, kFilesMax> values{};
    std::size_t count = 0;
    for (const FileIndex f : set) {
        values[count++] = of(f);
    }
    CSS_CHECK(count != 0);
    std::sort(
        values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count), std::greater<>{});
    return values[count / 2];
}

bool all_readable(const core::CycleFinished& cycle, NodeNumber self) {
    return cycle.slots[self.index()].kill_verdict == SectorVerdict::kValid &&
           std::all_of(cycle.slots.begin(), cycle.slots.end(), [](const SlotView& s) {
               return s.heartbeat_verdict == SectorVerdict::kValid;
           });
}

}  // namespace

Audit::Audit(World& world) : world_(world), books_(world.nodes() + 1) {
    for (const Parameters& p : world.options.palette) {
        longest_interval_ = std::max(longest_interval_, interval(p));
    }
}

void Audit::fail(const char* rule, const Machine& machine, const std::string& what) const {
    throw Violation{Verdict::kSafety,
                    rule,
                    "node " + std::to_string(machine.number.value()) + " unique " +
                        std::to_string(books_[machine.index].self.unique.value()) + " " + what};
}

void Audit::daemon_ended(const Machine& machine) {
    books_[machine.index] = Book{};
}

// --------------------------------------------------------------------- what is shown to it

void Audit::before_step(Machine& machine, const core::Input& input) {
    Book& book = books_[machine.index];
    const Instant now = machine.clock.local(world_.now);
    if (now > book.step_at + stretched(2 * longest_interval_)) {
        book.awake_since = now;
    }
    book.step_at = now;
    if (book.self.unique == Unique{}) {
        return;
    }
    if (!book.lapsed && (book.stale || book.step_at >= book.end)) {
        book.end = lease_end(book);
        book.stale = false;
        book.lapsed = book.step_at >= book.end;
        book.lapsed_end = book.end;
    }
    if (const auto* const cycle = std::get_if<core::CycleFinished>(&input)) {
        note_cycle(book, machine, *cycle);
    } else if (const auto* const received = std::get_if<core::HeartbeatReceived>(&input)) {
        note_heartbeat(book, *received->heartbeat);
    } else if (const auto* const held = std::get_if<core::LeaseAcknowledged>(&input)) {
        book.armed = book.armed || (book.armed_serial != 0 && held->serial >= book.armed_serial);
    } else if (std::holds_alternative<core::GuardianLost>(input)) {
        note_cause(book, core::StopReason::kGuardianLost);
    } else if (const auto* const opened = std::get_if<core::FileOpened>(&input)) {
        book.files[opened->file].doubtful = book.files[opened->file].under_way;
    }
}

void Audit::note_cause(Book& book, core::StopReason reason, Obey obey) {
    book.cause[static_cast<std::size_t>(reason)] = true;
    if (obey == Obey::kMust && book.must_stop == core::StopReason::kNone) {
        book.must_stop = reason;
    }
}

void Audit::note_cycle(Book& book, const Machine& machine, const core::CycleFinished& cycle) {
    OnFile& file = book.files[cycle.file];
    file.under_way = false;
    if (cycle.outcome != core::CycleOutcome::kDone || !machine.daemon.opened.contains(cycle.file)) {
        return;
    }
    Incarnation newest = book.records_read;
    for (const SlotView& slot : cycle.slots) {
        if (slot.heartbeat_verdict != SectorVerdict::kValid ||
            slot.heartbeat.record.incarnation <= book.records_read) {
            continue;
        }
        newest = std::max(newest, slot.heartbeat.record.incarnation);
        if (slot.heartbeat.record.drops(book.self)) {
            note_cause(book, core::StopReason::kEvicted, file.doubtful ? Obey::kMay : Obey::kMust);
        }
    }
    book.records_read = file.doubtful ? book.records_read : newest;
    note_own_slot(book, machine, cycle.slots[machine.number.index()], file);
    if (file.writes && cycle.own_as_written && all_readable(cycle, machine.number)) {
        // With a promise that shrinks here E may shrink, too.
        book.stale = book.stale || !(file.stands_promise == file.writes_promise);
        file.complete = file.begun;
        file.stands_record = file.writes_record;
        file.stands_promise = file.writes_promise;
    }
}

void Audit::note_own_slot(Book& book,
                          const Machine& machine,
                          const SlotView& own,
                          const OnFile& file) {
    const Obey obey = file.doubtful ? Obey::kMay : Obey::kMust;
    if (own.heartbeat_verdict == SectorVerdict::kValid) {
        if (own.heartbeat.unique > book.self.unique) {
            note_cause(book, core::StopReason::kReplaced, obey);
        } else if (file.writes && own.heartbeat.written() && own.heartbeat.host != machine.host) {
            note_cause(book, core::StopReason::kSlotTaken, obey);
        }
    }
    if (own.kill_verdict == SectorVerdict::kValid && own.kill.victim >= book.self.unique) {
        note_cause(book, core::StopReason::kKilled, obey);
    }
}

void Audit::note_heartbeat(Book& book, const netbeat::Heartbeat& h) {
    if (h.sender.node == book.self.node) {
        if (h.sender.unique > book.self.unique) {
            note_cause(book, core::StopReason::kReplaced);
        }
        return;
    }
    // An old datagram counts for nothing.
    std::pair<Unique, Sequence>& newest = book.heard[h.sender.node];
    if (std::pair{h.sender.unique, h.sequence} <= newest) {
        return;
    }
    newest = {h.sender.unique, h.sequence};
    if (h.record.drops(book.self)) {
        note_cause(book, core::StopReason::kEvicted);
    }
    const netbeat::Echo& echo = h.echo[book.self.node];
    if (echo.unique > book.self.unique) {
        note_cause(book, core::StopReason::kReplaced);
    }
    if (echo.unique != book.self.unique) {
        return;
    }
    const auto sent = std::lower_bound(
        book.sent.begin(), book.sent.end(), echo.sequence, [](const auto& s, Sequence wanted) {
            return s.first < wanted;
        });
    if (sent != book.sent.end() && sent->first == echo.sequence) {
        Acknowledged& m = peer(book, h.sender);
        m.at = std::max(m.at, sent->second);
    }
}

Audit::Acknowledged& Audit::peer(Book& book, Instance m) {
    constexpr std::size_t kKept = 8;
    auto& list = book.peers[m.node];
    const auto found =
        std::find_if(list.begin(), list.end(), [m](const Acknowledged& p) { return p.m == m; });
    if (found != list.end()) {
        return *found;
    }
    if (list.size() == kKept) {
        list.erase(list.begin());  // A member no more for long.
    }
    Acknowledged& fresh = list.emplace_back();
    fresh.m = m;
    return fresh;
}

// ----------------------------------------------------------------------- what it may claim

Instant Audit::disk_time(const Book& book) const {
    if (book.files_generation != book.generation) {
        return book.step_at;  // Files came and went; no bound from them here.
    }
    return std::max(book.born, reached<Instant>(book.quorum, [&](FileIndex f) {
                        return book.files[f].complete;
                    }));
}

Incarnation Audit::standing_record(const Book& book) const {
    if (book.files_generation != book.generation) {
        return book.adopted.incarnation;
    }
    return reached<Incarnation>(book.quorum,
                                [&](FileIndex f) { return book.files[f].stands_record; });
}

/// The largest of each time-out that whoever reads a majority of files must reckon with.
Parameters Audit::standing_promise(const Book& book) const {
    if (book.files_generation != book.generation) {
        return world_.options.largest();
    }
    const auto part = [&](auto member) {
        return reached<std::chrono::milliseconds>(book.quorum, [&](FileIndex f) {
            const OnFile& file = book.files[f];
            return file.complete == kNever ? book.promise.*member : file.stands_promise.*member;
        });
    };
    return Parameters{part(&Parameters::misscount),
                      part(&Parameters::disktimeout),
                      part(&Parameters::reboottime)};
}

Instant Audit::lease_end(const Book& book) const {
    Parameters p = standing_promise(book);
    // The smallest reboottime is the longest SIOT; a smaller one may be kept to before it stands.
    for (const Parameters& each : world_.options.palette) {
        p.reboottime = std::min(p.reboottime, each.reboottime);
    }
    const Instant disk = disk_time(book);
    const Instant heard = heard_by_all(book);
    const Instant by_disk = disk + liot(p);
    return heard == kForever ? by_disk : std::min(by_disk, std::max(disk, heard) + siot(p));
}

/// The smallest A(m) of the members of every record from the one that stands on; kForever: none.
Instant Audit::heard_by_all(const Book& book) const {
    Instant heard = kForever;
    const Incarnation standing = standing_record(book);
    for (const Record& record : book.under) {
        if (record.incarnation < standing) {
            continue;
        }
        for (const NodeNumber n : record.members) {
            for (const Acknowledged& m : book.peers[n]) {
                if (n != book.self.node && m.m == record.listed(n)) {
                    heard = std::min(heard, std::max(m.at, m.floor));
                }
            }
        }
    }
    return heard;
}

void Audit::adopt(Book& book, const Record& record) {
    if (!record.lists(book.self) || record.incarnation <= book.adopted.incarnation) {
        return;
    }
    book.adopted = record;
    book.under.push_back(record);
    constexpr std::size_t kKept = 8;
    if (book.under.size() > kKept) {
        book.under.pop_front();
    }
    book.stale = true;
    for (const NodeNumber n : record.members) {
        Acknowledged& m = peer(book, record.listed(n));
        m.floor = m.floor == kNever ? book.step_at : m.floor;
    }
}

// -------------------------------------------------------------------------- what it claims

void Audit::begin(Book& book, const core::StatusView& status, Instant now) {
    Book fresh;
    for (std::size_t i = 0; i < kFilesMax; ++i) {  // Reads of before may end now.
        const FileIndex f = FileIndex::from_index(i);
        fresh.files[f].begun = book.files[f].begun;
        fresh.files[f].under_way = book.files[f].under_way;
    }
    fresh.self = status.self;
    fresh.born = fresh.step_at = now;
    fresh.awake_since = book.awake_since;
    fresh.adopted = status.newest;
    fresh.generation = fresh.files_generation = status.newest.files_generation;
    fresh.quorum = status.newest.files;
    fresh.promise = status.promise;
    book = std::move(fresh);
}

void Audit::after_step(Machine& machine, const core::Output& output) {
    Book& book = books_[machine.index];
    for (const core::Notice& notice : output.notices) {
        if (notice.kind == core::NoticeKind::kInstanceStarted) {
            begin(book, machine.daemon.arbiter->status(book.step_at), book.step_at);
        } else if (notice.kind == core::NoticeKind::kDecided && book.self.unique != Unique{}) {
            const Record newest = machine.daemon.arbiter->status(book.step_at).newest;
            book.stale = book.stale || book.files_generation != newest.files_generation;
            book.files_generation = newest.files_generation;
            adopt(book, newest);
        } else if (notice.kind == core::NoticeKind::kLeaseLost) {
            check_stop(book, machine, notice);
        }
    }
}

void Audit::on_lease(const Machine& machine, const core::LeaseUpdate& lease) {
    Book& book = books_[machine.index];
    if (lease.instance != book.self || book.self.unique == Unique{} || lease.released) {
        return;
    }
    // Once it stops its end is fixed, whatever record it adopts on the way (found with seed 28121).
    const bool fixed = book.told.instance == lease.instance && book.told.final;
    if (!book.lapsed && !fixed && (book.stale || lease.end > book.end)) {
        book.end = lease_end(book);
        book.stale = false;
    }
    const Instant most = fixed ? book.told.end : book.lapsed ? book.lapsed_end : book.end;
    if (lease.end > most) {
        fail("Lease",
             machine,
             "is told an end that is " + std::to_string((lease.end - most).count() / 1000) +
                 (book.lapsed ? " us after the one that has passed" : " us too late"));
    }
    // Which time-outs it keeps to cannot be seen (seed 156700: those of its former record), and
    // each may have been changed alone (seed 545393).
    Duration enough = siot(book.adopted.parameters) / 2;
    for (Parameters p : world_.options.palette) {
        enough = std::min(enough, Duration{p.reboottime});
        for (const Parameters& other : world_.options.palette) {
            p.reboottime = other.reboottime;
            enough = consistent(p) ? std::min(enough, siot(p) / 2) : enough;
        }
    }
    const bool shortened = book.told.instance == lease.instance && lease.end < book.told.end &&
                           book.files_generation == book.generation;
    if (shortened && !lease.final && lease.end < book.step_at + enough) {
        fail("Shorten", machine, "takes a time-out that leaves it no time");
    }
    if (lease.may_act) {
        check_goes_on(book, machine, "may act");
        if (!book.armed) {
            fail("Armed", machine, "may act before its guardians are known to be armed");
        }
    }
    book.armed_serial = lease.armed && book.armed_serial == 0 ? lease.serial : book.armed_serial;
    book.told = lease;
}

void Audit::check_goes_on(const Book& book, const Machine& machine, const char* does) const {
    if (book.must_stop != core::StopReason::kNone) {
        fail("Stop", machine, std::string{does} + " after " + name_of(book.must_stop));
    }
    if (book.lapsed) {
        fail("Lease", machine, std::string{does} + " after its lease has lapsed");
    }
}

void Audit::on_publish(const Machine& machine, const core::CycleOrder& order) {
    Book& book = books_[machine.index];
    OnFile& file = book.files[order.file];
    if (order.own && file.begun < book.awake_since) {
        fail("Asleep", machine, "writes a file that it has not read since it slept");
    }
    file.begun = machine.clock.local(world_.now);
    file.under_way = true;
    file.doubtful = false;
    file.writes = order.own.has_value();
    if (!order.own || book.self.unique == Unique{}) {
        return;
    }
    const voting::Heartbeat& h = order.own->heartbeat;
    file.writes_record = h.record.incarnation;
    file.writes_promise = h.promise;
    if (h.state == NodeState::kActive || h.state == NodeState::kJoining) {
        check_goes_on(book, machine, "writes");
        check_connected(book, machine, h.connected);
    }
}

void Audit::on_send(const Machine& machine, const netbeat::Heartbeat& h) {
    Book& book = books_[machine.index];
    book.sent.emplace_back(h.sequence, book.step_at);
    while (book.sent.front().second < book.step_at - 3 * world_.options.largest().misscount) {
        book.sent.pop_front();
    }
    const bool goes_on = h.state == NodeState::kActive || h.state == NodeState::kJoining;
    if (goes_on) {
        check_goes_on(book, machine, "sends");
        check_connected(book, machine, h.connected);
    }
    for (const NodeNumber n : world_.options.numbers) {
        if (n == machine.number || h.echo[n].sequence == Sequence{}) {
            continue;
        }
        if (!goes_on && h.state != NodeState::kLeft) {
            fail("Echo", machine, "echoes while it stops");
        }
        if (book.adopted.drops({n, h.echo[n].unique})) {
            fail("Echo",
                 machine,
                 "echoes node " + std::to_string(n.value()) + ", dropped by " +
                     to_text(book.adopted));
        }
    }
}

void Audit::check_connected(const Book& book, const Machine& machine, NodeSet connected) const {
    const Duration misscount = world_.options.largest().misscount;
    for (const NodeNumber n : connected) {
        const bool backed =
            n == machine.number ||
            std::any_of(book.peers[n].begin(), book.peers[n].end(), [&](const Acknowledged& p) {
                return book.step_at - std::max(p.at, p.floor) < misscount;
            });
        if (!backed) {
            fail("Connected",
                 machine,
                 "shows node " + std::to_string(n.value()) +
                     " as connected, which has not echoed it for misscount");
        }
    }
}

void Audit::check_stop(const Book& book, const Machine& machine, const core::Notice& notice) const {
    if (book.self.unique == Unique{}) {
        return;
    }
    if (notice.stop == core::StopReason::kLeaseLapsed) {
        const bool near = book.told.instance != book.self ||
                          book.step_at >= book.told.end - world_.options.largest().reboottime;
        if (!near) {
            fail("Stop", machine, "stops by a lease whose end it was told is far away");
        }
    } else if (!book.cause[static_cast<std::size_t>(notice.stop)] &&
               !machine.daemon.arbiter->status(book.step_at).newest.drops(book.self)) {
        // The own ballot may have decided a record of somebody else that drops it.
        fail("Stop", machine, std::string{"stops without cause: "} + name_of(notice.stop));
    }
}

}  // namespace css::sim
