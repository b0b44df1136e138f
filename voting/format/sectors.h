#pragma once

#include <array>
#include <cstdint>

#include "cssd/base/record.h"
#include "cssd/base/types.h"

namespace css {

namespace voting {

/// Heartbeat sector H[n]: what instance (n, unique) publishes on disk (PROTOCOL 3).
struct Heartbeat {
    Unique unique;  ///< Zero: the slot was formatted and never written.
    HostId host;
    BootId boot;
    Sequence sequence;
    NodeState state = NodeState::kJoining;
    /// The instance heartbeats but does not want to join yet (start_mode disabled).
    bool standby = false;
    /// The record below is complete: every instance it no longer lists is confirmed stopped.
    bool complete = false;
    /// The instance reads the slots 1..slots_read in every cycle, so it cannot miss a record that
    /// stands in one of them. Whoever relies on that (PROTOCOL 4, last paragraph) must check it.
    std::uint8_t slots_read = 0;
    std::uint32_t weight = 1;
    Parameters promise;  ///< Time-outs this instance keeps to (PROTOCOL 7, Parameters).
    NodeSet connected;
    NodeSet doubt;
    std::int64_t wall_clock_ns = 0;  ///< For people; no rule reads it. Stamped by the shell.
    Record record;                   ///< The newest record known.

    [[nodiscard]] bool written() const { return unique != Unique{}; }
    friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

/// Ballot sector B[n]: the Disk Paxos block of node n (PROTOCOL 6). A ballot number is
/// round * 64 + slot index, so no two nodes ever use the same one; zero is 'none'.
struct Ballot {
    Incarnation instance;  ///< The incarnation being decided; zero in a formatted slot.
    std::uint64_t mbal = 0;
    std::uint64_t bal = 0;  ///< Non-zero: `record` was proposed in phase 2 of that ballot.
    Record record;
    friend bool operator==(const Ballot&, const Ballot&) = default;
};

}  // namespace voting

/// Why an instance was killed; for people. Values are on disk: never renumber.
enum class KillReason : std::uint8_t {
    kNone = 0,
    kLinkLost = 1,
    kEvictedByHand = 2,
    kLeft = 3,
    kStopped = 4,
    kReplaced = 5,
    kFormation = 6,
};
inline constexpr std::uint8_t kKillReasonMax = 6;

/// Kill block K[n] (PROTOCOL 3). A formatted one has victim zero.
struct KillBlock {
    Unique victim;
    Incarnation incarnation;  ///< The record that dropped it.
    NodeNumber evictor;       ///< Who wrote this block.
    KillReason reason = KillReason::kNone;
    bool confirmed = false;  ///< The victim is known to have stopped.

    /// Whether `b` may be written over this block: never a smaller unique, never an unconfirmed
    /// mark over a confirmed one of the same unique, never the same again.
    [[nodiscard]] bool lowered_or_same_by(const KillBlock& b) const {
        return b.victim < victim || (b.victim == victim && (confirmed || !b.confirmed));
    }
    friend bool operator==(const KillBlock&, const KillBlock&) = default;
};

/// What a read found in one sector. Anything but kValid counts as 'unreadable on that file', never
/// as empty. The order is the order of the checks.
enum class SectorVerdict : std::uint8_t {
    kValid,
    kNotRead,  ///< The slot was outside the range that was read.
    kBadChecksum,
    kBadMagic,
    kBadVersion,
    kWrongKind,
    kWrongCluster,
    kWrongFile,
    kWrongSlot,  ///< A misdirected write: the slot number inside is another's.
    kMalformed,  ///< Checksum right, contents against the format.
};

/// One slot as one read of one file showed it.
struct SlotView {
    SectorVerdict heartbeat_verdict = SectorVerdict::kNotRead;
    SectorVerdict ballot_verdict = SectorVerdict::kNotRead;
    SectorVerdict kill_verdict = SectorVerdict::kNotRead;
    voting::Heartbeat heartbeat;
    voting::Ballot ballot;
    KillBlock kill;
};

}  // namespace css
