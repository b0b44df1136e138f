#include "cssd/group/state.h"

#include "cssd/base/check.h"

namespace css::group {

State::Applied State::apply(const Entry& entry) {
    CSS_CHECK(entry.position == next(position_));
    position_ = entry.position;
    if (entry.number != 0) {
        CSS_CHECK(entry.number == last_number(entry.origin) + 1);
        origins_[entry.origin.node] = Origin{entry.origin.unique, entry.number};
    }
    Applied applied;
    std::visit([&](const auto& command) { apply(entry, command, applied); }, entry.command);
    return applied;
}

std::uint64_t State::last_number(Instance origin) const {
    const Origin& last = origins_[origin.node];
    return last.unique == origin.unique ? last.number : 0;
}

const Group* State::group(const std::string& name) const {
    const auto found = groups_.find(name);
    return found == groups_.end() ? nullptr : &found->second;
}

State::Memberships State::memberships(Instance home, Client client) const {
    const auto found = memberships_.find({home, client});
    return found == memberships_.end() ? Memberships{} : found->second;
}

const Member* State::find(const std::string& group, MemberId id) const {
    const auto found = groups_.find(group);
    if (found == groups_.end()) {
        return nullptr;
    }
    const auto member = found->second.members.find(id);
    return member == found->second.members.end() ? nullptr : &member->second;
}

const Member* State::find(const std::string& group, Instance home, Client client) const {
    const auto own = memberships_.find({home, client});
    if (own == memberships_.end()) {
        return nullptr;
    }
    const auto id = own->second.find(group);
    return id == own->second.end() ? nullptr : find(group, id->second);
}

Member* State::find_mutable(const std::string& group, Instance home, Client client) {
    const Member* found = find(group, home, client);
    return found == nullptr ? nullptr : &groups_.at(group).members.at(found->id);
}

Event& State::tell(Applied& applied,
                   EventKind kind,
                   const std::string& group,
                   const Member& member) {
    Event& event = applied.events.emplace_back();
    event.kind = kind;
    event.group = group;
    event.position = position_;
    event.serial = applied.serial = ++groups_.at(group).serial;
    event.member = member.id;
    event.node = member.home.node;
    event.pid = member.pid;
    return event;
}

void State::add(const std::string& group, Member member) {
    memberships_[{member.home, member.client}][group] = member.id;
    ++members_;
    data_size_ += member.data->size();
    const MemberId id = member.id;
    groups_[group].members.emplace(id, std::move(member));
}

void State::remove(Applied& applied, const std::string& group, MemberId id, LeaveReason reason) {
    Group& from = groups_.at(group);
    const auto member = from.members.find(id);
    CSS_CHECK(member != from.members.end());
    tell(applied, EventKind::kLeft, group, member->second).reason = reason;
    const auto own = memberships_.find({member->second.home, member->second.client});
    own->second.erase(group);
    if (own->second.empty()) {
        memberships_.erase(own);
    }
    --members_;
    data_size_ -= member->second.data->size();
    from.members.erase(member);
    if (from.members.empty()) {
        groups_.erase(group);
    }
}

// ---------------------------------------------------------------------------------- commands

Result State::admit(const Entry& entry, const Join& command) const {
    if (find(command.group, entry.origin, command.client) != nullptr) {
        return Result::kExists;
    }
    const Group* to = group(command.group);
    if (to != nullptr && command.uid != 0 && command.uid != to->owner) {
        return Result::kNotPermitted;
    }
    const bool full = members_ >= kMembersMax ||
                      memberships(entry.origin, command.client).size() >= kMembershipsMax ||
                      data_size_ + command.data->size() > kDataTotalMax ||
                      (to != nullptr && to->members.size() >= kGroupMax);
    return full ? Result::kFull : Result::kDone;
}

void State::apply(const Entry& entry, const Join& command, Applied& applied) {
    applied.result = admit(entry, command);
    if (applied.result != Result::kDone) {
        return;
    }
    if (group(command.group) == nullptr) {
        groups_[command.group].owner = command.uid;
    }
    Member member;
    member.id = applied.member = entry.position;
    member.home = entry.origin;
    member.client = command.client;
    member.pid = command.pid;
    member.uid = command.uid;
    member.data = command.data;
    tell(applied, EventKind::kJoined, command.group, member).data = command.data;
    add(command.group, std::move(member));
}

void State::apply(const Entry& entry, const Publish& command, Applied& applied) {
    Member* member = find_mutable(command.group, entry.origin, command.client);
    if (member == nullptr) {
        applied.result = Result::kNotMember;
        return;
    }
    const std::size_t size = data_size_ - member->data->size() + command.data->size();
    if (size > kDataTotalMax) {
        applied.result = Result::kFull;
        return;
    }
    data_size_ = size;
    member->data = command.data;
    tell(applied, EventKind::kPublished, command.group, *member).data = command.data;
}

void State::apply(const Entry& entry, const Leave& command, Applied& applied) {
    const Member* member = find(command.group, entry.origin, command.client);
    if (member == nullptr) {
        applied.result = Result::kNotMember;
        return;
    }
    remove(applied, command.group, member->id, LeaveReason::kLeft);
}

void State::apply(const Entry& entry, const LeaveAll& command, Applied& applied) {
    for (const auto& [group, id] : memberships(entry.origin, command.client)) {
        const bool killed = command.reason == LeaveReason::kGone && find(group, id)->kill_asked;
        remove(applied, group, id, killed ? LeaveReason::kKilled : command.reason);
    }
}

void State::apply(const Entry& entry, const Kill& command, Applied& applied) {
    const Member* asks = find(command.group, entry.origin, command.client);
    const Member* target = find(command.group, command.target);
    if (asks == nullptr || target == nullptr) {
        applied.result = Result::kNotMember;
        return;
    }
    if (asks->uid != 0 && asks->uid != target->uid) {
        applied.result = Result::kNotPermitted;
        return;
    }
    groups_.at(command.group).members.at(command.target).kill_asked = true;
    applied.member = command.target;
}

/// A command of a dropped instance that was not in the log by now never will be.
void State::apply(const Entry& /*entry*/, const NewView& command, Applied& applied) {
    const auto stays = [&command](Instance i) {
        return command.members.contains(i.node) && command.unique[i.node] == i.unique;
    };
    incarnation_ = command.incarnation;
    std::vector<std::pair<std::string, MemberId>> gone;
    for (const auto& [name, group] : groups_) {
        for (const auto& [id, member] : group.members) {
            if (!stays(member.home)) {
                gone.emplace_back(name, id);
            }
        }
    }
    for (const auto& [name, id] : gone) {
        remove(applied, name, id, LeaveReason::kNode);
    }
    for (std::size_t i = 0; i < kNodesMax; ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        if (!stays(Instance{n, origins_[n].unique})) {
            origins_[n] = Origin{};
        }
    }
}

// --------------------------------------------------------------------------------- snapshots

std::vector<Blob> State::save() const {
    std::vector<Blob> messages;
    SnapshotBegin begin{position_, incarnation_, {}};
    for (std::size_t i = 0; i < kNodesMax; ++i) {
        const NodeNumber n = NodeNumber::from_index(i);
        if (origins_[n].number != 0) {
            begin.origins.push_back({Instance{n, origins_[n].unique}, origins_[n].number});
        }
    }
    messages.push_back(blob(encode(std::move(begin))));
    for (const auto& [name, group] : groups_) {
        messages.push_back(blob(encode(SnapshotGroup{name, group.owner, group.serial})));
        for (const auto& [id, m] : group.members) {
            messages.push_back(blob(
                encode(SnapshotMember{id, m.home, m.client, m.pid, m.uid, m.kill_asked, m.data})));
        }
    }
    messages.push_back(blob(encode(SnapshotEnd{})));
    return messages;
}

State::Loader::Loader(const SnapshotBegin& begin) {
    state_.position_ = begin.position;
    state_.incarnation_ = begin.incarnation;
    for (const SnapshotBegin::Origin& origin : begin.origins) {
        state_.origins_[origin.instance.node] = Origin{origin.instance.unique, origin.number};
    }
}

bool State::Loader::add(const SnapshotGroup& group) {
    group_ = group.name;
    const auto [made, fresh] = state_.groups_.try_emplace(group.name);
    made->second.owner = group.owner;
    made->second.serial = group.serial;
    return fresh;
}

bool State::Loader::add(const SnapshotMember& member) {
    if (group_.empty() || member.id > state_.position_ ||
        state_.find(group_, member.id) != nullptr ||
        state_.find(group_, member.home, member.client) != nullptr) {
        return false;
    }
    state_.add(group_,
               Member{member.id,
                      member.home,
                      member.client,
                      member.pid,
                      member.uid,
                      member.kill_asked,
                      member.data});
    return true;
}

}  // namespace css::group
