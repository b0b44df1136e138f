#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "cssd/base/record.h"
#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "cssd/core/notice.h"
#include "netbeat/wire/heartbeat.h"
#include "voting/format/sectors.h"

/// What goes into the core and what comes out of it. Pointers and spans in an input need to live
/// only until step() returns.
namespace css::core {

// ---------------------------------------------------------------------------------- inputs

/// Time has passed; also the answer to Output::wake_at.
struct Tick {};

/// A datagram that was opened, authenticated and decoded. Its sender is a configured node.
struct HeartbeatReceived {
    const netbeat::Heartbeat* heartbeat = nullptr;
};

/// The shell has a usable voting file at this table index: header checked against the others. It
/// may be one that no record names yet: heartbeats are written there too, which shows whoever wants
/// to add it that this node can. One that the newest record knows another file for is not used
/// until a later record knows this one.
struct FileOpened {
    FileIndex file;
    FileTag tag{};                 ///< Of its FUID.
    std::uint64_t generation = 0;  ///< Of its header.
};
/// The shell gave up the file (device gone, header wrong). A cycle in flight on it still ends with
/// its own CycleFinished.
struct FileClosed {
    FileIndex file;
};

enum class CycleOutcome : std::uint8_t {
    kDone,         ///< All that was asked for was written, but for kill blocks, then all was read.
    kWriteFailed,  ///< Nothing was read. The write may or may not have landed.
    kReadFailed,   ///< Written (if asked for), not read.
};

/// The end of a cycle ordered by Output::cycles. Slots are those asked for, slots[0] is node 1's.
struct CycleFinished {
    FileIndex file;
    std::uint64_t id = 0;
    CycleOutcome outcome = CycleOutcome::kDone;
    bool own_as_written = false;  ///< The read showed own H and B byte for byte as written.
    /// A kill block that cannot be written fails no cycle: safety rests on the record in H.
    bool kills_written = true;
    std::span<const SlotView> slots;
    /// Of the header, if this cycle read it and it was valid.
    std::optional<std::uint64_t> header_generation = std::nullopt;
};

/// A guardian holds the lease end of Output::lease with this serial (and is armed, if it said so).
/// The shell sends it when *both* guardians have acknowledged and the clients' page shows it.
struct LeaseAcknowledged {
    std::uint64_t serial = 0;
};
/// A guardian is gone or does not answer.
struct GuardianLost {};
/// After Output::drain or a fence: the last client of this instance is gone.
struct ClientsGone {};
/// E4: the fence command, started for Output::fence with this instance, confirmed it off.
struct FenceConfirmed {
    Instance victim;
};

/// The nodes file was read again, the same by all members (SOURCES 2.3). Nobody who is configured
/// no more is a member.
struct NodesChanged {
    NodeSet configured;       ///< As in ArbiterOptions.
    unsigned slots_used = 1;  ///< Likewise.
};

struct SetParameters {
    std::optional<std::chrono::milliseconds> misscount;
    std::optional<std::chrono::milliseconds> disktimeout;
    std::optional<std::chrono::milliseconds> reboottime;
};
struct EvictNode {
    NodeNumber node;
};
struct StopClusterNodes {};  ///< Ask all members to leave, then leave.
struct Leave {};             ///< Clean leave of this node.
struct SetStandby {
    bool standby = false;
};
struct SetWeight {
    std::uint32_t weight = 1;
};
/// Another set of voting files (PROTOCOL 7, Voting files). Those that are new have been formatted
/// and are being opened, by all members, at places that are in neither set of the newest record.
struct ChangeVotingFiles {
    FileSet files;          ///< The whole new set.
    PerFile<FileTag> tags;  ///< Of the new ones; what it says of the others is not looked at.
    Duration patience{};    ///< For every member to have written its slot on every new file.
};
/// An administrator's request. Ends with a kRequestDone notice of the same id; Leave ends with
/// Output::exit instead.
struct OperatorRequest {
    std::uint64_t id = 0;
    std::variant<SetParameters,
                 EvictNode,
                 StopClusterNodes,
                 Leave,
                 SetStandby,
                 SetWeight,
                 ChangeVotingFiles>
        what;
};

using Input = std::variant<Tick,
                           HeartbeatReceived,
                           FileOpened,
                           FileClosed,
                           CycleFinished,
                           LeaseAcknowledged,
                           GuardianLost,
                           ClientsGone,
                           FenceConfirmed,
                           NodesChanged,
                           OperatorRequest>;

// --------------------------------------------------------------------------------- outputs

/// What guardians and the clients' page are told: every interval, also when nothing has changed (it
/// is the local heartbeat), and at each change, before anything that the same Output writes or
/// sends (PROTOCOL 8).
struct LeaseUpdate {
    std::uint64_t serial = 0;
    Instant end;            ///< E; fence when it passes, if armed.
    bool armed = false;     ///< From just before the instance may first act; else a passed end
                            ///< only ends the daemon.
    bool may_act = false;   ///< For the clients' page, together with `end`.
    bool released = false;  ///< The instance is over, its clients are gone: never fence for it.
    Incarnation token;      ///< The newest complete record.
    Instance instance;      ///< Whose lease it is.
    bool final = false;     ///< The end was cut short: never replaced by a later one.
    Duration reboottime{};  ///< After `end` the stop must have taken effect within this.
};

/// What the headers have to say of the newest record's voting files. The record decides it, so all
/// who write a header of one generation write the same bytes.
struct HeaderOrder {
    std::uint64_t generation = 0;
    FileSet files;   ///< In force; the new set already while both count.
    FileSet in_use;  ///< Places that a daemon has to open: of both sets.
    PerFile<FileTag> tags;
};

/// One cycle of one file (PROTOCOL 4): time is taken by the core before this leaves it. Write the
/// header, if there is one and it is newer than the one there, the kill blocks and own H and B,
/// wait, then read slots 1..slots; answer with CycleFinished. The core never orders a second cycle
/// on a file before the first one has finished.
struct CycleOrder {
    struct Own {
        voting::Heartbeat heartbeat;
        voting::Ballot ballot;
    };
    struct Kill {
        NodeNumber slot;
        KillBlock block;
    };
    FileIndex file;
    std::uint64_t id = 0;
    unsigned slots = 0;
    std::optional<Own> own;  ///< Nothing: read only.
    std::vector<Kill> kills;
    std::optional<HeaderOrder> header = std::nullopt;
};

/// End this host's part: the fence action of the configuration.
struct FenceSelf {
    StopReason reason = StopReason::kNone;
    NodeNumber by;
    Instant deadline;  ///< Escalate in time for this.
};

/// The daemon's instance is over. Nothing of it may be written or sent afterwards.
struct Exit {
    enum class Kind : std::uint8_t {
        kLeft,    ///< Clean leave is done.
        kFenced,  ///< Stopped; all clients are gone.
        kAgain,   ///< A JOINING instance that lapsed or was replaced: come back as a new instance.
    };
    Kind kind = Kind::kLeft;
    StopReason reason = StopReason::kNone;
};

/// Effects of one step. The shell carries them out in the order of the members.
struct Output {
    std::optional<LeaseUpdate> lease;  ///< First: an earlier end is told before it is published.
    std::vector<CycleOrder> cycles;
    std::optional<netbeat::Heartbeat> heartbeat;  ///< Send to every other configured node.
    /// E4: run the fence command on these, if there is one. Each once, and only when its stop did
    /// not show by itself within two intervals.
    std::vector<Instance> fence;
    bool drain = false;  ///< Clean leave: end the clients, then ClientsGone.
    std::optional<FenceSelf> fence_self;
    std::vector<Notice> notices;
    std::optional<Exit> exit;
    Instant wake_at = kForever;  ///< Step a Tick no later than this.
};

}  // namespace css::core
