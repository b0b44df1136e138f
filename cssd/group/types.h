#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "cssd/base/types.h"

/// Named groups of client programs over all nodes (GROUPS.md).
namespace css::group {

inline constexpr std::size_t kNameMax = 63;         ///< Bytes of a group's name; at least one.
inline constexpr std::size_t kDataMax = 4096;       ///< Bytes of a member's data; none is fine.
inline constexpr std::size_t kGroupMax = 4096;      ///< Members of one group.
inline constexpr std::size_t kMembershipsMax = 64;  ///< Groups of one program.
inline constexpr std::size_t kMembersMax = 32'768;  ///< Of all groups together.
inline constexpr std::size_t kDataTotalMax = 64U << 20;  ///< Bytes of all members' data.

using Bytes = std::vector<std::byte>;
/// Shared by all who hold it, never changed.
using Blob = std::shared_ptr<const Bytes>;
inline Blob blob(Bytes bytes) {
    return std::make_shared<const Bytes>(std::move(bytes));
}

/// Where an entry stands in the log, from 1. Zero: before all entries.
using Position = StrongId<struct PositionTag, std::uint64_t>;
constexpr Position next(Position p) {
    return Position{p.value() + 1};
}
/// A member for its whole life: the position of the entry with which it joined.
using MemberId = Position;
/// A program, as the daemon of its node numbers it.
using Client = std::uint64_t;

/// Why a member is no longer one. Values are on the wire and in css.h: never renumber.
enum class LeaveReason : std::uint8_t {
    kLeft = 1,    ///< It said so.
    kGone = 2,    ///< Its process has ended.
    kKilled = 3,  ///< Another member had it killed, and it has ended.
    kNode = 4,    ///< Its node is no member any more, and known to have stopped.
};

/// How a request ended. Values are on the wire of no one: the daemon turns them into errno values.
enum class Result : std::uint8_t {
    kDone,
    kBusy,          ///< Too much waits on this node already.
    kInvalid,       ///< A name or data of a wrong size.
    kNotMember,     ///< The client is no member of that group, or the target is not.
    kExists,        ///< The client is a member already.
    kNotPermitted,  ///< The group, or the target, belongs to another user.
    kFull,          ///< kGroupMax, kMembershipsMax, kMembersMax or kDataTotalMax.
    kUnknown,       ///< The node missed the answer; look at the list of members.
};

// ------------------------------------------------------------------------------- commands
// What stands in the log. Each changes the state of all groups, on every node in the same way.

struct Join {
    std::string group;
    Client client = 0;
    std::uint32_t pid = 0;
    std::uint32_t uid = 0;
    Blob data;
};
struct Publish {
    std::string group;
    Client client = 0;
    Blob data;
};
struct Leave {
    std::string group;
    Client client = 0;
};
/// Out of all groups: kGone, or kLeft.
struct LeaveAll {
    Client client = 0;
    LeaveReason reason = LeaveReason::kGone;
};
/// A member of the group wants another one killed.
struct Kill {
    std::string group;
    Client client = 0;
    MemberId target;
};
/// The first entry under a new record: members on other instances than these are gone.
struct NewView {
    Incarnation incarnation;
    NodeSet members;
    PerNode<Unique> unique;
};
using Command = std::variant<Join, Publish, Leave, LeaveAll, Kill, NewView>;

/// One entry of the log. `number` counts the commands of `origin`, from 1, so that none counts
/// twice; zero in a NewView.
struct Entry {
    Position position;
    Instance origin;
    std::uint64_t number = 0;
    Command command;
};

// --------------------------------------------------------------------------------- events

enum class EventKind : std::uint8_t {
    kJoined,
    kLeft,
    kPublished,
    kMissed,  ///< `missed` events of this group were not told; read the list of members again.
};

/// What members of a group are told. `serial` counts the events of the group, from 1, the same on
/// all nodes; of a kMissed it is the number of the last event missed.
struct Event {
    EventKind kind = EventKind::kJoined;
    std::string group;
    Position position;  ///< Of the entry that made it.
    std::uint64_t serial = 0;
    MemberId member;
    NodeNumber node;
    std::uint32_t pid = 0;
    LeaveReason reason = LeaveReason::kLeft;
    std::uint64_t missed = 0;
    Blob data;  ///< Of the member, in kJoined and kPublished.
};

}  // namespace css::group
