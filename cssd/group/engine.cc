#include "cssd/group/engine.h"

#include <algorithm>
#include <utility>

#include "cssd/base/check.h"
#include "cssd/group/engine_impl.h"

// Records and the log (GROUPS.md). What holds at the end of every step:
//
// 1. The log of every instance of the record is a beginning of the longest one among them. Only the
//    sequencer of a record adds to it, and only after every instance of the record has told how far
//    it has come and it has itself come as far as the furthest. Who has told takes nothing more
//    from an earlier record: the channels ended with that.
// 2. History and state end at the same position.
// 3. Commands of an instance stand in the log in the order of their numbers, without a gap. What it
//    has not seen there it submits again under the next record, once its state is that of the
//    record: so it knows exactly what was not taken.

namespace css::group {

void History::add(Position position, Blob message) {
    CSS_CHECK(position == next(last()));
    bytes_ += message->size();
    entries_.push_back(std::move(message));
    while (entries_.size() > entries_max_ || bytes_ > bytes_max_) {
        bytes_ -= entries_.front()->size();
        entries_.pop_front();
        before_ = next(before_);
    }
}

void History::restart(Position position) {
    entries_.clear();
    bytes_ = 0;
    before_ = position;
}

const Blob& History::at(Position position) const {
    CSS_CHECK(position > before_);
    return entries_.at(position.value() - before_.value() - 1);
}

Engine::Impl::Impl(const EngineOptions& options)
    : options_(options), history_(options.history_entries_max, options.history_bytes_max) {
    CSS_CHECK(options.self.node.is_some());
    CSS_CHECK(options.self.unique != Unique{});
}

void Engine::Impl::step(Instant now, const Input& input) {
    CSS_CHECK(now >= now_);
    now_ = now;
    std::visit([this](const auto& what) { on(what); }, input);
    submit_pending();
    ship();
    look_at_kills();
    check_invariants();
}

void Engine::Impl::check_invariants() const {
    CSS_CHECK(history_.last() == state_.position());
    CSS_CHECK(submitted_ <= pending_.size());
    if (!pending_.empty()) {
        CSS_CHECK(pending_.front().number == state_.last_number(options_.self) + 1);
        CSS_CHECK(pending_.back().number + 1 == next_number_);
    }
    if (leading_) {
        CSS_CHECK(is_installed());
        CSS_CHECK(sequencer() == options_.self.node);
    }
}

Output Engine::Impl::take_output() {
    std::vector<Segment> segments;
    output_.wake_at = kForever;
    for (auto& [node, peer] : peers_) {
        segments.clear();
        peer.channel.transmit(now_, segments);
        for (const Segment& segment : segments) {
            output_.datagrams.push_back(Datagram{node, encode(segment)});
        }
        output_.wake_at = std::min(output_.wake_at, peer.channel.wake_at());
    }
    for (const auto& [member, deadline] : kill_deadlines_) {
        output_.wake_at = std::min(output_.wake_at, deadline);
    }
    return std::exchange(output_, {});
}

bool Engine::Impl::is_installed() const {
    return view_ && state_.incarnation() == view_->incarnation;
}

NodeNumber Engine::Impl::sequencer() const {
    return view_ ? view_->members.lowest() : NodeNumber{};
}

bool Engine::Impl::feeds(const Peer& peer) const {
    return sequencer() == options_.self.node ? peer.instance.node == fetching_from_
                                             : peer.instance.node == sequencer();
}

void Engine::Impl::on(const Tick& /*input*/) {}

// ---------------------------------------------------------------------------------- records

void Engine::Impl::on(const ViewChanged& input) {
    CSS_CHECK(input.members.contains(options_.self.node));
    CSS_CHECK(input.unique[options_.self.node] == options_.self.unique);
    CSS_CHECK(!view_ || input.incarnation > view_->incarnation);
    view_ = input;
    peers_.clear();
    leading_ = false;
    fetching_from_ = NodeNumber{};
    loader_.reset();
    submitted_ = 0;
    for (const NodeNumber n : input.members - NodeSet::of(options_.self.node)) {
        const Instance instance{n, input.unique[n]};
        peers_.emplace(n,
                       Peer{instance, Channel{options_.self, instance, input.incarnation}, {}, {}});
    }
    Notice& notice = notify(NoticeKind::kViewEntered);
    notice.incarnation = input.incarnation;
    notice.node = sequencer();
    notice.position = state_.position();
    if (sequencer() == options_.self.node) {
        gather();
    } else {
        peers_.at(sequencer()).channel.send(encode(Report{state_.position()}));
    }
}

/// The sequencer: when everybody has told, come as far as the furthest, then begin.
void Engine::Impl::gather() {
    CSS_CHECK(sequencer() == options_.self.node);
    if (leading_ || std::ranges::any_of(peers_, [](const auto& p) { return !p.second.reported; })) {
        return;
    }
    Peer* furthest = nullptr;
    for (auto& [node, peer] : peers_) {
        if (*peer.reported > state_.position() &&
            (furthest == nullptr || *peer.reported > *furthest->reported)) {
            furthest = &peer;
        }
    }
    if (furthest == nullptr) {
        begin_to_lead();
    } else if (!fetching_from_.is_some()) {
        fetching_from_ = furthest->instance.node;
        furthest->channel.send(encode(Fetch{state_.position()}));
        Notice& notice = notify(NoticeKind::kFetching);
        notice.node = fetching_from_;
        notice.position = *furthest->reported;
    }
}

void Engine::Impl::begin_to_lead() {
    fetching_from_ = NodeNumber{};
    for (auto& [node, peer] : peers_) {
        peer.shipment = Shipment{*peer.reported, nullptr, 0};
    }
    order(options_.self, 0, NewView{view_->incarnation, view_->members, view_->unique});
    leading_ = true;
}

// ------------------------------------------------------------------------------------- log

void Engine::Impl::order(Instance origin, std::uint64_t number, Command command) {
    const Entry entry{next(state_.position()), origin, number, std::move(command)};
    apply(entry, blob(encode(entry)));
}

void Engine::Impl::apply(const Entry& entry, Blob encoded) {
    State::Applied applied = state_.apply(entry);
    history_.add(entry.position, std::move(encoded));
    if (const auto* view = std::get_if<NewView>(&entry.command)) {
        Notice& notice = notify(NoticeKind::kViewInstalled);
        notice.incarnation = view->incarnation;
        notice.position = entry.position;
    } else if (const auto* kill = std::get_if<Kill>(&entry.command);
               kill != nullptr && applied.result == Result::kDone) {
        note_kill(*kill, applied.member);
    }
    if (entry.number != 0 && entry.origin == options_.self) {
        answer_own(applied);
    }
    for (Event& event : applied.events) {
        deliver(std::move(event));
    }
}

/// What this node wants in the log goes to the sequencer, or, where that is this instance, into it.
void Engine::Impl::submit_pending() {
    if (!is_installed()) {
        return;
    }
    if (leads()) {
        while (!pending_.empty()) {
            order(options_.self, pending_.front().number, pending_.front().command);
        }
        return;
    }
    Channel& channel = peers_.at(sequencer()).channel;
    for (; submitted_ < pending_.size() && channel.has_room(); ++submitted_) {
        const Pending& pending = pending_[submitted_];
        channel.send(encode(Submit{pending.number, pending.command}));
    }
}

void Engine::Impl::ship() {
    for (auto& [node, peer] : peers_) {
        if (peer.shipment) {
            ship_to(peer);
        }
    }
}

void Engine::Impl::ship_to(Peer& peer) {
    Shipment& shipment = *peer.shipment;
    while (peer.channel.has_room()) {
        if (shipment.snapshot != nullptr) {
            peer.channel.send(*shipment.snapshot->messages[shipment.part]);
            if (++shipment.part == shipment.snapshot->messages.size()) {
                shipment = Shipment{shipment.snapshot->position, nullptr, 0};
            }
        } else if (shipment.sent == state_.position()) {
            return;
        } else if (history_.reaches(shipment.sent)) {
            shipment.sent = next(shipment.sent);
            peer.channel.send(*history_.at(shipment.sent));
        } else {
            shipment.snapshot = snapshot();
            shipment.part = 0;
            Notice& notice = notify(NoticeKind::kSnapshotSent);
            notice.node = peer.instance.node;
            notice.position = shipment.snapshot->position;
        }
    }
}

/// One for all who need one, as long as what follows it is still in the history.
std::shared_ptr<const Engine::Impl::Snapshot> Engine::Impl::snapshot() {
    auto made = snapshot_.lock();
    if (made == nullptr || !history_.reaches(made->position)) {
        made = std::make_shared<const Snapshot>(Snapshot{state_.position(), state_.save()});
        snapshot_ = made;
    }
    return made;
}

// -------------------------------------------------------------------------------- messages

void Engine::Impl::on(const DatagramReceived& input) {
    auto segment = decode_segment(input.from, input.bytes);
    const auto found = peers_.find(input.from);
    // Of another record, or of another instance: it comes too late or too early.
    if (!segment || found == peers_.end() || segment->incarnation != view_->incarnation ||
        segment->sender != found->second.instance || segment->receiver != options_.self) {
        return;
    }
    std::vector<Bytes> messages;
    found->second.channel.receive(now_, std::move(*segment), messages);
    for (const Bytes& bytes : messages) {
        if (const auto message = decode(bytes)) {
            take_message(found->second, *message);
        } else {
            malformed(found->second);
        }
    }
}

void Engine::Impl::take_message(Peer& from, const Message& message) {
    std::visit([this, &from](const auto& m) { take(from, m); }, message);
}

void Engine::Impl::take(Peer& from, const Report& message) {
    if (sequencer() != options_.self.node || from.reported) {
        return malformed(from);
    }
    from.reported = message.applied;
    gather();
}

void Engine::Impl::take(Peer& from, const Fetch& message) {
    if (from.instance.node != sequencer() || from.shipment || message.after > state_.position()) {
        return malformed(from);
    }
    from.shipment = Shipment{message.after, nullptr, 0};
}

void Engine::Impl::take(Peer& from, const Submit& message) {
    if (!leads() || message.number != state_.last_number(from.instance) + 1) {
        return malformed(from);
    }
    order(from.instance, message.number, message.command);
}

void Engine::Impl::take(Peer& from, const Entry& message) {
    const bool fits =
        message.position == next(state_.position()) && !loader_ && feeds(from) &&
        (message.number == 0 || message.number == state_.last_number(message.origin) + 1);
    if (!fits) {
        return malformed(from);
    }
    from.shipment.reset();  // It has what it fetched, and must not get its own entries back.
    apply(message, blob(encode(message)));
    if (sequencer() == options_.self.node) {
        gather();
    }
}

void Engine::Impl::take(Peer& from, const SnapshotBegin& message) {
    if (!feeds(from) || message.position <= state_.position()) {
        return malformed(from);
    }
    loader_.emplace(message);
}

void Engine::Impl::take(Peer& from, const SnapshotGroup& message) {
    if (!feeds(from) || !loader_ || !loader_->add(message)) {
        loader_.reset();
        malformed(from);
    }
}

void Engine::Impl::take(Peer& from, const SnapshotMember& message) {
    if (!feeds(from) || !loader_ || !loader_->add(message)) {
        loader_.reset();
        malformed(from);
    }
}

void Engine::Impl::take(Peer& from, const SnapshotEnd& /*message*/) {
    if (!feeds(from) || !loader_) {
        return malformed(from);
    }
    State fresh = loader_->take();
    loader_.reset();
    Notice& notice = notify(NoticeKind::kSnapshotTaken);
    notice.node = from.instance.node;
    notice.position = fresh.position();
    take_snapshot(std::move(fresh));
    if (sequencer() == options_.self.node) {
        gather();
    }
}

void Engine::Impl::malformed(const Peer& from) {
    notify(NoticeKind::kMalformed).node = from.instance.node;
}

Notice& Engine::Impl::notify(NoticeKind kind) {
    Notice& notice = output_.notices.emplace_back();
    notice.kind = kind;
    return notice;
}

// ------------------------------------------------------------------------------ the outside

Engine::Engine(const EngineOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Engine::~Engine() = default;

void Engine::step(Instant now, const Input& input) {
    impl_->step(now, input);
}
Output Engine::take_output() {
    return impl_->take_output();
}
const State& Engine::state() const {
    return impl_->state();
}
bool Engine::is_installed() const {
    return impl_->is_installed();
}
NodeNumber Engine::sequencer() const {
    return impl_->sequencer();
}

}  // namespace css::group
