#include <algorithm>
#include <utility>

#include "cssd/base/check.h"
#include "cssd/group/engine_impl.h"

// What the clients of this node ask and are told.

namespace css::group {
namespace {

std::size_t size_of(const Command& command) {
    constexpr std::size_t kRest = 128;  // Names and numbers, about.
    if (const auto* join = std::get_if<Join>(&command)) {
        return kRest + join->data->size();
    }
    if (const auto* publish = std::get_if<Publish>(&command)) {
        return kRest + publish->data->size();
    }
    return kRest;
}

bool is_name(const std::string& name) {
    return !name.empty() && name.size() <= kNameMax &&
           std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

// --------------------------------------------------------------------------------- requests

Result Engine::Impl::check(const Request& input) const {
    const bool good =
        std::visit([](const auto& command) { return is_name(command.group); }, input.what);
    const auto* join = std::get_if<Join>(&input.what);
    const auto* publish = std::get_if<Publish>(&input.what);
    const Blob* data = join != nullptr      ? &join->data
                       : publish != nullptr ? &publish->data
                                            : nullptr;
    if (!good || (data != nullptr && (*data == nullptr || (*data)->size() > kDataMax))) {
        return Result::kInvalid;
    }
    return pending_.size() < options_.pending_max && pending_bytes_ < options_.pending_bytes_max
               ? Result::kDone
               : Result::kBusy;
}

void Engine::Impl::on(const Request& input) {
    if (const Result refusal = check(input); refusal != Result::kDone) {
        output_.answers.push_back(Answer{input.id, refusal, {}, 0});
        return;
    }
    std::visit([this, &input](const auto& command) { enqueue(input.id, command); }, input.what);
}

/// Behind its other commands: a Join that waits is taken back by this.
void Engine::Impl::on(const ClientGone& input) {
    enqueue(std::nullopt, LeaveAll{input.client, input.reason});
}

void Engine::Impl::enqueue(std::optional<std::uint64_t> request, Command command) {
    const std::size_t size = size_of(command);
    pending_.push_back(Pending{next_number_++, request, std::move(command), size});
    pending_bytes_ += size;
}

/// An entry of this node's has been applied: always the first that was pending.
void Engine::Impl::answer_own(const State::Applied& applied) {
    CSS_CHECK(!pending_.empty());
    const Pending& done = pending_.front();
    if (done.request) {
        const bool joins = std::holds_alternative<Join>(done.command);
        output_.answers.push_back(Answer{
            *done.request, applied.result, joins ? applied.member : MemberId{}, applied.serial});
    }
    pending_bytes_ -= done.size;
    pending_.pop_front();
    submitted_ -= submitted_ > 0 ? 1 : 0;
}

// ----------------------------------------------------------------------------------- events

void Engine::Impl::deliver(Event event) {
    if (event.kind == EventKind::kLeft) {
        kill_deadlines_.erase(event.member);
    }
    Delivery delivery;
    if (const Group* group = state_.group(event.group)) {
        for (const auto& [id, member] : group->members) {
            if (member.home == options_.self) {
                delivery.clients.push_back(member.client);
            }
        }
    }
    delivery.event = std::make_shared<const Event>(std::move(event));
    notify(NoticeKind::kEvent).event = delivery.event;
    if (!delivery.clients.empty()) {
        output_.deliveries.push_back(std::move(delivery));
    }
}

// -------------------------------------------------------------------------------- snapshots

/// In place of the entries up to its position, which this node never saw.
void Engine::Impl::take_snapshot(State fresh) {
    const State before = std::exchange(state_, std::move(fresh));
    history_.restart(state_.position());
    tell_missed(before);
    answer_passed();
    std::map<MemberId, Instant> deadlines;
    for (const auto& [name, group] : state_.groups()) {
        for (const auto& [id, member] : group.members) {
            if (member.kill_asked) {
                const auto known = kill_deadlines_.find(id);
                deadlines[id] =
                    known != kill_deadlines_.end() ? known->second : now_ + options_.kill_patience;
                if (member.home == options_.self) {
                    output_.kills.push_back(member.client);
                }
            }
        }
    }
    kill_deadlines_ = std::move(deadlines);
}

/// Whoever of this node was a member before, and still is, is told how many events passed.
void Engine::Impl::tell_missed(const State& before) {
    for (const auto& [name, group] : before.groups()) {
        const Group* const now = state_.group(name);
        if (now == nullptr || now->serial == group.serial) {
            continue;
        }
        Delivery delivery;
        for (const auto& [id, member] : group.members) {
            if (member.home == options_.self && now->members.contains(id)) {
                delivery.clients.push_back(member.client);
            }
        }
        if (delivery.clients.empty()) {
            continue;
        }
        Event event;
        event.kind = EventKind::kMissed;
        event.group = name;
        event.serial = now->serial;
        event.missed = now->serial - group.serial;
        delivery.event = std::make_shared<const Event>(std::move(event));
        notify(NoticeKind::kEvent).event = delivery.event;
        output_.deliveries.push_back(std::move(delivery));
    }
}

/// Commands of this node that are within the snapshot. How a Join ended is seen in it; that of a
/// Publish, Leave or Kill is no longer known.
void Engine::Impl::answer_passed() {
    const std::uint64_t last = state_.last_number(options_.self);
    while (!pending_.empty() && pending_.front().number <= last) {
        State::Applied applied;
        applied.result = Result::kUnknown;
        if (const auto* join = std::get_if<Join>(&pending_.front().command)) {
            const Member* member = state_.find(join->group, options_.self, join->client);
            if (member != nullptr) {
                applied.result = Result::kDone;
                applied.member = member->id;
                applied.serial = state_.group(join->group)->serial;
            }
        }
        answer_own(applied);
    }
}

// ------------------------------------------------------------------------------------ kills

void Engine::Impl::note_kill(const Kill& command, MemberId target) {
    const Member* member = state_.find(command.group, target);
    kill_deadlines_.try_emplace(target, now_ + options_.kill_patience);
    Notice& notice = notify(NoticeKind::kKillAsked);
    notice.group = command.group;
    notice.member = target;
    notice.node = member->home.node;
    if (member->home == options_.self) {
        output_.kills.push_back(member->client);
    }
}

/// A member that is still there goes with its node. The lowest of the other nodes sees to it; asked
/// for again, in case that one went away or was refused, each time the patience is over.
void Engine::Impl::look_at_kills() {
    for (auto& [id, deadline] : kill_deadlines_) {
        if (now_ < deadline || !view_) {
            continue;
        }
        deadline = now_ + options_.kill_patience;
        for (const auto& [name, group] : state_.groups()) {
            const auto member = group.members.find(id);
            if (member == group.members.end()) {
                continue;
            }
            const NodeNumber node = member->second.home.node;
            const NodeSet others = view_->members - NodeSet::of(node);
            Notice& notice = notify(NoticeKind::kKillOverdue);
            notice.group = name;
            notice.member = id;
            notice.node = node;
            notice.evicted = !others.empty() && others.lowest() == options_.self.node;
            if (notice.evicted) {
                output_.evictions.push_back(node);
            }
        }
    }
}

}  // namespace css::group
