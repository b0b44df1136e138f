#pragma once

#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "cssd/group/types.h"

/// What the engines of two nodes say to each other over a channel; GROUPS.md has the order of it.
namespace css::group {

/// To the sequencer, first thing under a new record: how far the sender has come.
struct Report {
    Position applied;
};
/// From the sequencer to whoever has come furthest: send what follows.
struct Fetch {
    Position after;
};
/// To the sequencer: put this into the log.
struct Submit {
    std::uint64_t number = 0;
    Command command;
};

/// A snapshot is a Begin, for each group a SnapshotGroup and its members, and an End.
struct SnapshotBegin {
    Position position;  ///< Of the last entry in it.
    Incarnation incarnation;
    struct Origin {
        Instance instance;
        std::uint64_t number = 0;  ///< Of its last command in it.
    };
    std::vector<Origin> origins;
};
struct SnapshotGroup {
    std::string name;
    std::uint32_t owner = 0;
    std::uint64_t serial = 0;
};
struct SnapshotMember {
    MemberId id;
    Instance home;
    Client client = 0;
    std::uint32_t pid = 0;
    std::uint32_t uid = 0;
    bool kill_asked = false;
    Blob data;
};
struct SnapshotEnd {};

using Message = std::variant<Report,
                             Fetch,
                             Submit,
                             Entry,
                             SnapshotBegin,
                             SnapshotGroup,
                             SnapshotMember,
                             SnapshotEnd>;

[[nodiscard]] Bytes encode(const Message& message);
/// Nothing: not a message, or one that breaks a rule (an empty name, too much data, a position or a
/// number of zero where there must be one).
[[nodiscard]] std::optional<Message> decode(std::span<const std::byte> bytes);

}  // namespace css::group
