#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cssd/group/message.h"
#include "cssd/group/types.h"

namespace css::group {

struct Member {
    MemberId id;
    Instance home;
    Client client = 0;
    std::uint32_t pid = 0;  ///< As its node numbers processes; for people.
    std::uint32_t uid = 0;
    bool kill_asked = false;
    Blob data;
};

struct Group {
    std::uint32_t owner = 0;   ///< User of whoever joined first; others than it and root stay out.
    std::uint64_t serial = 0;  ///< Of the newest event.
    std::map<MemberId, Member> members;  ///< Never empty: a group goes with its last member.
};

/// All groups, as they are after the log up to a position. Deterministic: the same entries give the
/// same state and the same events on every node.
class State {
public:
    /// What an entry did.
    struct Applied {
        Result result = Result::kDone;
        MemberId member;           ///< Who joined, or who is to be killed.
        std::uint64_t serial = 0;  ///< Of the group, after it.
        std::vector<Event> events;
    };
    /// The entry at the next position; its number is the next of its origin.
    Applied apply(const Entry& entry);

    [[nodiscard]] Position position() const { return position_; }
    /// Of the last NewView.
    [[nodiscard]] Incarnation incarnation() const { return incarnation_; }
    /// Number of the last command of this instance in the log.
    [[nodiscard]] std::uint64_t last_number(Instance origin) const;
    [[nodiscard]] const std::map<std::string, Group>& groups() const { return groups_; }
    // Null: there is none.
    [[nodiscard]] const Group* group(const std::string& name) const;
    [[nodiscard]] const Member* find(const std::string& group, Instance home, Client client) const;
    [[nodiscard]] const Member* find(const std::string& group, MemberId id) const;
    /// The groups that a client is in, and as whom.
    using Memberships = std::map<std::string, MemberId>;
    [[nodiscard]] Memberships memberships(Instance home, Client client) const;

    /// The messages of a snapshot, encoded.
    [[nodiscard]] std::vector<Blob> save() const;
    /// Takes the messages of one snapshot, in order.
    class Loader;

private:
    void apply(const Entry& entry, const Join& command, Applied& applied);
    void apply(const Entry& entry, const Publish& command, Applied& applied);
    void apply(const Entry& entry, const Leave& command, Applied& applied);
    void apply(const Entry& entry, const LeaveAll& command, Applied& applied);
    void apply(const Entry& entry, const Kill& command, Applied& applied);
    void apply(const Entry& entry, const NewView& command, Applied& applied);

    [[nodiscard]] Result admit(const Entry& entry, const Join& command) const;
    [[nodiscard]] Member* find_mutable(const std::string& group, Instance home, Client client);
    /// The next event of the group.
    Event& tell(Applied& applied, EventKind kind, const std::string& group, const Member& member);
    void add(const std::string& group, Member member);
    void remove(Applied& applied, const std::string& group, MemberId id, LeaveReason reason);

    Position position_;
    Incarnation incarnation_;
    struct Origin {
        Unique unique;
        std::uint64_t number = 0;
    };
    PerNode<Origin> origins_;
    std::map<std::string, Group> groups_;
    std::map<std::pair<Instance, Client>, Memberships> memberships_;
    std::size_t members_ = 0;
    std::size_t data_size_ = 0;
};

class State::Loader {
public:
    explicit Loader(const SnapshotBegin& begin);
    // False: it does not belong here; the snapshot is of no use.
    [[nodiscard]] bool add(const SnapshotGroup& group);
    [[nodiscard]] bool add(const SnapshotMember& member);
    [[nodiscard]] State take() { return std::move(state_); }

private:
    State state_;
    std::string group_;  ///< To which the members that follow belong.
};

}  // namespace css::group
