#include "cssd/group/message.h"

#include <type_traits>

#include "cssd/base/check.h"
#include "cssd/group/bytes.h"

namespace css::group {
namespace {

// The first byte of a message and of a command. On the wire: never renumber.
enum class Kind : std::uint8_t {
    kReport = 1,
    kFetch = 2,
    kSubmit = 3,
    kEntry = 4,
    kSnapshotBegin = 5,
    kSnapshotGroup = 6,
    kSnapshotMember = 7,
    kSnapshotEnd = 8,
};
enum class CommandKind : std::uint8_t {
    kJoin = 1,
    kPublish = 2,
    kLeave = 3,
    kLeaveAll = 4,
    kKill = 5,
    kNewView = 6,
};

template <class Enum>
void put_kind(Writer& out, Enum kind) {
    out.put(static_cast<std::uint8_t>(kind));
}

void put_instance(Writer& out, Instance instance) {
    out.put(static_cast<std::uint8_t>(instance.node.value()));
    out.put(instance.unique.value());
}

Instance get_instance(Reader& in) {
    const NodeNumber node = in.get_node();
    return Instance{node, Unique{in.get<std::uint32_t>()}};
}

// ---------------------------------------------------------------------------- commands

void put(Writer& out, const Join& c) {
    put_kind(out, CommandKind::kJoin);
    out.put_name(c.group);
    out.put(c.client);
    out.put(c.pid);
    out.put(c.uid);
    out.put_data(c.data);
}
void put(Writer& out, const Publish& c) {
    put_kind(out, CommandKind::kPublish);
    out.put_name(c.group);
    out.put(c.client);
    out.put_data(c.data);
}
void put(Writer& out, const Leave& c) {
    put_kind(out, CommandKind::kLeave);
    out.put_name(c.group);
    out.put(c.client);
}
void put(Writer& out, const LeaveAll& c) {
    put_kind(out, CommandKind::kLeaveAll);
    out.put(c.client);
    put_kind(out, c.reason);
}
void put(Writer& out, const Kill& c) {
    put_kind(out, CommandKind::kKill);
    out.put_name(c.group);
    out.put(c.client);
    out.put(c.target.value());
}
void put(Writer& out, const NewView& c) {
    put_kind(out, CommandKind::kNewView);
    out.put(c.incarnation.value());
    out.put(c.members.bits());
    for (const NodeNumber n : c.members) {
        out.put(c.unique[n].value());
    }
}
void put(Writer& out, const Command& command) {
    std::visit([&out](const auto& c) { put(out, c); }, command);
}

NewView get_view(Reader& in) {
    NewView view;
    view.incarnation = Incarnation{in.get<std::uint64_t>()};
    view.members = NodeSet{in.get<std::uint64_t>()};
    for (const NodeNumber n : view.members) {
        view.unique[n] = Unique{in.get<std::uint32_t>()};
    }
    return view;
}

std::optional<Command> get_leave_all(Reader& in) {
    const auto client = in.get<std::uint64_t>();
    const auto reason = static_cast<LeaveReason>(in.get<std::uint8_t>());
    return reason == LeaveReason::kGone || reason == LeaveReason::kLeft
               ? std::optional<Command>{LeaveAll{client, reason}}
               : std::nullopt;
}

std::optional<Command> get_command(Reader& in) {
    const auto kind = static_cast<CommandKind>(in.get<std::uint8_t>());
    std::string group;
    if (kind != CommandKind::kLeaveAll && kind != CommandKind::kNewView) {
        group = in.get_name();
    }
    switch (kind) {
        case CommandKind::kJoin: {
            Join join;
            join.group = std::move(group);
            join.client = in.get<std::uint64_t>();
            join.pid = in.get<std::uint32_t>();
            join.uid = in.get<std::uint32_t>();
            join.data = in.get_data();
            return join;
        }
        case CommandKind::kPublish: {
            const auto client = in.get<std::uint64_t>();
            return Publish{std::move(group), client, in.get_data()};
        }
        case CommandKind::kLeave: return Leave{std::move(group), in.get<std::uint64_t>()};
        case CommandKind::kLeaveAll: return get_leave_all(in);
        case CommandKind::kKill: {
            const auto client = in.get<std::uint64_t>();
            return Kill{std::move(group), client, MemberId{in.get<std::uint64_t>()}};
        }
        case CommandKind::kNewView: return get_view(in);
    }
    return std::nullopt;
}

// ---------------------------------------------------------------------------- messages

void put(Writer& out, const Report& m) {
    put_kind(out, Kind::kReport);
    out.put(m.applied.value());
}
void put(Writer& out, const Fetch& m) {
    put_kind(out, Kind::kFetch);
    out.put(m.after.value());
}
void put(Writer& out, const Submit& m) {
    put_kind(out, Kind::kSubmit);
    out.put(m.number);
    put(out, m.command);
}
void put(Writer& out, const Entry& m) {
    put_kind(out, Kind::kEntry);
    out.put(m.position.value());
    put_instance(out, m.origin);
    out.put(m.number);
    put(out, m.command);
}
void put(Writer& out, const SnapshotBegin& m) {
    put_kind(out, Kind::kSnapshotBegin);
    out.put(m.position.value());
    out.put(m.incarnation.value());
    out.put(static_cast<std::uint8_t>(m.origins.size()));
    for (const SnapshotBegin::Origin& origin : m.origins) {
        put_instance(out, origin.instance);
        out.put(origin.number);
    }
}
void put(Writer& out, const SnapshotGroup& m) {
    put_kind(out, Kind::kSnapshotGroup);
    out.put_name(m.name);
    out.put(m.owner);
    out.put(m.serial);
}
void put(Writer& out, const SnapshotMember& m) {
    put_kind(out, Kind::kSnapshotMember);
    out.put(m.id.value());
    put_instance(out, m.home);
    out.put(m.client);
    out.put(m.pid);
    out.put(m.uid);
    out.put(static_cast<std::uint8_t>(m.kill_asked ? 1 : 0));
    out.put_data(m.data);
}
void put(Writer& out, const SnapshotEnd& /*m*/) {
    put_kind(out, Kind::kSnapshotEnd);
}

std::optional<Message> get_submit(Reader& in) {
    const auto number = in.get<std::uint64_t>();
    auto command = get_command(in);
    if (!command || number == 0 || std::holds_alternative<NewView>(*command)) {
        return std::nullopt;
    }
    return Submit{number, std::move(*command)};
}

std::optional<Message> get_entry(Reader& in) {
    Entry entry;
    entry.position = Position{in.get<std::uint64_t>()};
    entry.origin = get_instance(in);
    entry.number = in.get<std::uint64_t>();
    auto command = get_command(in);
    if (!command || entry.position == Position{} ||
        std::holds_alternative<NewView>(*command) != (entry.number == 0)) {
        return std::nullopt;
    }
    entry.command = std::move(*command);
    return entry;
}

std::optional<Message> get_snapshot_begin(Reader& in) {
    SnapshotBegin begin;
    begin.position = Position{in.get<std::uint64_t>()};
    begin.incarnation = Incarnation{in.get<std::uint64_t>()};
    const auto count = in.get<std::uint8_t>();
    for (unsigned i = 0; i < count && in.good(); ++i) {
        const Instance instance = get_instance(in);
        begin.origins.push_back({instance, in.get<std::uint64_t>()});
    }
    return begin;
}

std::optional<Message> get_snapshot_member(Reader& in) {
    SnapshotMember member;
    member.id = MemberId{in.get<std::uint64_t>()};
    member.home = get_instance(in);
    member.client = in.get<std::uint64_t>();
    member.pid = in.get<std::uint32_t>();
    member.uid = in.get<std::uint32_t>();
    const auto flags = in.get<std::uint8_t>();
    member.kill_asked = flags == 1;
    member.data = in.get_data();
    return flags > 1 || member.id == MemberId{} ? std::nullopt : std::optional<Message>{member};
}

std::optional<Message> get_message(Reader& in) {
    switch (static_cast<Kind>(in.get<std::uint8_t>())) {
        case Kind::kReport: return Report{Position{in.get<std::uint64_t>()}};
        case Kind::kFetch: return Fetch{Position{in.get<std::uint64_t>()}};
        case Kind::kSubmit: return get_submit(in);
        case Kind::kEntry: return get_entry(in);
        case Kind::kSnapshotBegin: return get_snapshot_begin(in);
        case Kind::kSnapshotGroup: {
            std::string name = in.get_name();
            const auto owner = in.get<std::uint32_t>();
            return SnapshotGroup{std::move(name), owner, in.get<std::uint64_t>()};
        }
        case Kind::kSnapshotMember: return get_snapshot_member(in);
        case Kind::kSnapshotEnd: return SnapshotEnd{};
    }
    return std::nullopt;
}

}  // namespace

Bytes encode(const Message& message) {
    Writer out;
    std::visit([&out](const auto& m) { put(out, m); }, message);
    return out.take();
}

std::optional<Message> decode(std::span<const std::byte> bytes) {
    Reader in{bytes};
    auto message = get_message(in);
    return in.done() ? message : std::nullopt;
}

}  // namespace css::group
