#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "cssd/core/io.h"

namespace css::core {

/// What an instance is told at its birth. Nothing here changes later, except by requests and by
/// NodesChanged.
struct ArbiterOptions {
    NodeNumber self;
    NodeSet configured;       ///< Numbers in the nodes file, own included, deleted ones not.
    unsigned slots_used = 1;  ///< Highest number in the nodes file, deleted ones included.
    unsigned slots_max = 64;  ///< Slots that the voting files have.
    Record genesis;           ///< R_0 of the header: parameters and voting files, no members.
    HostId host;
    BootId boot;
    std::uint32_t wall_seconds = 0;  ///< Unix time at start, for the unique.
    std::uint32_t weight = 1;
    bool standby = false;  ///< start_mode disabled: heartbeats, does not join.
    /// The shell has verified that the former daemon of this boot, its clients and its I/O are
    /// gone, or that there was none in this boot (PROTOCOL 8).
    bool former_gone = false;
    std::uint64_t random_seed = 0;  ///< For the random part of waits.
};

/// Where the instance is in its life.
enum class Phase : std::uint8_t {
    kStarting,  ///< Reading, watching the slot; has no instance yet and writes nothing.
    kJoining,
    kMember,
    kLeaving,
    kStopping,
    kEnded,
};

/// What the reconfiguration does now, for people (PROTOCOL 7).
enum class ReconfigurationStep : std::uint8_t { kNone, kSettle, kDecide, kConfirm };

enum class FileState : std::uint8_t { kOffline, kPending, kOnline };

/// A member or joiner in this node's view.
struct NodeView {
    Unique unique;
    NodeState state = NodeState::kJoining;
    bool listed = false;    ///< A member of the newest record.
    bool evicting = false;  ///< Dropped, not yet confirmed stopped.
    bool standby = false;
    Incarnation since;  ///< First record seen that lists it.
    Instant heard_network = kNever;
    Instant heard_disk = kNever;
    NodeSet connected;
    std::uint32_t weight = 1;
};

/// What keeps another set of voting files from being taken: a member has not written its slot
/// there.
struct FileLack {
    NodeNumber node;
    FileIndex file;
};

struct FileView {
    FileTag tag;  ///< Of the file that the shell opened at this place, last.
    std::uint64_t header_generation = 0;
    FileState state = FileState::kOffline;
    Instant last_complete = kNever;  ///< Begin of the newest complete cycle.
    Duration cycle_time{};           ///< How long it took.
};

/// A snapshot for queries. It decides nothing.
struct StatusView {
    Phase phase = Phase::kStarting;
    Instance self;
    StartRefusal refusal = StartRefusal::kNone;
    bool may_act = false;
    bool standby = false;
    Instant lease_end = kNever;
    bool siot_in_force = false;  ///< The end is max(D, A) + SIOT, because of `lease_limited_by`.
    NodeSet lease_limited_by;
    Record newest;
    Incarnation complete;  ///< Newest complete record known.
    Parameters promise;
    std::uint32_t weight = 1;
    unsigned files_online = 0;
    unsigned files_needed = 0;
    ReconfigurationStep step = ReconfigurationStep::kNone;
    NodeSet waits_for;  ///< Nodes neither fresh nor silent, in doubt, or unconfirmed.
    StopReason stop = StopReason::kNone;
    PerNode<NodeView> nodes;
    PerFile<FileView> files;
    std::optional<FileLack> files_lack;  ///< Of the last ChangeVotingFiles that ended for it.
};

/// The node arbiter: decides who is a member and until when this host may act, and nothing else.
/// Deterministic: no clock, thread, socket, file or logger. One caller at a time; time never goes
/// back from one step to the next.
class Arbiter {
public:
    Arbiter(Instant now, const ArbiterOptions& options);
    ~Arbiter();
    Arbiter(const Arbiter&) = delete;
    Arbiter& operator=(const Arbiter&) = delete;
    Arbiter(Arbiter&&) = delete;
    Arbiter& operator=(Arbiter&&) = delete;

    /// Takes one input at one time. Take the output after each step.
    void step(Instant now, const Input& input);
    /// The effects of the steps since the last call, in the order in which to carry them out.
    [[nodiscard]] Output take_output();
    /// The same, where the room of an earlier output is used again.
    void take_output(Output& into);

    [[nodiscard]] StatusView status(Instant now) const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace css::core
