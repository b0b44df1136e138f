#pragma once

#include <cstdint>
#include <span>

#include "cssd/base/record.h"
#include "cssd/base/types.h"
#include "voting/format/sectors.h"
#include "voting/quorum/quorum.h"

namespace css::voting {

/// One node's side of Disk Paxos (Gafni and Lamport) over the B sectors: decides the record of one
/// incarnation after another (PROTOCOL 6). Pure; its caller writes block() to the voting files and
/// reports each cycle. Safety depends on no clock; two proposers only slow each other down.
///
/// Invariants:
/// - mbal never falls while the instance stays; a new ballot never clears bal and record.
/// - `serial()` changes exactly when `block()` does, so a cycle can tell which block it wrote.
class DiskPaxos {
public:
    enum class Phase : std::uint8_t { kIdle, kPrepare, kAccept };
    enum class Event : std::uint8_t {
        kNothing,
        kNewBlock,   ///< The next phase began: write block().
        kPreempted,  ///< A larger mbal of this instance was read; the ballot is over.
        kBehind,     ///< A block of a later instance was read; a newer record exists.
        kDecided,    ///< chosen() is the record of this instance.
    };

    /// `slots_max`: a phase needs every slot that the voting files have, whoever is configured.
    DiskPaxos(NodeNumber self, unsigned slots_max);

    /// A copy of the own block read from a file before the first write to it. The own block is the
    /// copy with the highest instance, then the highest bal; mbal is above every mbal read.
    void recover(const Ballot& own_copy);

    /// Starts a ballot to decide `proposal` as the record after the one whose quorums are given.
    /// Requires: own H with that record stands on a majority (PROTOCOL 6).
    void begin(const Record& proposal, Quorum quorum);
    /// Replaces the value proposed, while that is still free: in the prepare phase.
    void repropose(const Record& proposal);
    /// Ends the ballot. What was written stays: somebody may recover it.
    void abandon();

    /// A cycle that wrote the block with `serial_written`, showed it as written, and then read
    /// `slots` (all of them).
    [[nodiscard]] Event on_cycle(FileIndex file,
                                 std::uint64_t serial_written,
                                 std::span<const SlotView> slots);

    [[nodiscard]] Phase phase() const { return phase_; }
    [[nodiscard]] bool running() const { return phase_ != Phase::kIdle; }
    [[nodiscard]] const Ballot& block() const { return block_; }
    [[nodiscard]] std::uint64_t serial() const { return serial_; }
    /// After kDecided: the record decided.
    [[nodiscard]] const Record& chosen() const { return block_.record; }

private:
    [[nodiscard]] Event observe(std::span<const SlotView> slots);
    [[nodiscard]] bool phase_done() const;
    void begin_phase(Phase phase);

    NodeNumber self_;
    unsigned slots_max_;
    Ballot block_;
    std::uint64_t serial_ = 1;
    Phase phase_ = Phase::kIdle;
    Quorum quorum_;
    Record proposal_;
    std::uint64_t mbal_seen_max_ = 0;
    std::uint64_t best_bal_ = 0;  ///< Highest bal read in the prepare phase, own included.
    Record best_record_;
    PerNode<FileSet> read_on_;  ///< Per slot: files whose cycle wrote this block and read it.
};

}  // namespace css::voting
